import { deltaInvalid } from './codecs/codec.ts'

/**
 * Values as small whole numbers, each block with one scale. The scale is the upper half of an fp32 (bfloat16), rounded up so
 * that the largest value of the block still fits.
 */
export function scaleFor(largest: number, codeMax: number): number {
  float[0] = largest / codeMax
  const bits = word[0]!
  return (bits >>> 16) + ((bits & 0xffff) === 0 ? 0 : 1)
}

/** The number that those 16 bits stand for. */
export function readScale(halfBits: number): number {
  word[0] = halfBits << 16
  return float[0]!
}

export function requireScale(scale: number): void {
  if (!(scale >= 0 && scale < Number.POSITIVE_INFINITY) || Object.is(scale, -0)) {
    throw deltaInvalid('a scale is negative or not finite')
  }
}

export type BlockRule = { readonly codeBits: 8 | 4; readonly blockElements: number }

export function scaledBytes(length: number, { codeBits, blockElements }: BlockRule): number {
  return 2 * Math.ceil(length / blockElements) + Math.ceil((length * codeBits) / 8)
}

/** All scales (16 bits each, little-endian), then all codes; of two 4-bit codes in a byte the first has the low bits. */
export function encodeScaled(values: Float32Array, rule: BlockRule): Uint8Array {
  const { codeBits, blockElements } = rule
  const codeMax = codeMaxOf(rule)
  const bytes = new Uint8Array(scaledBytes(values.length, rule))
  const codesAt = 2 * Math.ceil(values.length / blockElements)
  for (let start = 0, block = 0; start < values.length; start += blockElements, block++) {
    const end = Math.min(values.length, start + blockElements)
    let largest = 0
    // Zero for a number, NaN for all else.
    let spoiled = 0
    for (let at = start; at < end; at++) {
      const magnitude = Math.abs(values[at]!)
      spoiled += magnitude - magnitude
      if (magnitude > largest) largest = magnitude
    }
    if (spoiled !== 0) throw deltaInvalid('a value is not finite')
    const halfBits = scaleFor(largest, codeMax)
    bytes[2 * block] = halfBits & 255
    bytes[2 * block + 1] = halfBits >>> 8
    const scale = readScale(halfBits)
    if (scale === 0) continue
    const inverse = 1 / scale
    if (codeBits === 8) {
      for (let at = start; at < end; at++) bytes[codesAt + at] = roundHalfUp(values[at]! * inverse)
    } else {
      for (let at = start; at < end; at++) {
        bytes[codesAt + (at >> 1)]! |= (roundHalfUp(values[at]! * inverse) & 15) << (4 * (at & 1))
      }
    }
  }
  return bytes
}

/** code x scale. Throws DELTA_INVALID for another length and for what no encoder writes. */
export function decodeScaled(bytes: Uint8Array, length: number, rule: BlockRule): Float32Array<ArrayBuffer> {
  if (bytes.length !== scaledBytes(length, rule)) {
    throw deltaInvalid(`${bytes.length} bytes where ${scaledBytes(length, rule)} belong`)
  }
  const { codeBits, blockElements } = rule
  const codeMax = codeMaxOf(rule)
  const codesAt = 2 * Math.ceil(length / blockElements)
  const values = new Float32Array(length)
  let lowest = 0
  let largestScale = 0
  for (let start = 0, block = 0; start < length; start += blockElements, block++) {
    const end = Math.min(length, start + blockElements)
    const scale = readScale(bytes[2 * block]! | (bytes[2 * block + 1]! << 8))
    requireScale(scale)
    largestScale = Math.max(largestScale, scale)
    if (codeBits === 8) {
      for (let at = start; at < end; at++) {
        const code = (bytes[codesAt + at]! << 24) >> 24
        if (code < lowest) lowest = code
        values[at] = code * scale
      }
    } else {
      for (let at = start; at < end; at++) {
        const code = (bytes[codesAt + (at >> 1)]! << (28 - 4 * (at & 1))) >> 28
        if (code < lowest) lowest = code
        values[at] = code * scale
      }
    }
  }
  if (lowest < -codeMax) throw deltaInvalid(`a code is below ${-codeMax}`)
  if (codeBits === 4 && length % 2 === 1 && bytes.at(-1)! > 15)
    throw deltaInvalid('the bits after the last code are set')
  if (!Number.isFinite(Math.fround(largestScale * codeMax))) throw deltaInvalid('a scale is too large')
  return values
}

function codeMaxOf({ codeBits }: BlockRule): number {
  return 2 ** (codeBits - 1) - 1
}

/** Math.round, of numbers that fit 32 bits. */
function roundHalfUp(value: number): number {
  return Math.floor(value + 0.5)
}

const word = new Uint32Array(1)
const float = new Float32Array(word.buffer)
