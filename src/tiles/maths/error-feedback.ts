import { bytesEqual, sha256 } from '../../codec/index.ts'
import type { DeltaCodec, WarmStart } from './codecs/codec.ts'
import { type TileLayout, tileElements } from './tile-layout.ts'
import { littleEndian } from './value-digest.ts'

/**
 * What a learner's encoder keeps of one tile between rounds: what it could not say yet, and where low rank goes on.
 * Without it what a codec drops is lost for ever, and learning stalls.
 * Source: docs/design.md, "Deltas".
 */
export type Feedback = { readonly residual: Float32Array; readonly warm: WarmStart | undefined }

export type EncodedWithFeedback = {
  readonly bytes: Uint8Array
  /** What every decoder will read. */
  readonly decoded: Float32Array
  /** For the next round. */
  readonly feedback: Feedback
}

/**
 * Encodes delta + decay x what was left before. Clear the feedback (hand in undefined) when the delta before was not
 * adopted. Throws DELTA_INVALID when a value is not finite, RangeError when the feedback is of another tile.
 */
export function encodeWithFeedback(
  codec: DeltaCodec,
  delta: Float32Array,
  layout: TileLayout,
  feedback: Feedback | undefined,
  decay = 1
): EncodedWithFeedback {
  const before = feedback?.residual
  if (before !== undefined && before.length !== delta.length) throw new RangeError('feedback of another tile')
  const wanted = Float32Array.from(delta)
  if (before !== undefined && codec.usesErrorFeedback) {
    for (let at = 0; at < wanted.length; at++) wanted[at]! += decay * before[at]!
  }
  const { bytes, warm } = codec.encode(wanted, layout, feedback?.warm)
  const decoded = codec.decode(bytes, layout)
  const residual = wanted
  for (let at = 0; at < residual.length; at++) residual[at]! -= decoded[at]!
  return { bytes, decoded, feedback: { residual, warm } }
}

/**
 * Error feedback as bytes for a file that only its writer reads: magic, version, number of values and of warm factors, length
 * of each factor, the values, the factors, SHA-256 of all before. Little-endian.
 */
const magic = 0x46594c42
const version = 1
const headBytes = 16
const digestBytes = 32
/** A tile has a matrix for each row at worst. */
const factorsMax = tileElements

export function packFeedback({ residual, warm = [] }: Feedback): Uint8Array {
  const elements = residual.length + warm.reduce((sum, factor) => sum + factor.length, 0)
  const bytes = new Uint8Array(headBytes + 4 * warm.length + 4 * elements + digestBytes)
  const head = new Uint32Array([magic, version, residual.length, warm.length, ...warm.map(factor => factor.length)])
  const view = new DataView(bytes.buffer)
  for (const [at, value] of head.entries()) view.setUint32(4 * at, value, true)
  let offset = 4 * head.length
  for (const values of [residual, ...warm]) {
    bytes.set(littleEndian(values), offset)
    offset += 4 * values.length
  }
  bytes.set(sha256(bytes.subarray(0, offset)), offset)
  return bytes
}

/** Undefined for anything that `packFeedback` did not write whole: torn, changed, of another program. */
export function unpackFeedback(bytes: Uint8Array): Feedback | undefined {
  if (bytes.length < headBytes + digestBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [foundMagic, foundVersion, length, factorCount] = [0, 4, 8, 12].map(at => view.getUint32(at, true))
  if (foundMagic !== magic || foundVersion !== version || length! > tileElements) return undefined
  const listEnd = headBytes + 4 * factorCount!
  if (factorCount! > factorsMax || listEnd + digestBytes > bytes.length) return undefined
  const lengths = Array.from({ length: factorCount! }, (_, at) => view.getUint32(headBytes + 4 * at, true))
  const end = listEnd + 4 * lengths.reduce((sum, value) => sum + value, length!)
  if (end + digestBytes !== bytes.length) return undefined
  if (!bytesEqual(sha256(bytes.subarray(0, end)), bytes.subarray(end))) return undefined
  let offset = listEnd
  const take = (count: number): Float32Array => {
    const values = Float32Array.from({ length: count }, (_, at) => view.getFloat32(offset + 4 * at, true))
    offset += 4 * count
    return values
  }
  const residual = take(length!)
  const warm = lengths.map(take)
  return { residual, warm: warm.length === 0 ? undefined : warm }
}
