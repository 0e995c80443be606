import type { CID } from '../codec/index.ts'

/**
 * How rows of the block database are named: one letter for the table, then SHA-256 digests.
 * Blocks are kept by digest, not by CID: the codec in a CID does not change the bytes.
 */
export const tables = {
  /** digest -> bytes of a small block */
  block: 0x62,
  /** leaf digest, file digest -> where in that file the leaf lies */
  leaf: 0x6c,
  /** inner node digest, file digest: that file needs the node */
  owner: 0x6f,
  /** file digest -> description of the file */
  file: 0x66,
  /** collection digest -> description of the collection */
  collection: 0x67,
  /** member digest, collection digest: the collection keeps the member */
  member: 0x6d,
  /** digest -> bytes of the CID that is pinned */
  pin: 0x70
} as const

export const digestSizeBytes = 32

export function keyOf(table: number, first: Uint8Array, second?: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + digestSizeBytes + (second === undefined ? 0 : digestSizeBytes))
  key[0] = table
  key.set(first, 1)
  if (second !== undefined) key.set(second, 1 + digestSizeBytes)
  return key
}

/** All keys of a table, or those of it that start with a digest. */
export function rangeOf(table: number, first?: Uint8Array): { gte: Uint8Array; lt: Uint8Array } {
  if (first === undefined) return { gte: Uint8Array.of(table), lt: Uint8Array.of(table + 1) }
  const last = new Uint8Array(2 + 2 * digestSizeBytes).fill(0xff)
  last.set(keyOf(table, first))
  return { gte: keyOf(table, first), lt: last }
}

export function firstDigestIn(key: Uint8Array): Uint8Array {
  return key.subarray(1, 1 + digestSizeBytes)
}

export function secondDigestIn(key: Uint8Array): Uint8Array {
  return key.subarray(1 + digestSizeBytes, 1 + 2 * digestSizeBytes)
}

/** A leaf's place: offset (6 bytes are enough for 256 TiB) and length. */
export type LeafPlace = { readonly offsetBytes: number; readonly lengthBytes: number }

const placeSizeBytes = 12

export function encodePlace(place: LeafPlace): Uint8Array {
  const bytes = new Uint8Array(placeSizeBytes)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(place.offsetBytes))
  view.setUint32(8, place.lengthBytes)
  return bytes
}

export function decodePlace(bytes: Uint8Array): LeafPlace | undefined {
  if (bytes.length !== placeSizeBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { offsetBytes: Number(view.getBigUint64(0)), lengthBytes: view.getUint32(8) }
}

/** Only SHA-256 names can be looked up here. */
export function digestOfSupportedCid(cid: CID): Uint8Array | undefined {
  const { code, digest } = cid.multihash
  return code === 0x12 && digest.length === digestSizeBytes ? digest : undefined
}
