import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stream } from '@libp2p/interface'
import fc from 'fast-check'
import { isBlyanError } from '../../src/errors/index.ts'
import { readFrame, readFrames, writeFrame } from '../../src/net/framing.ts'

/** The reading side of a stream that brings these chunks. */
function streamOf(chunks: readonly Uint8Array[]): Stream {
  return {
    async *[Symbol.asyncIterator]() {
      yield* chunks
    }
  } as unknown as Stream
}

async function written(frames: readonly Uint8Array[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  const stream = { send: (bytes: Uint8Array) => parts.push(bytes) > 0 } as unknown as Stream
  for (const frame of frames) await writeFrame(stream, frame)
  return new Uint8Array(Buffer.concat(parts))
}

async function framesOf(chunks: readonly Uint8Array[], frameBytesMax = 1000): Promise<number[][]> {
  const frames: number[][] = []
  for await (const frame of readFrames(streamOf(chunks), frameBytesMax)) frames.push([...frame])
  return frames
}

test('frames come out as they went in, however the stream is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      async (frames, cuts) => {
        const bytes = await written(frames)
        const chunks: Uint8Array[] = []
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length]!
          chunks.push(bytes.subarray(at, at + size))
          at += size
        }
        assert.deepEqual(
          await framesOf(chunks),
          frames.map(frame => [...frame])
        )
      }
    )
  )
})

test('an empty frame is a frame, also the last one of a stream', async () => {
  assert.deepEqual(await framesOf([await written([new Uint8Array(0)])]), [[]])
  assert.deepEqual([...(await readFrame(streamOf([new Uint8Array(4)]), 10))], [])
})

test('a frame over the limit is refused by its length alone', async () => {
  const head = new Uint8Array(4)
  for (const size of [1001, 0xffffffff]) {
    new DataView(head.buffer).setUint32(0, size)
    const before = process.memoryUsage().arrayBuffers
    await assert.rejects(framesOf([head]), error => isBlyanError(error, 'FRAME_TOO_LARGE'))
    assert.ok(process.memoryUsage().arrayBuffers - before < 1e6)
  }
  assert.equal((await framesOf([await written([new Uint8Array(1000)])]))[0]!.length, 1000)
})

test('a stream that ends inside a frame is refused, one that ends between frames is not', async () => {
  const bytes = await written([Uint8Array.of(1, 2, 3), Uint8Array.of(4)])
  for (let length = 0; length <= bytes.length; length++) {
    if ([0, 7, 12].includes(length)) await framesOf([bytes.subarray(0, length)])
    else
      await assert.rejects(
        framesOf([bytes.subarray(0, length)]),
        error => isBlyanError(error, 'FRAME_TRUNCATED'),
        `${length}`
      )
  }
})

test('a stream with no frame gives none', async () => {
  await assert.rejects(readFrame(streamOf([]), 10), error => isBlyanError(error, 'FRAME_TRUNCATED'))
})

test('a small frame leaves as one piece, a large one is not copied', async () => {
  const pieces: Uint8Array[] = []
  const stream = { send: (bytes: Uint8Array) => pieces.push(bytes) > 0 } as unknown as Stream
  const large = new Uint8Array(1 << 20)
  await writeFrame(stream, new Uint8Array(100))
  await writeFrame(stream, large)
  assert.deepEqual(
    pieces.map(piece => piece.length),
    [104, 4, 1 << 20]
  )
  assert.equal(pieces[2], large)
})
