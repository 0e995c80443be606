import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sha256 } from '../../src/codec/index.ts'
import { checkpointDigest } from '../../src/dag/core/checkpoint.ts'
import { genesisOf } from '../../src/dag/core/genesis.ts'
import {
  createSnapshotOffline,
  openSnapshotFile,
  openSnapshotShelf,
  packSnapshot,
  stageSnapshot,
  verifyChains,
  verifySnapshot
} from '../../src/dag/index.ts'
import { decodeChunk, decodeManifest, encodeChunk, encodeManifest } from '../../src/dag/snapshot-format.ts'
import { shelvedSource } from '../../src/dag/snapshot-replay.ts'
import type { ShelvedSnapshot, SnapshotSource } from '../../src/dag/snapshot-shelf.ts'
import { type ErrorCode, isBlyanError } from '../../src/errors/index.ts'
import { openDatabase, tableKey } from '../../src/storage/index.ts'
import { refusesOnlyByName } from '../codec/fuzz.ts'
import { accountOf, alice, bob, genesisFile, keyOf, registry, tensorCid } from './small-network.ts'
import { StoredNetwork, votesFor } from './stored-network.ts'

const base = mkdtempSync(join(tmpdir(), 'blyan-snapshot-'))
after(() => rmSync(base, { recursive: true, force: true }))
let places = 0
const newFolder = () => join(base, String(places++))

/** Some of everything that leaves a trace in the state. */
async function live(stored: StoredNetwork, commits: number): Promise<void> {
  const { network } = stored
  for (let i = 0; i < commits; i++) {
    const events = [network.event(alice, 'note', Buffer.from(`note ${i}`))]
    if (i % 3 === 0) events.push(network.event(alice, 'transfer', { to: accountOf(bob), amount: '1' }))
    if (i % 10 === 5) events.push(network.event(alice, 'model', { layers: i }))
    if (i % 7 === 6) {
      const parent = stored.chains.parts.newest('layer0.expert0')!.block
      const tensor = tensorCid(`expert ${i} of ${network.genesis.cid}`).toString()
      events.push(network.event(alice, 'expert', { name: 'layer0.expert0', layer: 0, tensor, shape: [4, 4], parent }))
    }
    await stored.order(...events)
  }
}

const hasCode =
  (code: ErrorCode, text = /./) =>
  (error: unknown) =>
    isBlyanError(error, code) && text.test(error.message)

async function restored(from: ShelvedSnapshot, folder: string, shelf: ReturnType<typeof openSnapshotShelf>) {
  const genesis = genesisOf(genesisFile())
  const source = shelvedSource(shelf, from)
  await stageSnapshot(genesis, join(folder, 'db'), source)
  cpSync(from.folder, join(folder, 'snapshots', String(from.manifest.checkpoint.sequence)), { recursive: true })
}

test('a snapshot restores the state, the parts and the heads; execution goes on to the same checkpoints', async () => {
  const first = await StoredNetwork.open(newFolder())
  await live(first, 100)
  const heads = Object.fromEntries(
    (['A', 'B', 'C'] as const).map(chain => [chain, first.chains.head(chain).head!.toString()])
  )
  // Beyond the checkpoint: what is written is the state at it all the same.
  await first.order(first.network.event(bob, 'transfer', { to: accountOf(alice), amount: '2' }))
  const snapshot = await first.chains.snapshots.create()
  const { checkpoint } = snapshot.manifest
  assert.equal(checkpoint.commitIndex, 100)
  assert.equal(first.chains.snapshots.executedCommitIndex, 101)

  const folder = newFolder()
  await restored(snapshot, folder, first.chains.snapshots.shelf)
  const second = await StoredNetwork.open(folder)
  assert.deepEqual(second.chains.lastCheckpoint, checkpoint)
  assert.equal(second.chains.certifiedSequence, checkpoint.sequence)
  assert.equal(second.chains.eventCount, checkpoint.eventFirst + checkpoint.eventCount - 1)
  assert.deepEqual(
    second.chains.parts.history('layer0.expert0').map(part => part.block),
    first.chains.parts.history('layer0.expert0').map(part => part.block)
  )
  assert.deepEqual(second.chains.history, {
    firstCommit: 101,
    firstEvent: second.chains.eventCount + 1,
    afterCheckpoint: checkpoint.sequence
  })
  assert.equal((await second.store.lastCommit())!.point.digest, checkpoint.commitDigest)
  // Who goes on from here has to know what was committed above the garbage-collection round.
  for (let index = 40; index <= 100; index++) assert.ok(await second.store.commitBytes(index), `commit ${index}`)
  assert.deepEqual(
    await Promise.all(
      (['A', 'B', 'C'] as const).map(async chain =>
        (await second.chains.block(chain, second.chains.head(chain).height - 1))?.cid.toString()
      )
    ),
    (['A', 'B', 'C'] as const).map(chain => heads[chain])
  )

  const later = [
    first.network.commit(first.network.event(alice, 'note', Buffer.from('later'))),
    ...Array.from({ length: 4 }, (_, i) => first.network.commit(first.network.event(bob, 'note', Buffer.from(`b${i}`))))
  ]
  const missed = { ...(await commitAt(first, 101)) }
  await second.take(missed)
  for (const commit of later) {
    await first.take(commit)
    await second.take(commit)
  }
  assert.deepEqual(second.chains.lastCheckpoint, first.chains.lastCheckpoint)
  assert.ok(second.chains.lastCheckpoint!.sequence > checkpoint.sequence)

  const verdict = await verifyChains({ ...needsOf(second), vertices: second.store })
  assert.deepEqual([verdict.valid, verdict.reason], [true, null])
  assert.deepEqual(verdict.since, { sequence: checkpoint.sequence, commit: 100 })
  await second.close()
  await second.reopen()
  assert.equal(second.chains.lastCheckpoint!.stateRoot, first.chains.lastCheckpoint!.stateRoot)
  const whole = await verifyChains({ ...needsOf(first), vertices: first.store })
  assert.deepEqual([whole.valid, whole.since], [true, null])
  await Promise.all([first.close(), second.close()])
})

const needsOf = (stored: StoredNetwork) => ({
  genesis: stored.network.genesis,
  handlers: registry,
  chains: stored.chains
})

async function commitAt(stored: StoredNetwork, index: number) {
  const { decodeCommit, commitDigest } = await import('../../src/consensus/index.ts')
  const bytes = (await stored.store.commitBytes(index))!
  const commit = decodeCommit(bytes)
  const vertices = await Promise.all(commit.vertices.map(async ref => (await stored.store.vertex(ref.digest))!))
  return { commit, commitDigest: commitDigest(bytes), vertices }
}

test('nodes make the same snapshot of the same checkpoint, running or stopped', async () => {
  const running = await StoredNetwork.open(newFolder(), { everyCommits: 40 })
  await live(running, 50)
  const other = await StoredNetwork.open(newFolder(), { everyCommits: 40 })
  for (let index = 1; index <= 50; index++) await other.take(await commitAt(running, index))
  await Promise.all([running.close(), other.close()])
  const shelves = [running, other].map(stored => openSnapshotShelf(stored.snapshotsFolder))
  const [a, b] = await Promise.all(shelves.map(shelf => shelf.list()))
  assert.deepEqual(
    a!.map(({ manifest }) => manifest.checkpoint.commitIndex),
    [40],
    'by the number of commits'
  )
  assert.deepEqual(
    a!.map(({ manifest }) => manifest.id),
    b!.map(({ manifest }) => manifest.id)
  )

  const database = await openDatabase(other.databaseFolder)
  const genesis = other.network.genesis
  const offline = await createSnapshotOffline({
    genesis,
    handlers: registry,
    database,
    snapshotsFolder: other.snapshotsFolder
  })
  assert.equal(offline.manifest.checkpoint.commitIndex, 48)
  await database.close()
  await running.reopen()
  assert.equal((await running.chains.snapshots.create()).manifest.id, offline.manifest.id)
  await running.close()
})

test('only the newest snapshots are kept, and one that was being written when the process died is cleared away', async () => {
  const stored = await StoredNetwork.open(newFolder(), { everyCommits: 8 })
  await live(stored, 40)
  await stored.close()
  cpSync(
    join(stored.snapshotsFolder, readdirSync(stored.snapshotsFolder)[0]!),
    join(stored.snapshotsFolder, '99.part'),
    { recursive: true }
  )
  await stored.reopen()
  const kept = (await stored.chains.snapshots.shelf.list()).map(({ manifest }) => manifest.checkpoint.commitIndex)
  assert.deepEqual(kept, [32, 40])
  assert.ok(!existsSync(join(stored.snapshotsFolder, '99.part')))
  await stored.close()
})

test('a checkpoint that nobody certified makes no snapshot; the next one that is certified does', async () => {
  const stored = await StoredNetwork.open(newFolder(), { everyCommits: 8 })
  for (let i = 1; i <= 12; i++)
    await stored.take(stored.network.commit(stored.network.event(alice, 'note', Buffer.from(`n${i}`))), i !== 8)
  await stored.close()
  const found = await openSnapshotShelf(stored.snapshotsFolder).list()
  assert.deepEqual(
    found.map(({ manifest }) => manifest.checkpoint.commitIndex),
    [12]
  )
})

test('one file carries a snapshot elsewhere; one wrong byte anywhere is found and the part named', async () => {
  const stored = await StoredNetwork.open(newFolder())
  await live(stored, 80)
  const snapshot = await stored.chains.snapshots.create()
  await stored.close()
  const { genesis } = stored.network
  const file = join(newFolder(), '..', 'one.snapshot')
  const sizeBytes = await packSnapshot(openSnapshotShelf(stored.snapshotsFolder), snapshot, file)
  const whole = readFileSync(file)
  assert.equal(whole.length, sizeBytes)
  const verify = async (bytes: Uint8Array) => {
    writeFileSync(file, bytes)
    const source = await openSnapshotFile(file)
    try {
      return await verifySnapshot(genesis, source)
    } finally {
      await source.close()
    }
  }
  assert.equal((await verify(whole)).id, snapshot.manifest.id)

  const codes = new Set<string>()
  const places = [
    0,
    5,
    18,
    30,
    60,
    200,
    ...Array.from({ length: 40 }, (_, i) => Math.floor((whole.length * i) / 40)),
    whole.length - 1
  ]
  for (const place of places) {
    const bytes = Buffer.from(whole)
    bytes[place]! ^= 1
    await assert.rejects(
      verify(bytes),
      error => {
        assert.ok(isBlyanError(error), String(error))
        codes.add(error.code)
        return error.code.startsWith('SNAPSHOT_')
      },
      `byte ${place}`
    )
  }
  assert.ok(codes.has('SNAPSHOT_DAMAGED') && codes.has('SNAPSHOT_INVALID'))
  for (const length of [0, 10, 19, 100, whole.length - 1])
    await assert.rejects(verify(whole.subarray(0, length)), hasCode('SNAPSHOT_TRUNCATED'), `${length} bytes`)
  await assert.rejects(verify(Buffer.concat([whole, Buffer.from('x')])), hasCode('SNAPSHOT_DAMAGED', /end of the file/))
})

test('strangers, another network and contents that the checkpoint does not certify are refused, each by its code', async () => {
  const stored = await StoredNetwork.open(newFolder())
  await live(stored, 80)
  const { manifest } = await stored.chains.snapshots.create()
  const { shelf } = stored.chains.snapshots
  const [shelved] = await shelf.list()
  const { genesis } = stored.network
  const chunks = await Promise.all(manifest.chunks.map(chunk => shelf.chunk(shelved!, chunk.digest)))
  await stored.close()
  const check = (changes: Partial<typeof manifest>, bytes: readonly Uint8Array[] = chunks, of = genesis) => {
    const source: SnapshotSource = {
      manifestBytes: encodeManifest({ ...manifest, ...changes }),
      chunks: async function* () {
        yield* bytes
      }
    }
    return verifySnapshot(of, source)
  }
  await check({})
  const digest = checkpointDigest(manifest.checkpointBytes)
  const votes = (authors: readonly number[], keyFor?: (author: number) => ReturnType<typeof keyOf>) =>
    votesFor(genesis.digest, digest, authors, keyFor)
  await assert.rejects(check({ votes: votes([0, 1]) }), hasCode('SNAPSHOT_UNSIGNED', /no quorum/))
  await assert.rejects(check({ votes: votes([0, 1, 1]) }), hasCode('SNAPSHOT_UNSIGNED', /twice/))
  await assert.rejects(
    check({ votes: votes([0, 1, 2], author => keyOf(`stranger ${author}`)) }),
    hasCode('SNAPSHOT_UNSIGNED', /signature of v0/)
  )
  const foreign = genesisOf({ ...genesisFile(), network: 'other' })
  await assert.rejects(check({}, chunks, foreign), hasCode('SNAPSHOT_FOREIGN'))

  // A liar's own contents, well-formed and rightly hashed, under a true certificate.
  const forged = async (change: (entries: ReturnType<typeof decodeChunk>) => ReturnType<typeof decodeChunk>) => {
    const bytes = chunks.map(chunk => encodeChunk(change(decodeChunk(chunk))))
    const list = bytes.map(chunk => ({ digest: Buffer.from(sha256(chunk)).toString('hex'), sizeBytes: chunk.length }))
    const entryCount = bytes.reduce((sum, chunk) => sum + decodeChunk(chunk).length, 0)
    return check({ chunks: list, entryCount }, bytes)
  }
  const without = (table: string, place: number) =>
    forged(entries => {
      const of = entries.filter(([name]) => name === table)
      return entries.filter(entry => entry !== of.at(place))
    })
  await assert.rejects(without('x', 3), hasCode('SNAPSHOT_DAMAGED', /the state/))
  await assert.rejects(without('b', -1), hasCode('SNAPSHOT_DAMAGED', /chain B/))
  await assert.rejects(without('b', 0), hasCode('SNAPSHOT_DAMAGED', /chain B/))
  await assert.rejects(without('h', 0), hasCode('SNAPSHOT_DAMAGED', /head of chain A/))
  await assert.rejects(without('c', -1), hasCode('SNAPSHOT_DAMAGED', /window of commits/))
  await assert.rejects(without('c', 5), hasCode('SNAPSHOT_DAMAGED', /does not follow/))
  await assert.rejects(without('c', 0), hasCode('SNAPSHOT_DAMAGED', /too short/))
  await assert.rejects(
    forged(entries => [...entries].reverse()),
    hasCode('SNAPSHOT_DAMAGED', /out of order/)
  )
  await assert.rejects(
    forged(entries =>
      entries.map(entry =>
        Buffer.from(entry[1]).toString().startsWith('balance/')
          ? ([entry[0], entry[1], Buffer.from([0x61, 0x39])] as const)
          : entry
      )
    ),
    hasCode('SNAPSHOT_DAMAGED', /root/)
  )
})

test('a failed restore changes nothing, and leaves no half-made database behind', async () => {
  const stored = await StoredNetwork.open(newFolder())
  await live(stored, 30)
  const snapshot = await stored.chains.snapshots.create()
  const source = shelvedSource(stored.chains.snapshots.shelf, snapshot)
  await stored.order(stored.network.event(alice, 'note', Buffer.from('after')))
  const { stateRoot } = stored.chains.lastCheckpoint!
  await stored.close()
  const broken: SnapshotSource = {
    ...source,
    chunks: async function* () {
      for await (const chunk of source.chunks()) yield Buffer.from(chunk).fill(0, 100, 101)
    }
  }
  await assert.rejects(
    stageSnapshot(stored.network.genesis, stored.databaseFolder, broken),
    hasCode('SNAPSHOT_DAMAGED', /chunk 1 of/)
  )
  assert.deepEqual(readdirSync(stored.folder).sort(), ['db', 'snapshots'])
  await stored.reopen()
  assert.equal(stored.chains.lastCheckpoint!.stateRoot, stateRoot)
  assert.equal(stored.chains.snapshots.executedCommitIndex, 31)
  await stored.close()
})

test('damage that hides in the state or among commits is refused when the node opens its data', async () => {
  const make = async () => {
    const stored = await StoredNetwork.open(newFolder())
    await live(stored, 24)
    return stored
  }
  const refusal = async (
    writes: (stored: StoredNetwork) => { key: Uint8Array; value: Uint8Array | undefined }[],
    text: RegExp
  ) => {
    const stored = await make()
    await stored.database.write(writes(stored), { durable: true })
    await stored.close()
    await assert.rejects(stored.reopen(), hasCode('CHAIN_DAMAGED', text))
    await stored.database.close()
  }
  await refusal(
    () => [{ key: tableKey('x', `balance/${accountOf(bob)}/BLY`), value: undefined }],
    /root of checkpoint 6/
  )
  await refusal(() => [{ key: tableKey('c', 20), value: undefined }], /commit 20 is missing/)
  await refusal(() => [{ key: tableKey('c', 24), value: undefined }], /of commit 24 and the last commit is 23/)
  await refusal(() => [{ key: tableKey('x', 'executor/cursor'), value: undefined }], /cursor/)

  const stored = await make()
  await stored.close()
  const other = new (stored.network.constructor as typeof import('./small-network.ts').SmallNetwork)(
    genesisFile({ network: 'other' })
  )
  Object.assign(stored, { network: other })
  await assert.rejects(
    stored.reopen(),
    error => isBlyanError(error, 'GENESIS_CHANGED') && error.payload.given === other.genesis.cid
  )
  await stored.database.close()
})

test('no bytes make the decoders do anything but refuse by name', async () => {
  const stored = await StoredNetwork.open(newFolder())
  await live(stored, 8)
  const snapshot = await stored.chains.snapshots.create()
  const chunk = await stored.chains.snapshots.shelf.chunk(snapshot, snapshot.manifest.chunks[0]!.digest)
  await stored.close()
  refusesOnlyByName(decodeManifest, [snapshot.bytes], 'SNAPSHOT_INVALID', 400)
  refusesOnlyByName(decodeChunk, [new Uint8Array(chunk)], 'SNAPSHOT_INVALID', 400)
})

test('a snapshot of a later epoch brings the sets of validators along, and who lies about them is refused', async () => {
  const file = genesisFile()
  const options = { file: { ...file, consensus: { ...file.consensus, epochMs: 0 } } }
  const first = await StoredNetwork.open(newFolder(), options)
  await first.order(first.network.event(keyOf('validator 3'), 'validator-leave', {}))
  while (first.chains.epoch.committee.epoch === 0) await first.order()
  await live(first, 20)
  const snapshot = await first.chains.snapshots.create()
  const { manifest } = snapshot
  assert.deepEqual([manifest.checkpoint.epoch, manifest.sets.length], [1, 1])
  const { shelf } = first.chains.snapshots
  const source = shelvedSource(shelf, snapshot)
  const { genesis } = first.network
  const refused = (changes: Partial<typeof manifest>) =>
    assert.rejects(
      verifySnapshot(genesis, { ...source, manifestBytes: encodeManifest({ ...manifest, ...changes }) }),
      hasCode('SNAPSHOT_UNSIGNED')
    )
  await refused({ sets: [] })
  await refused({ sets: [{ ...manifest.sets[0]!, votes: manifest.sets[0]!.votes.slice(1) }] })
  await refused({ sets: [...manifest.sets, ...manifest.sets] })

  const folder = newFolder()
  await stageSnapshot(genesis, join(folder, 'db'), source)
  const second = await StoredNetwork.open(folder, options)
  assert.deepEqual(second.chains.epoch, first.chains.epoch)
  assert.equal(second.chains.epoch.committee.validators.length, 3)
  assert.deepEqual(await second.chains.setLinks(1), await first.chains.setLinks(1))
  await Promise.all([first.close(), second.close()])
})
