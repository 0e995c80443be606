import { deltaInvalid } from './codecs/codec.ts'

/** Places within a chunk, 12 bits each: two in three bytes, a last single one in two. */
export function packedPlacesBytes(kept: number): number {
  return Math.ceil((kept * 12) / 8)
}

export function writePackedPlaces(places: Uint16Array, bytes: Uint8Array, offset: number): void {
  let to = offset
  for (let at = 0; at < places.length; at += 2) {
    const first = places[at]!
    const second = at + 1 < places.length ? places[at + 1]! : 0
    bytes[to++] = first & 255
    bytes[to++] = (first >> 8) | ((second & 15) << 4)
    if (at + 1 < places.length) bytes[to++] = second >> 4
  }
}

/** Throws DELTA_INVALID unless they ascend and are below `elements`. */
export function readPackedPlaces(bytes: Uint8Array, offset: number, kept: number, elements: number): Uint16Array {
  const places = new Uint16Array(kept)
  let from = offset
  let before = -1
  for (let at = 0; at < kept; at++) {
    const isSecond = at % 2 === 1
    const place = isSecond
      ? (bytes[from + 1]! >> 4) | (bytes[from + 2]! << 4)
      : bytes[from]! | ((bytes[from + 1]! & 15) << 8)
    if (isSecond) from += 3
    if (place <= before) throw deltaInvalid('places are not in ascending order')
    if (place >= elements) throw deltaInvalid('a place is out of range')
    places[at] = place
    before = place
  }
  if (kept % 2 === 1 && bytes[from + 1]! > 15) throw deltaInvalid('the bits after the last place are set')
  return places
}

/** One bit for each element of a chunk, the first in the lowest bit. */
export function bitmapBytes(elements: number): number {
  return Math.ceil(elements / 8)
}

export function writeBitmap(places: Uint16Array, bytes: Uint8Array, offset: number): void {
  for (let at = 0; at < places.length; at++) bytes[offset + (places[at]! >> 3)]! |= 1 << (places[at]! & 7)
}

/** Throws DELTA_INVALID unless exactly `kept` bits within `elements` are set. */
export function readBitmap(bytes: Uint8Array, offset: number, kept: number, elements: number): Uint16Array {
  const places = new Uint16Array(kept)
  let found = 0
  const end = bitmapBytes(elements)
  for (let at = 0; at < end; at++) {
    for (let bits = bytes[offset + at]!; bits !== 0; bits &= bits - 1) {
      const place = at * 8 + (31 - Math.clz32(bits & -bits))
      if (found === kept || place >= elements) throw deltaInvalid('the bitmap has too many places')
      places[found++] = place
    }
  }
  if (found !== kept) throw deltaInvalid('the bitmap has too few places')
  return places
}
