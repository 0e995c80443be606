import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stream } from '@libp2p/interface'
import { createFeedSender } from '../../src/net/feed.ts'
import { networkLimits } from '../../src/net/protocols.ts'

/** A stream whose reader takes nothing until it is let. */
function slowStream() {
  const sent: Uint8Array[] = []
  const events = new EventTarget()
  const stream = Object.assign(events, {
    status: 'open',
    writableNeedsDrain: true,
    send: (bytes: Uint8Array) => sent.push(bytes) < 0,
    close: async () => {}
  })
  const letGo = (): void => {
    stream.writableNeedsDrain = false
    events.dispatchEvent(new Event('drain'))
  }
  // Frames as large as these come with their length before them, on its own.
  return { stream: stream as unknown as Stream, framesSent: () => sent.filter(bytes => bytes.length > 4), letGo }
}

test('to a peer that reads too slowly the oldest frames are dropped and the newest kept', async () => {
  const { stream, framesSent, letGo } = slowStream()
  const feed = createFeedSender(
    async () => stream,
    () => {}
  )
  const frameBytes = 1024 * 1024
  const count = 100
  for (let i = 0; i < count; i++) {
    feed.push(new Uint8Array(frameBytes).fill(i))
    await new Promise(setImmediate)
  }
  letGo()
  while (framesSent().at(-1)?.[0] !== count - 1) await new Promise(setImmediate)
  const kept = networkLimits.feedQueueBytesMax / frameBytes
  assert.deepEqual(
    framesSent().map(frame => frame[0]),
    [0, ...Array.from({ length: kept }, (_, i) => count - kept + i)]
  )
})

test('frames arrive in the order they were pushed, also those pushed before the stream was there', async () => {
  const sent: Uint8Array[] = []
  const stream = { send: (bytes: Uint8Array) => sent.push(bytes) > 0, close: async () => {} } as unknown as Stream
  const feed = createFeedSender(
    async () => {
      await new Promise(setImmediate)
      return stream
    },
    () => {}
  )
  for (let i = 0; i < 20; i++) feed.push(Uint8Array.of(i))
  while (sent.length < 20) await new Promise(setImmediate)
  assert.deepEqual(
    sent.map(frame => frame[4]),
    Array.from({ length: 20 }, (_, i) => i)
  )
})

test('a feed whose stream fails takes nothing for a while, then begins again and says so once', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const sent: Uint8Array[] = []
  const stream = { send: (bytes: Uint8Array) => sent.push(bytes) > 0, close: async () => {}, abort: () => {} }
  let isBroken = true
  let reopened = 0
  const feed = createFeedSender(
    async () => {
      if (isBroken) throw new Error('no')
      return stream as unknown as Stream
    },
    () => reopened++
  )
  feed.push(Uint8Array.of(1))
  await new Promise(setImmediate)
  feed.push(Uint8Array.of(2))
  await new Promise(setImmediate)
  assert.equal(reopened, 0)
  t.mock.timers.tick(networkLimits.reopenFeedMs)
  assert.equal(reopened, 1)
  isBroken = false
  feed.push(Uint8Array.of(3))
  await new Promise(setImmediate)
  assert.deepEqual(
    sent.map(bytes => bytes.at(-1)),
    [3]
  )
})

test('a feed whose stream the peer ends begins again; what an older stream says late does not end the new one', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const ends: (() => void)[] = []
  const sent: number[] = []
  let reopened = 0
  const feed = createFeedSender(
    async onEnd => {
      ends.push(onEnd)
      const place = ends.length
      return { send: () => sent.push(place) > 0, close: async () => {}, abort: () => {} } as unknown as Stream
    },
    () => reopened++
  )
  feed.push(Uint8Array.of(1))
  await new Promise(setImmediate)
  ends[0]!()
  t.mock.timers.tick(networkLimits.reopenFeedMs)
  feed.push(Uint8Array.of(2))
  await new Promise(setImmediate)
  ends[0]!()
  feed.push(Uint8Array.of(3))
  await new Promise(setImmediate)
  assert.deepEqual({ reopened, sent }, { reopened: 1, sent: [1, 2, 2] })
  feed.close()
  ends[1]!()
  t.mock.timers.tick(networkLimits.reopenFeedMs)
  assert.equal(reopened, 1)
})
