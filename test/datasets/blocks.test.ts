import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concatBytes, sha256, sha256Hex } from '../../src/codec/index.ts'
import { blocksOf, checkShard, isHeldOut, readTexts } from '../../src/datasets/index.ts'
import { bytesOf, sampleText } from './texts.ts'

const hashesOf = (bytes: Uint8Array) => [...blocksOf(bytes)].map(block => sha256Hex(block))

const arbitraryText = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 1e6 }).map(seed => sampleText(700, String(seed))),
      fc.integer({ min: 1, max: 900 }).map(length => '学习文字'.repeat(length)),
      fc.integer({ min: 1, max: 9000 }).map(length => 'x'.repeat(length)),
      fc.constant('\0')
    ),
    { minLength: 1, maxLength: 8 }
  )
  .map(parts => bytesOf(`${parts.join('')}\0`))

test('blocks put together are the text, and none is longer than 4096 bytes', () => {
  fc.assert(
    fc.property(arbitraryText, bytes => {
      const blocks = [...blocksOf(bytes)]
      assert.deepEqual(concatBytes(...blocks), bytes)
      assert.ok(blocks.every(block => block.length >= 1 && block.length <= 4096))
    }),
    { numRuns: 30 }
  )
})

test('any choice of blocks packed together is cut into the same blocks again', () => {
  fc.assert(
    fc.property(arbitraryText, fc.integer({ min: 1, max: 255 }), (bytes, mask) => {
      const kept = [...blocksOf(bytes)].filter((_, index) => (mask >> (index % 8)) & 1)
      assert.deepEqual(
        hashesOf(concatBytes(...kept)),
        kept.map(block => sha256Hex(block))
      )
    }),
    { numRuns: 50 }
  )
})

test('a byte put before a text changes its first blocks only', () => {
  const text = sampleText(200_000, 'shift')
  const before = new Set(hashesOf(bytesOf(text)))
  const after = hashesOf(bytesOf(`x${text}`))
  const same = after.filter(hash => before.has(hash)).length
  assert.ok(same >= before.size - 4, `${same} of ${before.size} blocks are the same`)
})

test('about one block in sixteen is held out', () => {
  const digests = [...blocksOf(bytesOf(sampleText(700_000, 'share')))].map(block => sha256(block))
  const share = digests.filter(isHeldOut).length / digests.length
  assert.ok(share > 1 / 24 && share < 1 / 11, `${share} of ${digests.length} blocks`)
})

test('held-out text inside a training shard is found by whoever has the shard', () => {
  const blocks = [...blocksOf(bytesOf(sampleText(300_000, 'hidden')))]
  const heldOut = blocks.filter(block => isHeldOut(sha256(block)))
  const training = blocks.filter(block => !isHeldOut(sha256(block)))
  assert.equal(checkShard(concatBytes(...training), 'training').wrongBlocks, 0)
  assert.equal(checkShard(concatBytes(...heldOut), 'heldOut').wrongBlocks, 0)
  const mixed = concatBytes(...training.slice(0, 9), ...heldOut.slice(0, 3), ...training.slice(9))
  assert.equal(checkShard(mixed, 'training').wrongBlocks, 3)
})

test('the cut is the one of docs/protocol.md, byte for byte', () => {
  const digest = sha256(bytesOf(hashesOf(bytesOf(sampleText(100_000, 'golden'))).join(' ')))
  assert.equal(Buffer.from(digest).toString('hex').slice(0, 16), '87476b15c1c7ff4d')
})

test('however text arrives in pieces, it is read into the same blocks', async () => {
  const text = bytesOf(`${sampleText(30_000, 'pieces')}${'学习文字 '.repeat(900)}😀é`)
  async function* files(sizes: readonly number[]) {
    async function* chunks() {
      for (let start = 0, turn = 0; start < text.length; turn++) {
        const size = sizes[turn % sizes.length]!
        yield text.slice(start, start + size)
        start += size
      }
    }
    yield { path: 'a', chunks: chunks() }
  }
  const wanted = hashesOf(concatBytes(text, Uint8Array.of(0)))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 300, max: 9000 }), { minLength: 1, maxLength: 5 }), async sizes => {
      const found: string[] = []
      for await (const { bytes } of readTexts({ files: files(sizes), limits: { bytesMax: 1e9 } }))
        found.push(sha256Hex(bytes))
      assert.deepEqual(found, [...new Set(wanted)])
    }),
    { numRuns: 12 }
  )
})
