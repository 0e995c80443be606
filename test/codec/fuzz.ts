import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type ErrorCode, isBlyanError } from '../../src/errors/index.ts'

/** Bytes that resemble `samples`: bits turned, parts cut, repeated or replaced; and bytes that resemble nothing. */
export function arbitraryDamage(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const flipped = fc
    .tuple(fc.constantFrom(...samples), fc.array(fc.nat(), { minLength: 1, maxLength: 4 }))
    .map(([sample, bits]) => {
      const bytes = Uint8Array.from(sample)
      for (const bit of bits) if (bytes.length > 0) bytes[(bit >> 3) % bytes.length]! ^= 1 << (bit & 7)
      return bytes
    })
  const spliced = fc
    .tuple(fc.constantFrom(...samples), fc.nat(), fc.nat(12), fc.uint8Array({ maxLength: 12 }))
    .map(([sample, at, cut, insert]) => {
      const place = sample.length === 0 ? 0 : at % sample.length
      return Uint8Array.from([...sample.subarray(0, place), ...insert, ...sample.subarray(place + cut)])
    })
  return fc.oneof(flipped, spliced, fc.uint8Array({ maxLength: 200 }))
}

/** Whatever the bytes, `decode` answers or throws a BlyanError with this code. */
export function refusesOnlyByName(
  decode: (bytes: Uint8Array) => unknown,
  samples: readonly Uint8Array[],
  code: ErrorCode = 'ENCODING_INVALID',
  numRuns = 1500
): void {
  for (const sample of samples) decode(sample)
  fc.assert(
    fc.property(arbitraryDamage(samples), bytes => {
      try {
        decode(bytes)
      } catch (error) {
        assert.ok(isBlyanError(error, code), `${Buffer.from(bytes).toString('hex')}: ${String(error)}`)
      }
    }),
    { numRuns }
  )
}
