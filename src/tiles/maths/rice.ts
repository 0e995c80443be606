import { deltaInvalid } from './codecs/codec.ts'

/**
 * Sorted places in chunks as Rice codes of their gaps: the gap divided by 2^low in ones with a zero behind, then its `low` lowest
 * bits, highest first. Bits fill bytes from the lowest bit on, over all chunks of a tile without a gap.
 */
export const riceLowMax = 11

/** What most tiles need; it bounds the size of any tile, because an encoder takes the best. */
const usualLow = 5

/** Of one chunk: each gap has its bits, and all gaps together skip at most what is not kept. */
export function riceBitsMax(kept: number, elements: number): number {
  return kept * (1 + usualLow) + ((elements - kept) >> usualLow)
}

export type ChunkPlaces = { readonly places: Uint16Array; readonly elements: number }

/** First byte: the number of low bits that makes it shortest. */
export function writeRice(chunks: readonly ChunkPlaces[]): Uint8Array<ArrayBuffer> {
  const bitsFor = new Float64Array(riceLowMax + 1)
  for (const { places } of chunks) {
    for (let at = 0, next = 0; at < places.length; at++) {
      const gap = places[at]! - next
      next = places[at]! + 1
      for (let low = 0; low <= riceLowMax; low++) bitsFor[low]! += (gap >> low) + 1 + low
    }
  }
  const low = bitsFor.indexOf(Math.min(...bitsFor))
  const bytes = new Uint8Array(1 + Math.ceil(bitsFor[low]! / 8))
  bytes[0] = low
  let bit = 8
  for (const { places } of chunks) {
    for (let at = 0, next = 0; at < places.length; at++) {
      const gap = places[at]! - next
      next = places[at]! + 1
      for (let ones = gap >> low; ones > 0; ones--, bit++) bytes[bit >> 3]! |= 1 << (bit & 7)
      bit++
      for (let place = low - 1; place >= 0; place--, bit++) {
        if ((gap >> place) & 1) bytes[bit >> 3]! |= 1 << (bit & 7)
      }
    }
  }
  return bytes
}

/** The places of `kept` values in each chunk. Throws DELTA_INVALID unless the bytes are exactly those of sorted places in range. */
export function readRice(
  bytes: Uint8Array,
  chunks: readonly { readonly kept: number; readonly elements: number }[]
): readonly Uint16Array[] {
  const low = bytes[0]
  if (low === undefined || low > riceLowMax) throw deltaInvalid('the places have no known Rice parameter')
  const bitsMax = bytes.length * 8
  let bit = 8
  const next = (): number => {
    if (bit >= bitsMax) throw deltaInvalid('the places end too early')
    const value = (bytes[bit >> 3]! >> (bit & 7)) & 1
    bit++
    return value
  }
  const read = chunks.map(({ kept, elements }) => {
    const places = new Uint16Array(kept)
    for (let at = 0, start = 0; at < kept; at++) {
      let gap = 0
      while (next() === 1) {
        gap++
        if (gap << low > elements) throw deltaInvalid('a place is out of range')
      }
      for (let place = 0; place < low; place++) gap = gap * 2 + next()
      const found = start + gap
      if (found >= elements) throw deltaInvalid('a place is out of range')
      places[at] = found
      start = found + 1
    }
    return places
  })
  if (Math.ceil(bit / 8) !== bytes.length) throw deltaInvalid('something follows the places')
  while (bit < bitsMax) if (next() !== 0) throw deltaInvalid('the bits after the last place are set')
  return read
}
