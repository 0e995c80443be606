import { sha256 } from '../../codec/index.ts'

/** SHA-256 of the values as little-endian fp32: what a frame says it decodes to. */
export function digestOfValues(values: Float32Array): Uint8Array {
  return sha256(littleEndian(values))
}

/** A view of the values where the machine allows, else a copy. */
export function littleEndian(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  if (machineIsLittleEndian) return bytes
  const swapped = Uint8Array.from(bytes)
  for (let at = 0; at < swapped.length; at += 4) swapped.subarray(at, at + 4).reverse()
  return swapped
}

const machineIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
