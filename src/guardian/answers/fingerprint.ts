import { concatBytes, sha256 } from '../../codec/index.ts'

/**
 * A fingerprint of rows: their products with 64 vectors of signs that follow from a secret seed. Two fingerprints lie as
 * far apart as the rows do, within a few percent, and take 256 bytes whatever the width; who does not know the seed cannot
 * make rows that are wrong and look right. Kept instead of rows: for canaries.
 */
export const fingerprintSize = 64

export function fingerprintOf(row: Float32Array, seed: Uint8Array): Float32Array {
  const products = new Float64Array(fingerprintSize)
  const factor = 1 / Math.sqrt(fingerprintSize)
  for (let start = 0, block = 0; start < row.length; start += columnsPerBlock, block++) {
    const signs = signsOf(seed, block)
    const end = Math.min(row.length, start + columnsPerBlock)
    for (let column = start; column < end; column++) {
      const value = row[column]!
      const low = signs[(column - start) * 2]!
      const high = signs[(column - start) * 2 + 1]!
      for (let place = 0; place < 32; place++) {
        products[place]! += (low >>> place) & 1 ? value : -value
        products[place + 32]! += (high >>> place) & 1 ? value : -value
      }
    }
  }
  return Float32Array.from(products, product => product * factor)
}

/** One block of signs: 64 bits for each of so many columns. */
const columnsPerBlock = 64

function signsOf(seed: Uint8Array, block: number): Uint32Array {
  const words = new Uint32Array(columnsPerBlock * 2)
  for (let part = 0; part < words.length / 8; part++) {
    const digest = sha256(concatBytes(seed, new TextEncoder().encode(`${block}/${part}`)))
    const view = new DataView(digest.buffer)
    for (let word = 0; word < 8; word++) words[part * 8 + word] = view.getUint32(word * 4)
  }
  return words
}
