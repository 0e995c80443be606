import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as dagCbor from '@ipld/dag-cbor'
import fc from 'fast-check'
import { cidOfObject, encodeCanonical } from '../../src/codec/index.ts'

const plain = (bytes: Uint8Array) => new Uint8Array(bytes)
const byTheLibrary = (value: unknown) => plain(dagCbor.encode(value))

const anything = fc.anything({
  key: fc.oneof(
    fc.constantFrom('', '/', 'asCID', 'bytes', '__proto__', 'ä', 'aa', 'b'),
    fc.string({ unit: 'grapheme' })
  ),
  maxDepth: 5,
  withBigInt: true,
  withTypedArray: true,
  withUnicodeString: true,
  values: [
    fc.constantFrom(
      0,
      -0,
      23,
      24,
      255,
      256,
      65_535,
      65_536,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 53 - 1,
      -(2 ** 53 - 1),
      2 ** 53
    ),
    fc.double(),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constantFrom(null, undefined, new Map([['a', 1]]), cidOfObject(Uint8Array.of(1)), new Date(0), Buffer.from([1])),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'binary-ascii', maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 })
  ]
})

test('every value is written as the library writes it, and refused as it refuses it', () => {
  let written = 0
  fc.assert(
    fc.property(anything, value => {
      let expected: Uint8Array | undefined
      try {
        expected = byTheLibrary(value)
      } catch {
        assert.throws(() => encodeCanonical(value as never))
        return
      }
      written++
      assert.deepEqual(plain(encodeCanonical(value as never)), expected)
    }),
    { numRuns: 6000 }
  )
  assert.ok(written > 1000, `${written} could be written`)
})

test('values of any size are whole, and a small one after a large one is small', () => {
  for (const sizeBytes of [4000, 4095, 4096, 5000, 70_000, 3_000_000]) {
    const value = { list: [new Uint8Array(sizeBytes).fill(7), 'x'.repeat(sizeBytes)], more: sizeBytes }
    assert.deepEqual(plain(encodeCanonical(value)), byTheLibrary(value))
    const small = encodeCanonical([1])
    assert.deepEqual(plain(small), Uint8Array.of(0x81, 1))
    assert.equal(small.buffer.byteLength, 2)
  }
})

test('what goes round in circles is refused', () => {
  const circle: unknown[] = []
  circle.push(circle)
  assert.throws(() => encodeCanonical(circle as never))
})
