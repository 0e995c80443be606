import { hash } from 'node:crypto'
import * as dagCbor from '@ipld/dag-cbor'
import type { CID } from 'multiformats/cid'
import { BlyanError } from '../errors/index.ts'
import { bytesEqual } from './bytes.ts'

/** What DAG-CBOR can hold. Integers beyond 2^53 are `bigint`; there are no floats in what we sign. */
export type CanonicalValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | CID
  | readonly CanonicalValue[]
  | { readonly [key: string]: CanonicalValue }

export type DecodeLimits = {
  /** Refuse longer input before looking at it. */
  readonly sizeBytesMax: number
}

const depthMax = 32

/** The one encoding of a value (DAG-CBOR: sorted keys, shortest lengths). */
export function encodeCanonical(value: CanonicalValue): Uint8Array {
  return dagCbor.encode(value)
}

/**
 * Decodes bytes that must be exactly what `encodeCanonical` would have written.
 * Throws ENCODING_INVALID for anything longer than the limit, malformed, too deep or not canonical.
 */
export function decodeCanonical(bytes: Uint8Array, limits: DecodeLimits): CanonicalValue {
  if (bytes.length > limits.sizeBytesMax) throw invalid(`${bytes.length} bytes are more than ${limits.sizeBytesMax}`)
  checkDepth(bytes)
  let value: CanonicalValue
  try {
    value = dagCbor.decode(bytes)
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : 'malformed', error)
  }
  if (!bytesEqual(dagCbor.encode(value), bytes))
    throw invalid('another encoding of the same value is the canonical one')
  return value
}

/** SHA-256, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer')
}

/** The decoder recurses, so nesting is bounded before it sees the bytes. Lengths of strings are skipped, not trusted. */
function checkDepth(bytes: Uint8Array): void {
  const remaining: number[] = []
  let offset = 0
  while (offset < bytes.length) {
    const first = bytes[offset]!
    const major = first >> 5
    const extra = first & 31
    const lengthBytes = extra < 24 ? 0 : extra === 24 ? 1 : extra === 25 ? 2 : extra === 26 ? 4 : 8
    let argument = extra < 24 ? extra : 0
    for (let i = 1; i <= lengthBytes; i++) argument = argument * 256 + (bytes[offset + i] ?? 0)
    offset += 1 + lengthBytes
    if (major === 2 || major === 3) offset += argument
    const opens = major === 4 ? argument : major === 5 ? argument * 2 : major === 6 ? 1 : 0
    if (opens > bytes.length) throw invalid('a length is larger than the input')
    if (opens > 0) {
      remaining.push(opens)
      if (remaining.length > depthMax) throw invalid(`nested deeper than ${depthMax}`)
      continue
    }
    while (remaining.length > 0 && --remaining[remaining.length - 1]! === 0) remaining.pop()
  }
}

function invalid(reason: string, cause?: unknown): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason }, { cause })
}
