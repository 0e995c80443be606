/** 16 KiB of fp32: indices within a chunk take 12 bits. */
export const chunkElements = 4096

export function chunkCount(length: number): number {
  return Math.ceil(length / chunkElements)
}

/** All but the last chunk of a tile are whole. */
export function chunkLength(length: number, chunk: number): number {
  return Math.min(chunkElements, length - chunk * chunkElements)
}

/** How many values of a chunk are kept when `kept` of a whole one are: the same share, rounded up. */
export function keptOf(kept: number, elements: number): number {
  return Math.ceil((kept * elements) / chunkElements)
}
