import { sha256 } from '../../codec/index.ts'

/** Draws unsigned 32-bit integers. */
export type IntegerGenerator = () => number

/**
 * xoshiro128** seeded with the first 16 bytes (four little-endian words) of SHA-256 of `text` in UTF-8.
 * Integer arithmetic only, so every machine draws the same numbers. Not for secrets.
 * Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2021).
 */
export function createIntegerGenerator(text: string): IntegerGenerator {
  const digest = sha256(new TextEncoder().encode(text))
  const view = new DataView(digest.buffer, digest.byteOffset, 16)
  let s0 = view.getUint32(0, true)
  let s1 = view.getUint32(4, true)
  let s2 = view.getUint32(8, true)
  let s3 = view.getUint32(12, true)
  return () => {
    const drawn = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0
    const shifted = s1 << 9
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = rotateLeft(s3, 11)
    return drawn
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
