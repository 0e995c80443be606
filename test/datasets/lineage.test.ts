import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesToHex, rawCid, sha256 } from '../../src/codec/index.ts'
import { drawBatch, type Lineage, lineageOf, verifyLineage } from '../../src/datasets/index.ts'
import { bytesOf } from './texts.ts'

const shards = ['a', 'b'].map((name, index) => ({
  cid: rawCid(sha256(bytesOf(name))).toString(),
  bytes: 5000 * (index + 1)
}))
const seed = sha256(bytesOf('assignment'))
const plan = {
  seed,
  shards,
  slice: { index: 1, count: 2 },
  sequences: 4,
  sequenceTokens: 64,
  bytesEach: 65
}
const expected = {
  seed: bytesToHex(seed),
  slice: plan.slice,
  sequenceTokens: 64,
  bytesEach: 65,
  bytesOf: (cid: string) => shards.find(shard => shard.cid === cid)?.bytes
}
const honest = lineageOf(plan, 5)

test('what a learner says of its batches can be drawn again by anybody', () => {
  const verdict = verifyLineage(honest, expected)
  assert.ok(verdict.valid)
  assert.deepEqual(drawBatch(verdict.plan, 4), drawBatch(plan, 4))
  assert.equal(honest.tokens, 5 * 4 * 64)
  assert.equal(
    honest.shards.reduce((sum, { samples }) => sum + samples, 0),
    20
  )
})

test('each lie in a lineage has its name', () => {
  const lies: [string, Partial<Lineage>, Partial<typeof expected>][] = [
    ['seed', { seed: '00'.repeat(32) }, {}],
    ['shard', { shards: [{ shard: rawCid(sha256(bytesOf('c'))).toString(), samples: 20 }] }, {}],
    ['form', { tokens: honest.tokens + 1 }, {}],
    ['form', { steps: 0 }, {}],
    ['form', { steps: 10_000_000, tokens: 64 * 10_000_000 }, {}],
    ['digest', { steps: 4, tokens: 4 * 4 * 64 }, {}],
    ['digest', {}, { slice: { index: 0, count: 2 } }],
    ['samples', { shards: honest.shards.map(({ shard }) => ({ shard, samples: 10 })) }, {}]
  ]
  for (const [reason, lie, other] of lies)
    assert.deepEqual(verifyLineage({ ...honest, ...lie }, { ...expected, ...other }), { valid: false, reason })
})

test('the author of a proposal chooses its own seed', () => {
  assert.equal(
    verifyLineage(lineageOf({ ...plan, seed: sha256(seed) }, 5), { ...expected, seed: undefined }).valid,
    true
  )
})
