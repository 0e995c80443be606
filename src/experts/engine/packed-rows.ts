import { BlyanError } from '../../errors/index.ts'
import type { Frame } from './frame-channel.ts'
import { bytesField, floatBytes, floatsField, integersField, textsField } from './frame-fields.ts'

/** Rows of several experts in one message: one run of bytes, and how many values belong to each. */

export function packLoads(loads: readonly { readonly name: string; readonly rows: Float32Array }[]): Frame {
  return { names: loads.map(load => load.name), ...packResults(loads.map(load => load.rows)) }
}

export function unpackLoads(frame: Frame): { name: string; rows: Float32Array }[] {
  const names = textsField(frame, 'names')
  const results = unpackResults(frame)
  if (names.length !== results.length) throw invalid('"names" and "lengths" differ in number')
  return names.map((name, i) => ({ name, rows: results[i]! }))
}

export function packResults(results: readonly Float32Array[]): Frame {
  return { lengths: results.map(values => values.length), values: floatBytes(joinRows(results)) }
}

/** Views into one copy. Throws ENGINE_REQUEST_INVALID when lengths and bytes do not fit. */
export function unpackResults(frame: Frame): Float32Array[] {
  const lengths = integersField(frame, 'lengths')
  const values = floatsField(frame, 'values')
  const total = lengths.reduce((sum, length) => sum + (length < 0 ? Number.NaN : length), 0)
  if (total !== values.length) throw invalid('"values" is not as long as "lengths" say')
  return cut(values, lengths)
}

/** Whole numbers below 2^32 as little-endian bytes, a view on a little-endian machine. */
export function wordBytes(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

export function wordsField(frame: Frame, name: string): Uint32Array {
  const bytes = bytesField(frame, name)
  if (bytes.length % 4 !== 0) throw invalid(`"${name}" is not words of four bytes`)
  return bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    : new Uint32Array(Uint8Array.from(bytes).buffer)
}

/** Consecutive views of these lengths. */
export function cut<Values extends Float32Array | Uint32Array>(values: Values, lengths: readonly number[]): Values[] {
  let end = 0
  return lengths.map(length => {
    end += length
    return values.subarray(end - length, end) as Values
  })
}

export function joinRows(arrays: readonly Float32Array[]): Float32Array {
  if (arrays.length === 1) return arrays[0]!
  const all = new Float32Array(arrays.reduce((sum, values) => sum + values.length, 0))
  let at = 0
  for (const values of arrays) {
    all.set(values, at)
    at += values.length
  }
  return all
}

function invalid(reason: string): BlyanError {
  return new BlyanError('ENGINE_REQUEST_INVALID', { reason })
}
