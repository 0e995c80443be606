import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { decodeCanonical, sha256 } from '../../src/codec/index.ts'
import { createStateSync, type StateSync } from '../../src/consensus/index.ts'
import { genesisOf } from '../../src/dag/core/genesis.ts'
import { decodeChunk, decodeManifest, encodeChunk, encodeManifest } from '../../src/dag/snapshot-format.ts'
import { BlyanError } from '../../src/errors/index.ts'
import { accountOf, alice, bob, genesisFile } from './small-network.ts'
import { quietLogger, StoredNetwork } from './stored-network.ts'

const base = mkdtempSync(join(tmpdir(), 'blyan-state-sync-'))
after(() => rmSync(base, { recursive: true, force: true }))
let places = 0
const newFolder = () => join(base, String(places++))

type Serve = (peer: string, request: Uint8Array) => Promise<Uint8Array>

/** Requests between nodes of one process: what a peer answers can be anything. */
class Wires {
  readonly penalties = new Map<string, number>()
  readonly asked: string[] = []
  readonly #peers = new Map<string, Serve>()

  /** What a node sees of the network. */
  of(own: string) {
    return {
      serve: (_: string, handler: Serve) => void this.#peers.set(own, handler),
      request: async (peer: string, _protocol: string, request: Uint8Array) => {
        this.asked.push(peer)
        const serve = this.#peers.get(peer)
        if (serve === undefined) throw new BlyanError('PEER_REQUEST_FAILED', { peerId: peer, protocol: '' })
        return new Uint8Array(await serve(own, request))
      },
      penalise: (peer: string, points: number) => {
        this.penalties.set(peer, (this.penalties.get(peer) ?? 0) + points)
      },
      peers: () => []
    }
  }

  /** Puts something between a peer and whoever asks it. */
  wrap(peer: string, change: (answer: Uint8Array, request: Uint8Array) => Promise<Uint8Array> | Uint8Array): void {
    const serve = this.#peers.get(peer)!
    this.#peers.set(peer, async (from, request) => change(await serve(from, request), request))
  }
}

const isManifestRequest = (request: Uint8Array) =>
  (decodeCanonical(request, { sizeBytesMax: 64 }) as unknown[]).length === 1

/** A network whose state is some chunks long, its snapshot, and nodes that offer it. */
async function offering(names: readonly string[]) {
  // Long names: nothing here reads them, and the state fills chunks.
  const accounts = Array.from({ length: 3000 }, (_, i) => ({
    account: `${i}`.padStart(400, '0'),
    balance: '1',
    stake: '0'
  }))
  const file = genesisFile()
  const source = await StoredNetwork.open(newFolder(), { file: { ...file, accounts: [...file.accounts, ...accounts] } })
  for (let i = 0; i < 80; i++) await source.order(source.network.event(alice, 'note', Buffer.from(`note ${i}`)))
  const snapshot = await source.chains.snapshots.create()
  const wires = new Wires()
  const syncs = new Map<string, StateSync>()
  for (const name of names)
    syncs.set(name, createStateSync({ network: wires.of(name), keeper: source.chains.snapshots, logger: quietLogger }))
  const newcomer = async (name: string, folder = newFolder()) => {
    const stored = await StoredNetwork.open(folder, { file: source.network.genesis.file })
    const sync = createStateSync({ network: wires.of(name), keeper: stored.chains.snapshots, logger: quietLogger })
    return { stored, sync }
  }
  return { source, snapshot, wires, newcomer }
}

test('chunks come from many peers; liars, the absent and the slow delay nothing, and the liar is told on', async () => {
  const { source, snapshot, wires, newcomer } = await offering(['a', 'b', 'wrong', 'slow', 'poor'])
  assert.ok(snapshot.manifest.chunks.length >= 2, `${snapshot.manifest.chunks.length} chunks`)
  wires.wrap('wrong', (answer, request) => {
    if (isManifestRequest(request)) return answer
    const bytes = new Uint8Array(answer)
    bytes[50]! ^= 1
    return bytes
  })
  // Never answers: whoever else is idle fetches what it was asked for.
  wires.wrap('slow', (answer, request) => (isManifestRequest(request) ? answer : new Promise<Uint8Array>(() => {})))
  wires.wrap('poor', (answer, request) => (isManifestRequest(request) ? answer : new Uint8Array(0)))
  const { stored, sync } = await newcomer('n')
  assert.equal(sync.progress(), undefined)
  const running = sync.sync(['wrong', 'slow', 'gone', 'poor', 'a', 'b'])
  assert.equal(sync.progress()!.phase, 'asking')
  assert.equal(await sync.sync(['a']), false, 'one at a time')
  assert.equal(await running, true)
  assert.equal(sync.progress(), undefined)
  assert.deepEqual(stored.chains.lastCheckpoint, snapshot.manifest.checkpoint)
  assert.deepEqual([...wires.penalties.keys()], ['wrong'])
  assert.equal(sync.snapshotCommitIndex, 80, 'it offers it in its turn')
  assert.equal(sync.oldestCommitIndex, 81)

  await source.order(source.network.event(bob, 'transfer', { to: accountOf(alice), amount: '1' }))
  assert.equal(await sync.sync(['a', 'b']), false, 'nothing newer is offered')
  await stored.close()
  await stored.reopen()
  assert.deepEqual(stored.chains.lastCheckpoint, snapshot.manifest.checkpoint)
  await Promise.all([stored.close(), source.close()])
})

test('what was fetched before a stop is not fetched again', async () => {
  const { source, snapshot, wires, newcomer } = await offering(['a'])
  let chunksGiven = 0
  let isOpen = true
  wires.wrap('a', (answer, request) => {
    if (isManifestRequest(request)) return answer
    if (!isOpen || chunksGiven >= 1) throw new Error('cut off')
    chunksGiven++
    return answer
  })
  const first = await newcomer('n')
  assert.equal(await first.sync.sync(['a']), false)
  await first.stored.close()
  const incoming = join(first.stored.snapshotsFolder, 'incoming')
  assert.equal(readdirSync(incoming).length, 2, 'the manifest and one chunk')

  chunksGiven = -snapshot.manifest.chunks.length
  const again = await newcomer('n', first.stored.folder)
  const before = chunksGiven
  assert.equal(await again.sync.sync(['a']), true)
  assert.equal(chunksGiven - before, snapshot.manifest.chunks.length - 1)
  assert.ok(!existsSync(incoming))
  isOpen = false
  await Promise.all([again.stored.close(), source.close()])
})

test('a snapshot whose contents are not certified is refused whole, its givers are told on, and an honest one is taken', async () => {
  const { source, snapshot, wires, newcomer } = await offering(['honest', 'liar'])
  // Rightly signed checkpoint, rightly hashed chunks, and one coin more for somebody.
  const forged = new Map<string, Uint8Array>()
  const chunks = await Promise.all(
    snapshot.manifest.chunks.map(async ({ digest }) => {
      const entries = decodeChunk(await source.chains.snapshots.shelf.chunk(snapshot, digest))
      const bytes = encodeChunk(
        entries.map(entry =>
          Buffer.from(entry[1]).toString() === `balance/${accountOf(bob)}/BLY`
            ? [entry[0], entry[1], Buffer.from([0x63, 0x39, 0x39, 0x39])]
            : entry
        )
      )
      const name = Buffer.from(sha256(bytes)).toString('hex')
      forged.set(name, bytes)
      return { digest: name, sizeBytes: bytes.length }
    })
  )
  const lie = encodeManifest({ ...snapshot.manifest, chunks })
  wires.wrap('liar', (_, request) => {
    const [kind, digest] = decodeCanonical(request, { sizeBytesMax: 64 }) as [number, Uint8Array]
    return kind === 1 ? lie : (forged.get(Buffer.from(digest).toString('hex')) ?? new Uint8Array(0))
  })
  const { stored, sync } = await newcomer('n')
  const stateRoot = () => stored.chains.state.get(`balance/${accountOf(bob)}/BLY`)
  assert.equal(await sync.sync(['liar']), false)
  assert.ok(wires.penalties.get('liar')! >= 40)
  assert.equal(stateRoot(), '500', 'nothing has changed')
  assert.ok(!existsSync(join(stored.snapshotsFolder, 'incoming')))
  assert.equal(await sync.sync(['liar', 'honest']), true, 'the refused one is not taken twice')
  assert.equal(decodeManifest((await stored.chains.snapshots.manifest())!).id, snapshot.manifest.id)
  await Promise.all([stored.close(), source.close()])
})

test('a manifest of strangers, of another network, or that is none costs its giver points and nothing else', async () => {
  const { source, snapshot, wires, newcomer } = await offering(['strangers', 'foreign', 'noise'])
  const { votes } = snapshot.manifest
  const swapped = votes.map(({ author }, place) => ({
    author,
    signature: votes[(place + 1) % votes.length]!.signature
  }))
  const other = genesisOf({ ...genesisFile(), network: 'other' })
  wires.wrap('strangers', () => encodeManifest({ ...snapshot.manifest, votes: swapped }))
  wires.wrap('foreign', () => encodeManifest({ ...snapshot.manifest, genesis: other.digest }))
  wires.wrap('noise', () => Buffer.from('not a manifest'))
  const { stored, sync } = await newcomer('n')
  assert.equal(await sync.sync(['strangers', 'foreign', 'noise']), false)
  assert.deepEqual([...wires.penalties.keys()].sort(), ['foreign', 'noise', 'strangers'])
  assert.equal(stored.chains.snapshots.executedCommitIndex, 0)
  await Promise.all([stored.close(), source.close()])
})

test('a process that is killed while the databases change places finds one of them whole', async () => {
  const { source, newcomer } = await offering(['a'])
  const { stored, sync } = await newcomer('n')
  await stored.order(stored.network.event(bob, 'note', Buffer.from('of before')))
  // As a kill leaves it at each moment: what is on disk is copied before and after the swap.
  const moments = new Map<string, string>()
  const keep = (name: string) => {
    const copy = newFolder()
    cpSync(stored.folder, copy, { recursive: true })
    moments.set(name, copy)
  }
  const replace = stored.database.replaceWithReady.bind(stored.database)
  stored.database.replaceWithReady = async options => {
    keep('ready')
    await replace(options)
    keep('replaced')
  }
  assert.equal(await sync.sync(['a']), true)
  await stored.close()
  for (const [name, folder] of moments) {
    const { stored: found } = await newcomer('again', folder)
    assert.equal(found.chains.snapshots.executedCommitIndex, 80, name)
    assert.equal(found.chains.snapshots.offeredCommitIndex, 80, name)
    assert.ok(existsSync(`${found.databaseFolder}.before`), 'it had a commit')
    await found.close()
  }
  await source.close()
})
