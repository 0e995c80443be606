import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createPruner, verifyChains } from '../../src/dag/index.ts'
import { tableRange } from '../../src/storage/index.ts'
import { accountOf, alice, bob, genesisFile, registry } from './small-network.ts'
import { quietLogger, StoredNetwork } from './stored-network.ts'

const base = mkdtempSync(join(tmpdir(), 'blyan-pruner-'))
after(() => rmSync(base, { recursive: true, force: true }))

/** What no compression makes smaller. */
function noise(seed: number): Buffer {
  let state = seed + 1
  return Buffer.from(
    Array.from({ length: 1024 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state >>> 24
    })
  )
}

test('old history goes, its disk space comes back, and what is left verifies from the oldest snapshot on', async () => {
  const file = genesisFile()
  const folder = join(base, 'node')
  const stored = await StoredNetwork.open(folder, {
    file: { ...file, consensus: { ...file.consensus, gcDepthRounds: 10 } },
    everyCommits: 100
  })
  const { network } = stored
  const pruner = () =>
    createPruner({
      database: stored.database,
      chains: stored.chains,
      gcDepthRounds: 10,
      keepCommits: 120,
      logger: quietLogger
    })
  const digests: string[] = []
  for (let i = 0; i < 400; i++) {
    const event = network.event(alice, 'note', noise(i))
    digests.push(event.digest)
    await stored.order(event, network.event(bob, 'transfer', { to: accountOf(alice), amount: '1' }))
    if (i === 60) assert.equal(await pruner().run(), 0, 'nothing goes before there is a snapshot')
  }
  await stored.close()
  await stored.reopen()
  for (const table of ['v', 'e']) await stored.database.compact(tableRange(table))
  const sizeOf = () =>
    readdirSync(stored.databaseFolder).reduce((sum, name) => sum + statSync(join(stored.databaseFolder, name)).size, 0)
  const before = sizeOf()
  const oldestSnapshot = (await stored.chains.snapshots.shelf.list())[0]!.manifest.checkpoint.commitIndex
  assert.equal(oldestSnapshot, 300)

  const pruned = await pruner().run()
  assert.equal(pruned, 280)
  assert.deepEqual(stored.chains.history, { firstCommit: 281, firstEvent: 561, afterCheckpoint: 70 })
  assert.ok(sizeOf() < before / 2, `${sizeOf()} of ${before} bytes are left`)
  assert.equal(await pruner().run(), 0, 'nothing more to do')

  assert.equal(await stored.chains.event(digests[0]!), undefined)
  assert.ok(await stored.chains.event(digests[300]!))
  assert.equal(await stored.store.commitBytes(280), undefined)
  assert.ok(await stored.store.commitBytes(281))
  assert.equal(stored.chains.snapshots.oldestCommitIndex, 281)
  assert.ok(await stored.chains.proof(digests[399]!))
  assert.equal(await stored.chains.block('C', 0), undefined)
  assert.ok(await stored.chains.block('C', 399), 'heads stay')
  assert.ok(await stored.chains.block('B', 0), 'chain B stays')

  await stored.close()
  await stored.reopen()
  assert.equal(stored.chains.history.firstCommit, 281)
  const needs = { genesis: network.genesis, handlers: registry, chains: stored.chains, vertices: stored.store }
  const verdict = await verifyChains(needs)
  assert.deepEqual([verdict.reason, verdict.since], [null, { sequence: 75, commit: 300 }])
  const { manifest } = await stored.chains.snapshots.create()
  assert.equal(manifest.checkpoint.commitIndex, 400, 'snapshots are still made')
  await stored.order(network.event(alice, 'note', Buffer.from('and on it goes')))
  await stored.close()
})
