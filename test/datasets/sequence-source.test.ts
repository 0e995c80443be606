import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSequenceSource, drawSequences } from '../../src/datasets/index.ts'
import { openNode, openStore } from '../tiles/support.ts'
import { bytesOf, sampleText } from './texts.ts'

const seed = new Uint8Array(32).fill(3)
const packed = (text: Uint8Array, shape = [text.length]) => ({
  name: 'text',
  dtype: 'int8' as const,
  shape,
  data: text
})

test('rows are the bytes at the places drawn, from more shards than may be open', async t => {
  const { tensors } = await openStore(t)
  const texts = Array.from({ length: 20 }, (_, index) => bytesOf(sampleText(3000, `shard ${index}`)))
  const infos = await Promise.all(texts.map(text => tensors.putTensor(packed(text))))
  const shards = infos.map(({ cid, dataLengthBytes }) => ({ cid, bytes: dataLengthBytes }))
  const source = createSequenceSource({ store: tensors, tokensOf: 'bytes' })
  t.after(() => source.close())
  const draws = drawSequences({ seed, shards, count: 200, bytesEach: source.bytesEach(64) })
  const tokens = await source.batch(draws, 64)
  for (const [row, { shard, offset }] of draws.entries()) {
    const text = texts[shards.findIndex(({ cid }) => cid === shard)]!
    assert.deepEqual([...tokens.subarray(row * 65, row * 65 + 65)], [...text.subarray(offset, offset + 65)])
  }
  assert.deepEqual(await source.text(shards[0]!), texts[0])
})

test('shards that are not here come from peers', async t => {
  const [holder, learner] = [await openNode(t), await openNode(t)]
  const text = bytesOf(sampleText(600_000, 'far'))
  const { cid } = await holder.tensors.putTensor(packed(text))
  await learner.libp2p.dial(holder.libp2p.getMultiaddrs())
  const source = createSequenceSource({ store: learner.tensors, tokensOf: 'bytes' })
  t.after(() => source.close())
  const tokens = await source.batch([{ shard: cid, offset: 500_000 }], 16)
  assert.deepEqual([...tokens], [...text.subarray(500_000, 500_017)])
})

test('a tokenizer gets whole characters and its numbers fill each row', async t => {
  const { tensors } = await openStore(t)
  const { cid } = await tensors.putTensor(packed(bytesOf('学习文字'.repeat(200))))
  const asked: string[] = []
  const tokensOf = (text: Uint8Array) => {
    asked.push(new TextDecoder().decode(text))
    return Uint32Array.from({ length: 5 }, (_, index) => 1000 + index)
  }
  const source = createSequenceSource({ store: tensors, tokensOf })
  t.after(() => source.close())
  const tokens = await source.batch([{ shard: cid, offset: 1 }], 7)
  assert.ok(asked[0]!.startsWith('习文'))
  assert.deepEqual([...tokens], [1000, 1001, 1002, 1003, 1004, 1000, 1001, 1002])
})

test('what is no shard, or shorter than the chain says, is refused by name', async t => {
  const { tensors } = await openStore(t)
  const text = bytesOf(sampleText(1000, 'short'))
  const short = await tensors.putTensor(packed(text))
  const matrix = await tensors.putTensor(packed(text.slice(0, 1000), [10, 100]))
  const source = createSequenceSource({ store: tensors, tokensOf: 'bytes' })
  t.after(() => source.close())
  const refusal = { code: 'SHARD_INVALID' }
  await assert.rejects(source.batch([{ shard: short.cid, offset: text.length - 10 }], 64), refusal)
  await assert.rejects(source.batch([{ shard: matrix.cid, offset: 0 }], 64), refusal)
  await assert.rejects(source.text({ cid: short.cid, bytes: 5000 }), refusal)
})

test('a peer that names something huge as a shard is left before it is fetched', async t => {
  const [holder, learner] = [await openNode(t), await openNode(t)]
  const huge = new Uint8Array(66 * 1024 * 1024)
  const { cid } = await holder.tensors.putTensor(packed(huge))
  await learner.libp2p.dial(holder.libp2p.getMultiaddrs())
  const source = createSequenceSource({ store: learner.tensors, tokensOf: 'bytes' })
  t.after(() => source.close())
  await assert.rejects(source.batch([{ shard: cid, offset: 0 }], 16), { code: 'SHARD_INVALID' })
  assert.deepEqual(learner.tensors.list(), [])
})

test('shards that nobody pinned leave the disk when others need the room, the oldest first', async t => {
  const { tensors } = await openStore(t)
  const source = createSequenceSource({ store: tensors, tokensOf: 'bytes', shelfSizeBytesMax: 4 * 1024 * 1024 })
  t.after(() => source.close())
  const cids: string[] = []
  for (let shard = 0; shard < 24; shard++) {
    const text = bytesOf(sampleText(1000, `shelf ${shard}`))
    const { cid } = await tensors.putTensor({ ...packed(text), name: 'text-shard' })
    if (shard === 0) await tensors.pin(cid)
    await source.ensure(cid, text.length)
    cids.push(cid)
  }
  // Sixteen are open, and stay; what nobody pinned before them is gone.
  assert.deepEqual(
    cids.map(cid => tensors.has(cid)),
    cids.map((_, shard) => shard === 0 || shard >= 8)
  )
  const { sizeBytes } = tensors.info(cids[20]!)!
  assert.ok(sizeBytes > 256 * 1024)
  const again = createSequenceSource({ store: tensors, tokensOf: 'bytes', shelfSizeBytesMax: 2.5 * sizeBytes })
  t.after(() => again.close())
  await again.ensure(cids[23]!, tensors.info(cids[23]!)!.dataLengthBytes)
  assert.equal(cids.filter(cid => tensors.has(cid)).length, 3)
})
