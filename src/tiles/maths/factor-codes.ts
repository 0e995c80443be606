import { deltaInvalid } from './codecs/codec.ts'
import { readScale, requireScale, scaleFor } from './scaled-blocks.ts'

/** A factor of low rank as small whole numbers: each column (one a rank) has a scale of its own. */
export type ScaledCodes = {
  readonly rank: number
  /** One a column. */
  readonly scales: Float32Array
  /** Row by row. */
  readonly codes: Int8Array
}

export type CodeBits = 8 | 4

/** A scale (16 bits) of each rank, then a code of each row and rank. */
export function factorSideBytes(rows: number, rank: number, codeBits: CodeBits): number {
  return 2 * rank + Math.ceil((rows * rank * codeBits) / 8)
}

export function scaleColumns(factor: Float32Array, rank: number, codeBits: CodeBits): ScaledCodes {
  const codeMax = codeMaxOf(codeBits)
  const scales = new Float32Array(rank)
  for (let at = 0; at < factor.length; at++) {
    const column = at % rank
    scales[column] = Math.max(scales[column]!, Math.abs(factor[at]!))
  }
  for (let column = 0; column < rank; column++) scales[column] = readScale(scaleFor(scales[column]!, codeMax))
  const codes = new Int8Array(factor.length)
  for (let at = 0; at < factor.length; at++) {
    const scale = scales[at % rank]!
    if (scale > 0) codes[at] = Math.max(-codeMax, Math.min(codeMax, Math.round(factor[at]! / scale)))
  }
  return { rank, scales, codes }
}

/** code x scale, rounded to fp32. */
export function unscaleColumns({ rank, scales, codes }: ScaledCodes): Float32Array<ArrayBuffer> {
  const factor = new Float32Array(codes.length)
  for (let at = 0; at < codes.length; at++) factor[at] = codes[at]! * scales[at % rank]!
  return factor
}

/** Of two 4-bit codes in a byte the first has the low bits. */
export function codesToBytes({ scales, codes, rank }: ScaledCodes, codeBits: CodeBits, bytes: Uint8Array): void {
  for (let column = 0; column < rank; column++) {
    // The scales are exactly their 16 bits.
    const halfBits = scaleFor(scales[column]!, 1)
    bytes[2 * column] = halfBits & 255
    bytes[2 * column + 1] = halfBits >>> 8
  }
  const start = 2 * rank
  for (let at = 0; at < codes.length; at++) {
    if (codeBits === 8) bytes[start + at] = codes[at]!
    else bytes[start + (at >> 1)]! |= (codes[at]! & 15) << (4 * (at & 1))
  }
}

/** Throws DELTA_INVALID for a scale that is negative or not finite, and for a code that no encoder writes. */
export function codesFromBytes(bytes: Uint8Array, rows: number, rank: number, codeBits: CodeBits): ScaledCodes {
  const scales = Float32Array.from({ length: rank }, (_, at) => readScale(bytes[2 * at]! | (bytes[2 * at + 1]! << 8)))
  for (const scale of scales) requireScale(scale)
  const start = 2 * rank
  const codes = new Int8Array(rows * rank)
  const shift = 32 - codeBits
  for (let at = 0; at < codes.length; at++) {
    const raw = codeBits === 8 ? bytes[start + at]! : bytes[start + (at >> 1)]! >> (4 * (at & 1))
    codes[at] = (raw << shift) >> shift
  }
  if (codes.includes(-codeMaxOf(codeBits) - 1)) throw deltaInvalid('a factor has a code out of range')
  if (codeBits === 4 && codes.length % 2 === 1 && bytes[start + (codes.length >> 1)]! > 15) {
    throw deltaInvalid('the bits after the last code are set')
  }
  return { rank, scales, codes }
}

function codeMaxOf(codeBits: CodeBits): number {
  return 2 ** (codeBits - 1) - 1
}
