import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SignatureCheck, SignaturePool } from '../../src/codec/index.ts'
import { verifySignatureSync } from '../../src/codec/index.ts'
import { type SignedEvent, signEvent } from '../../src/dag/core/event.ts'
import { EventChecker } from '../../src/dag/event-checker.ts'
import { vertexOf } from '../consensus/dag-builder.ts'
import { alice, bob } from './small-network.ts'

const genesisDigest = new Uint8Array(32).fill(5)

function noteOf(logicalClock: number, key = alice): SignedEvent {
  const payload = new TextEncoder().encode(`note ${logicalClock}`)
  const rest = { tenantId: '', region: 'eu', origin: 'home', createdAtMs: 1, type: 'note' }
  return signEvent({ ...rest, logicalClock, payload, author: key.publicKey }, key, genesisDigest)
}

const vertexWith = (events: readonly Uint8Array[]) => vertexOf({ author: 0, round: 1, parents: [], events })

/** Verifies, and counts what it was asked for. */
function countingPool(): SignaturePool & { count: number } {
  const pool = {
    count: 0,
    verify: async (checks: readonly SignatureCheck[]) => {
      pool.count += checks.length
      return checks.map(({ publicKey, message, signature }) => verifySignatureSync(publicKey, message, signature))
    },
    close: async () => {}
  }
  return pool
}

test('an event that was verified when it was submitted is not verified again in the vertex that brings it', async () => {
  const pool = countingPool()
  const checker = new EventChecker(genesisDigest, pool)
  const events = [noteOf(1), noteOf(2), noteOf(1, bob)]
  assert.deepEqual(await checker.verify(events.slice(0, 2)), [true, true])
  const vertex = vertexWith(events.map(({ bytes }) => Uint8Array.from(bytes)))
  assert.equal(await checker.check(vertex), true)
  assert.equal(pool.count, 3)
  assert.deepEqual(
    checker.eventsOf(vertex).map(({ digest }) => digest),
    events.map(({ digest }) => digest)
  )
})

test('bytes that only begin like a verified event are verified, and refused', async () => {
  const checker = new EventChecker(genesisDigest)
  const event = noteOf(1)
  assert.deepEqual(await checker.verify([event]), [true])
  const other = Uint8Array.from([...event.signature, ...noteOf(2).bytes.subarray(64)])
  assert.equal(await checker.check(vertexWith([other])), false)
  assert.equal(await checker.check(vertexWith([event.bytes])), true)
})

test('a wrong event is not remembered as a right one', async () => {
  const checker = new EventChecker(genesisDigest)
  const event = noteOf(1)
  const wrong = { ...event, signature: noteOf(2).signature, bytes: Uint8Array.from(event.bytes) }
  wrong.bytes.set(wrong.signature)
  assert.deepEqual(await checker.verify([wrong, event]), [false, true])
  assert.equal(await checker.check(vertexWith([event.bytes, wrong.bytes])), false)
})

test('a vertex whose number of events is not the one it names is refused', async () => {
  const checker = new EventChecker(genesisDigest)
  const vertex = vertexOf({ author: 0, round: 1, parents: [], events: [noteOf(1).bytes], header: { eventCount: 2 } })
  assert.equal(await checker.check(vertex), false)
})
