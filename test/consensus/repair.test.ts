import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { concatBytes } from '../../src/codec/index.ts'
import { createRepair } from '../../src/consensus/index.ts'
import { decodeVerticesRequest, encodeCommitsResponse } from '../../src/consensus/wire.ts'
import { verifyChains } from '../../src/dag/index.ts'
import { protocolIds } from '../../src/net/index.ts'
import { tableRange } from '../../src/storage/index.ts'
import { alice, registry } from '../dag/small-network.ts'
import { quietLogger, StoredNetwork } from '../dag/stored-network.ts'

const base = mkdtempSync(join(tmpdir(), 'blyan-repair-'))
after(() => rmSync(base, { recursive: true, force: true }))

/** Turns one bit in the value of the record at a place of a table, below the checksums. */
async function damage(folder: string, table: string, place: number, byte: number): Promise<void> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(folder, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  const { from, to } = tableRange(table)
  let at = 0
  for await (const [key, value] of level.iterator({ gte: from, lt: to })) {
    if (at++ !== place) continue
    value[byte < 0 ? value.length + byte : byte]! ^= 1
    await level.put(key, value)
    break
  }
  await level.close()
}

function framed(bytes: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return concatBytes(length, bytes)
}

test('damaged vertices and commits count as missing, are fetched again from whoever has them, and verify', async () => {
  const stored = await StoredNetwork.open(join(base, 'node'))
  for (let i = 0; i < 12; i++)
    await stored.order(stored.network.event(alice, 'note', Buffer.from(`a note that is long enough ${i}`)))
  const vertices = new Map<string, Uint8Array>()
  for await (const vertex of stored.store.rounds(0))
    vertices.set(vertex.digest, (await stored.store.vertexBytes(vertex.digest))!)
  const commits = await Promise.all(Array.from({ length: 12 }, (_, i) => stored.store.commitBytes(i + 1)))
  await stored.close()
  await damage(stored.databaseFolder, 'v', 3, 20)
  await damage(stored.databaseFolder, 'v', 5, -20)
  await damage(stored.databaseFolder, 'c', 4, 10)
  await stored.reopen()

  const answers: string[] = []
  const repair = createRepair({
    database: stored.database,
    store: stored.store,
    execution: stored.chains,
    genesisDigest: stored.network.genesis.digest,
    logger: quietLogger,
    network: {
      peers: () => ['liar', 'honest'].map(peerId => ({ peerId })) as never,
      request: async (peer, protocol, request) => {
        answers.push(peer)
        if (protocol === protocolIds.commits)
          return encodeCommitsResponse({
            commits: [commits[peer === 'liar' ? 6 : 4]!],
            checkpoint: new Uint8Array(0),
            votes: []
          })
        const { digests } = decodeVerticesRequest(request, 64)
        const bytes = Buffer.from(vertices.get(digests[0]!)!)
        // The same header and body under a signature that is none: the digest does not cover it.
        if (peer === 'liar') bytes[4 + bytes.readUInt32BE(0)]! ^= 1
        return framed(bytes)
      }
    }
  })
  const needs = () => ({
    genesis: stored.network.genesis,
    handlers: registry,
    chains: stored.chains,
    vertices: stored.store
  })
  for (const digest of vertices.keys()) await stored.store.vertex(digest)
  assert.equal((await verifyChains(needs())).reason, 'commit 5 is missing')
  assert.equal(repair.damaged, 3)
  assert.equal(await repair.run(), 3)
  assert.equal(repair.damaged, 0)
  assert.deepEqual(new Set(answers), new Set(['liar', 'honest']), 'the lies were not taken')
  assert.equal((await verifyChains(needs())).reason, null)
  await stored.close()
  await stored.reopen()
  assert.equal((await verifyChains(needs())).valid, true)
  await stored.close()
})
