import { hash } from 'node:crypto'
import * as dagCbor from '@ipld/dag-cbor'
import { BlyanError } from '../errors/index.ts'
import { CanonicalReader, NotCanonical } from './canonical-reader.ts'
import type { CanonicalValue } from './canonical-value.ts'
import { CanonicalWriter } from './canonical-writer.ts'

export type { CanonicalValue }

export type DecodeLimits = {
  /** Refuse longer input before looking at it. */
  readonly sizeBytesMax: number
  /** Refuse more numbers, texts, lists, maps, keys and so on than this; 131,072 unless told. */
  readonly itemsMax?: number
}

/** A decoder of one byte after the other takes seconds for megabytes of items, and hundreds of megabytes. */
const itemsMaxDefault = 1 << 17
const depthMax = 32

const writer = new CanonicalWriter()

/** The one encoding of a value (DAG-CBOR: sorted keys, shortest lengths). */
export function encodeCanonical(value: CanonicalValue): Uint8Array {
  return writer.write(value) ?? dagCbor.encode(value)
}

/**
 * Decodes bytes that must be exactly what `encodeCanonical` would have written.
 * Throws ENCODING_INVALID for anything longer than the limit, malformed, too deep, of too many items or not canonical.
 */
export function decodeCanonical(bytes: Uint8Array, limits: DecodeLimits): CanonicalValue {
  if (bytes.length > limits.sizeBytesMax) throw invalid(`${bytes.length} bytes are more than ${limits.sizeBytesMax}`)
  try {
    return new CanonicalReader(bytes, { depthMax, itemsMax: limits.itemsMax ?? itemsMaxDefault }).readAll()
  } catch (error) {
    if (error instanceof NotCanonical) throw invalid(error.message, error)
    throw error
  }
}

/** SHA-256, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  // Through a string: a Buffer for each digest takes longer, and its memory is not the garbage collector's own.
  const text = hash('sha256', bytes, 'binary')
  const digest = new Uint8Array(32)
  for (let place = 0; place < 32; place++) digest[place] = text.charCodeAt(place)
  return digest
}

/** SHA-256 as 64 hex digits: what bytes are named by. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}

function invalid(reason: string, cause?: unknown): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason }, { cause })
}
