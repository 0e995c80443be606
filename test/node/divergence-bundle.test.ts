import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { commitDigest, createVertexStore, encodeCommit } from '../../src/consensus/index.ts'
import { writeDivergenceBundle } from '../../src/node/divergence-bundle.ts'
import { openDatabase } from '../../src/storage/index.ts'
import { vertexOf } from '../consensus/dag-builder.ts'
import { SmallNetwork } from '../dag/small-network.ts'

test('the bundle holds both digests, who signed which, and the last commits; it is written once', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'blyan-divergence-'))
  const database = await openDatabase(join(folder, 'db'))
  t.after(async () => {
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const store = createVertexStore(database)
  const network = new SmallNetwork()
  const [ours, theirs] = ['aa'.repeat(32), 'bb'.repeat(32)]
  const vote = (digest: string, sequence = 7) => ({ sequence, digest, signature: new Uint8Array(64).fill(9) })
  const vertices = [
    vertexOf({ author: 0, round: 50, parents: [], header: { votes: [vote(ours)] } }),
    vertexOf({ author: 1, round: 51, parents: [], header: { votes: [vote(theirs), vote(theirs, 8)] } }),
    vertexOf({ author: 2, round: 52, parents: [], header: { votes: [vote(theirs)] } })
  ]
  const commits = Array.from({ length: 40 }, () => network.commit().commit)
  await database.write(
    [
      ...vertices.flatMap(vertex => store.writesOf(vertex)),
      ...commits.map(commit => store.commitWrite(commit, encodeCommit(commit)))
    ],
    { durable: false }
  )
  const input = {
    logsFolder: folder,
    version: '0.1.0',
    network: 'test',
    genesis: network.genesis.cid,
    diverged: { sequence: 7, ours, theirs },
    committee: network.genesis.committee,
    finalRound: 60,
    commits: 40,
    // A node that has joined by a snapshot need not have that checkpoint.
    chains: { checkpoint: async () => undefined },
    store
  }
  const file = await writeDivergenceBundle(input)
  assert.equal(file, join(folder, 'divergence-7.json'))
  const bundle = JSON.parse(readFileSync(file, 'utf8'))
  assert.deepEqual([bundle.schema, bundle.ours.digest, bundle.theirs.digest], ['blyan.divergence/1', ours, theirs])
  assert.deepEqual(
    bundle.votes.map((one: Record<string, unknown>) => [one.author, one.round, one.digest, one.agreesWithUs]),
    [
      [0, 50, ours, true],
      [1, 51, theirs, false],
      [2, 52, theirs, false]
    ]
  )
  assert.equal(bundle.commits.length, 32)
  assert.equal(bundle.commits.at(-1).previous, commitDigest(encodeCommit(commits[38]!)))
  assert.deepEqual(
    bundle.validators.map((one: { name: string }) => one.name),
    ['v0', 'v1', 'v2', 'v3']
  )
  const again = await writeDivergenceBundle({ ...input, version: 'another' })
  assert.equal(JSON.parse(readFileSync(again, 'utf8')).version, '0.1.0')
})
