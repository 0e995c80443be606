import { merkleLeaf, merklePath, merkleRoot, verifyMerklePath } from '../../dag/index.ts'

/**
 * Rows of fp32 numbers under one digest, so that a single row of a large answer can be shown later with a path of a few
 * hashes. The tree is that of the chains (RFC 6962); a leaf is one row, little-endian.
 */
export function rootOfRows(rows: Float32Array, width: number): Uint8Array {
  return merkleRoot(leavesOf(rows, width))
}

export function pathOfRow(rows: Float32Array, width: number, row: number): Uint8Array[] {
  return merklePath(leavesOf(rows, width), row)
}

export function isRowUnder(
  root: Uint8Array,
  values: Float32Array,
  { row, rows, path }: { readonly row: number; readonly rows: number; readonly path: readonly Uint8Array[] }
): boolean {
  return verifyMerklePath(root, merkleLeaf(littleEndian(values)), row, rows, path)
}

export function rowOf(rows: Float32Array, width: number, row: number): Float32Array {
  return rows.subarray(row * width, (row + 1) * width)
}

/** The bytes that travel and are hashed: fp32, little-endian. A view where the machine allows. */
export function littleEndian(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  if (machineIsLittleEndian) return bytes
  return reversedWords(bytes)
}

/** The reverse of `littleEndian`, always a copy: bytes out of a payload need not be aligned. Undefined for odd lengths. */
export function floatsOf(bytes: Uint8Array): Float32Array | undefined {
  if (bytes.length % 4 !== 0) return undefined
  const copy = machineIsLittleEndian ? bytes.slice() : reversedWords(bytes)
  return new Float32Array(copy.buffer, 0, copy.length / 4)
}

const machineIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

function reversedWords(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes.length)
  for (let place = 0; place < bytes.length; place++) copy[place] = bytes[(place & ~3) + 3 - (place & 3)]!
  return copy
}

function leavesOf(rows: Float32Array, width: number): Uint8Array[] {
  const leaves: Uint8Array[] = []
  for (let row = 0; row * width < rows.length; row++) leaves.push(merkleLeaf(littleEndian(rowOf(rows, width, row))))
  return leaves
}
