import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeCanonical, encodeCanonical } from '../../src/codec/index.ts'
import { readPlainEnvelope } from '../../src/dag/core/envelope-reader.ts'
import { type EventEnvelope, encodeEnvelope } from '../../src/dag/core/event.ts'
import { arbitraryDamage } from '../codec/fuzz.ts'

const arbitraryNumber = fc.oneof(
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat()
)
const arbitraryPlain: fc.Arbitrary<EventEnvelope> = fc.record(
  {
    tenantId: fc.string({ unit: 'binary-ascii', maxLength: 64 }),
    logicalClock: arbitraryNumber,
    region: fc.string({ unit: 'binary-ascii', maxLength: 30 }),
    origin: fc.string({ unit: 'binary-ascii', maxLength: 30 }),
    createdAtMs: arbitraryNumber,
    type: fc.constantFrom('note', 'transfer', 'a-very-long-type-of-32-letters-x'),
    payload: fc.oneof(fc.uint8Array({ maxLength: 400 }), fc.constant(new Uint8Array(65_535))),
    author: fc.oneof(fc.uint8Array({ minLength: 34, maxLength: 34 }), fc.uint8Array({ minLength: 35, maxLength: 35 }))
  },
  { noNullPrototype: true }
)

/** What the general decoder makes of the same bytes; undefined when it refuses them. */
function generally(bytes: Uint8Array): unknown {
  try {
    const { createdAt, ...rest } = decodeCanonical(bytes, { sizeBytesMax: 1 << 17 }) as Record<string, unknown>
    return { ...rest, createdAtMs: createdAt }
  } catch {
    return undefined
  }
}

test('an ordinary envelope is read at once, and as it was written', () => {
  fc.assert(
    fc.property(arbitraryPlain, envelope => assert.deepEqual(readPlainEnvelope(encodeEnvelope(envelope)), envelope)),
    { numRuns: 400 }
  )
})

test('whatever is read at once is what the general decoder reads: nothing is taken that it refuses', () => {
  const plain: EventEnvelope = {
    tenantId: '',
    logicalClock: 7,
    region: 'eu',
    origin: 'home',
    createdAtMs: 1_790_000_000_000,
    type: 'note',
    payload: new Uint8Array(30),
    author: new Uint8Array(34)
  }
  const samples = [
    plain,
    { ...plain, logicalClock: 300, payload: new Uint8Array(300), tenantId: 'x'.repeat(30) },
    { ...plain, logicalClock: 70_000, createdAtMs: 2 ** 33, payload: new Uint8Array(0) }
  ].map(encodeEnvelope)
  let read = 0
  fc.assert(
    fc.property(arbitraryDamage(samples), bytes => {
      const found = readPlainEnvelope(bytes)
      if (found === undefined) return
      read++
      assert.deepEqual(found, generally(bytes), Buffer.from(bytes).toString('hex'))
    }),
    { numRuns: 8000 }
  )
  assert.ok(read > 100, `${read} were read`)
})

test('numbers and lengths in more bytes than they need, texts beyond ASCII and other maps are left to the decoder', () => {
  const right = encodeCanonical({
    tenantId: '',
    logicalClock: 7,
    region: 'eu',
    origin: 'home',
    createdAt: 24,
    type: 'note',
    payload: Uint8Array.of(1),
    author: new Uint8Array(34)
  })
  const hex = Buffer.from(right).toString('hex')
  const changed = (from: string, to: string) => {
    assert.ok(hex.includes(from))
    return new Uint8Array(Buffer.from(hex.replace(from, to), 'hex'))
  }
  assert.ok(readPlainEnvelope(right))
  const others = [
    changed('6c6f676963616c436c6f636b07', '6c6f676963616c436c6f636b1807'),
    changed('637265617465644174'.concat('1818'), '637265617465644174'.concat('190018')),
    changed('646e6f7465', '78046e6f7465'),
    changed('4101', '580101'),
    changed('4101', '60'),
    changed('6265 75'.replace(' ', ''), '62c3a4'),
    changed('a8', 'a9'),
    right.subarray(0, -1),
    Uint8Array.of(...right, 0)
  ]
  for (const bytes of others) assert.equal(readPlainEnvelope(bytes), undefined)
})
