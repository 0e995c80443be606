import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { drawFromCorpora, drawSequences, type Shard } from '../../src/datasets/index.ts'

const seed = new Uint8Array(32).fill(7)
const shardOf = (cid: string, bytes: number): Shard => ({ cid, bytes })

test('the same seed draws the same places, another seed others', () => {
  const request = { seed, shards: [shardOf('a', 9000), shardOf('b', 3000)], count: 50, bytesEach: 129 }
  assert.deepEqual(drawSequences(request), drawSequences({ ...request, seed: new Uint8Array(seed) }))
  assert.notDeepEqual(drawSequences(request), drawSequences({ ...request, seed: new Uint8Array(32) }))
})

test('every sequence lies within its shard, whatever the sizes and the slice', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 300 }), fc.nat(3), (bytes, bytesEach, index) => {
      const shards = bytes.map((size, place) => shardOf(String(place), size))
      const places = bytes.reduce((sum, size) => sum + Math.max(0, size - bytesEach + 1), 0)
      fc.pre(places >= 4)
      for (const { shard, offset } of drawSequences({ seed, shards, count: 20, bytesEach, slice: { index, count: 4 } }))
        assert.ok(offset >= 0 && offset + bytesEach <= bytes[Number(shard)]!)
    })
  )
})

test('slices of different learners have no place in common and miss none', () => {
  const shards = [shardOf('a', 30), shardOf('b', 27)]
  const draw = (index: number) =>
    new Set(
      drawSequences({ seed, shards, count: 900, bytesEach: 8, slice: { index, count: 3 } }).map(
        ({ shard, offset }) => `${shard}${offset}`
      )
    )
  const slices = [draw(0), draw(1), draw(2)]
  assert.equal(new Set(slices.flatMap(slice => [...slice])).size, 23 + 20)
  assert.equal(slices[0]!.size + slices[1]!.size + slices[2]!.size, 23 + 20)
})

test('a shard is drawn from as often as it has places', () => {
  const drawn = drawSequences({ seed, shards: [shardOf('a', 3000), shardOf('b', 1000)], count: 4000, bytesEach: 1 })
  const share = drawn.filter(({ shard }) => shard === 'a').length / 4000
  assert.ok(Math.abs(share - 0.75) < 0.03, String(share))
})

test('sequences longer than every shard are refused by name', () => {
  const request = { seed, shards: [shardOf('a', 100)], count: 1, bytesEach: 101 }
  assert.throws(() => drawSequences(request), { code: 'DRAW_IMPOSSIBLE' })
  assert.throws(() => drawSequences({ ...request, bytesEach: 100, slice: { index: 4, count: 4 } }), {
    code: 'DRAW_IMPOSSIBLE'
  })
})

test('each corpus gives the same number of sequences, however large it is', () => {
  const corpora = [
    { account: 'one', corpus: 'small', shards: [shardOf('a', 2000)] },
    { account: 'two', corpus: 'large', shards: [shardOf('b', 900_000), shardOf('c', 900_000), shardOf('d', 900_000)] },
    { account: 'three', corpus: 'tiny', shards: [shardOf('e', 50)] }
  ]
  const drawn = drawFromCorpora({ seed, corpora, count: 100, bytesEach: 129, corporaMax: 8, shardsEachMax: 2 })
  const of = (corpus: string) => drawn.filter(draw => draw.corpus === corpus)
  assert.deepEqual([of('small').length, of('large').length, of('tiny').length], [50, 50, 0])
  assert.equal(new Set(of('large').map(({ shard }) => shard)).size, 2)
})

test('of many corpora some are chosen by lot, others for another seed', () => {
  const corpora = Array.from({ length: 30 }, (_, index) => ({
    account: `a${index}`,
    corpus: `c${index}`,
    shards: [shardOf(`s${index}`, 1000)]
  }))
  const chosen = (from: Uint8Array) =>
    new Set(
      drawFromCorpora({ seed: from, corpora, count: 64, bytesEach: 100, corporaMax: 8, shardsEachMax: 2 }).map(
        ({ corpus }) => corpus
      )
    )
  assert.equal(chosen(seed).size, 8)
  assert.notDeepEqual(chosen(seed), chosen(new Uint8Array(32)))
})

test('the draws are those of docs/protocol.md', () => {
  const shards = [shardOf('a', 1000), shardOf('b', 70_000)]
  const drawn = drawSequences({ seed, shards, count: 9, bytesEach: 129 })
  for (const [index, { shard, offset }] of drawn.entries()) {
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(index >> 2)
    const digest = createHash('sha256').update(seed).update(counter).digest()
    const place = Number((digest.readBigUInt64BE(8 * (index % 4)) * BigInt(872 + 69_872)) >> 64n)
    assert.deepEqual([shard, offset], place < 872 ? ['a', place] : ['b', place - 872])
  }
})
