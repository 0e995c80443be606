import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'

/**
 * LevelDB checks what it reads only when told to, and its binding cannot tell it: a bit that flips on the disk would
 * come back as data. So each value ends with a CRC-32 over its key and itself.
 */
export const checksumBytes = 4

export type SealedRecord = { readonly key: Uint8Array; readonly value: Uint8Array }

/** Key and value in one piece of memory, and the value with its checksum: one copy, one pass. */
export function sealRecord(key: Uint8Array, value: Uint8Array): SealedRecord {
  const contentBytes = key.length + value.length
  const buffer = Buffer.allocUnsafe(contentBytes + checksumBytes)
  buffer.set(key, 0)
  buffer.set(value, key.length)
  buffer.writeUInt32BE(crc32(buffer.subarray(0, contentBytes)), contentBytes)
  return { key: buffer.subarray(0, key.length), value: buffer.subarray(key.length) }
}

/** The value as it was written; undefined when its checksum says that it is not. */
export function openRecord(key: Uint8Array, stored: Uint8Array): Uint8Array | undefined {
  const valueBytes = stored.length - checksumBytes
  if (valueBytes < 0) return undefined
  const value = stored.subarray(0, valueBytes)
  const checksum = new DataView(stored.buffer, stored.byteOffset + valueBytes, checksumBytes).getUint32(0)
  return crc32(value, crc32(key)) === checksum ? value : undefined
}
