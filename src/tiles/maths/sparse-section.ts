import { chunkCount, chunkElements, chunkLength, keptOf } from './chunks.ts'
import { deltaInvalid } from './codecs/codec.ts'
import type { Kernels } from './kernels/kernels.ts'
import { codeOfLevel, levelOf, meansOf } from './levels.ts'
import {
  bitmapBytes,
  packedPlacesBytes,
  readBitmap,
  readPackedPlaces,
  writeBitmap,
  writePackedPlaces
} from './packed-bits.ts'
import { readRice, riceBitsMax, writeRice } from './rice.ts'
import { readScale, requireScale, scaleFor } from './scaled-blocks.ts'

/** The largest values of each chunk of a tile, and where they are. */
export type SparseRule = {
  /** Of a whole chunk. */
  readonly kept: number
  readonly places: 'bitmap' | 'packed' | 'rice'
  /** A code of 8 bits; a sign and one of two magnitudes; or a sign, and one magnitude for the whole chunk. */
  readonly values: 'int8' | 'pairs' | 'signs'
}

type Chunk = { readonly start: number; readonly elements: number; readonly kept: number }

const int8Max = 127
const valueBits = { int8: 8, pairs: 2, signs: 1 } as const

export function sparseBytesMax(length: number, rule: SparseRule): number {
  const { heads, places, values } = sizesOf(chunksOf(length, rule), rule)
  return heads + places + values
}

/** Takes the largest values of the tile in `kernels`; what is written is: heads of the chunks, places, values. */
export function encodeSparse(kernels: Kernels, length: number, rule: SparseRule): Uint8Array {
  const chunks = chunksOf(length, rule)
  const chosen = chunks.map(({ start, elements, kept }) => kernels.select(start, elements, kept))
  const places = writePlaces(chunks, chosen, rule)
  const sizes = sizesOf(chunks, rule)
  const bytes = new Uint8Array(sizes.heads + places.length + sizes.values)
  bytes.set(places, sizes.heads)
  const valuesAt = sizes.heads + places.length
  if (rule.values === 'int8') writeInt8(kernels.tile, chunks, chosen, bytes, valuesAt)
  else writeLevels(kernels.tile, chunks, chosen, bytes, { valuesAt, values: rule.values })
  return bytes
}

/** Adds the values to the tile in `kernels`, each sum rounded to fp32. Throws DELTA_INVALID. */
export function addSparse(kernels: Kernels, bytes: Uint8Array, length: number, rule: SparseRule): void {
  const chunks = chunksOf(length, rule)
  const sizes = sizesOf(chunks, rule)
  const placesBytes = bytes.length - sizes.heads - sizes.values
  const isRight = rule.places === 'rice' ? placesBytes > 0 && placesBytes <= sizes.places : placesBytes === sizes.places
  if (!isRight) throw deltaInvalid(`its sparse values have ${bytes.length} bytes`)
  const valuesAt = bytes.length - sizes.values
  const chosen = readPlaces(bytes.subarray(sizes.heads, valuesAt), chunks, rule)
  if (rule.values === 'int8') addInt8(kernels.tile, chunks, chosen, bytes, valuesAt)
  else addLevels(kernels.tile, chunks, chosen, bytes, { valuesAt, values: rule.values })
}

function chunksOf(length: number, { kept }: SparseRule): readonly Chunk[] {
  return Array.from({ length: chunkCount(length) }, (_, chunk) => {
    const elements = chunkLength(length, chunk)
    return { start: chunk * chunkElements, elements, kept: keptOf(kept, elements) }
  })
}

function sizesOf(chunks: readonly Chunk[], rule: SparseRule): { heads: number; places: number; values: number } {
  let values = 0
  let places = 0
  for (const { kept, elements } of chunks) {
    values += Math.ceil((kept * valueBits[rule.values]) / 8)
    if (rule.places === 'bitmap') places += bitmapBytes(elements)
    else if (rule.places === 'packed') places += packedPlacesBytes(kept)
    else places += riceBitsMax(kept, elements)
  }
  if (rule.places === 'rice') places = 1 + Math.ceil(places / 8)
  const heads = rule.values === 'signs' ? 4 + chunks.length : 2 * chunks.length + (rule.values === 'pairs' ? 4 : 0)
  return { heads, places, values }
}

function writePlaces(
  chunks: readonly Chunk[],
  chosen: readonly Uint16Array[],
  rule: SparseRule
): Uint8Array<ArrayBuffer> {
  if (rule.places === 'rice') {
    return writeRice(chosen.map((places, at) => ({ places, elements: chunks[at]!.elements })))
  }
  const bytes = new Uint8Array(sizesOf(chunks, rule).places)
  let offset = 0
  for (const [at, places] of chosen.entries()) {
    if (rule.places === 'bitmap') {
      writeBitmap(places, bytes, offset)
      offset += bitmapBytes(chunks[at]!.elements)
    } else {
      writePackedPlaces(places, bytes, offset)
      offset += packedPlacesBytes(places.length)
    }
  }
  return bytes
}

function readPlaces(bytes: Uint8Array, chunks: readonly Chunk[], rule: SparseRule): readonly Uint16Array[] {
  if (rule.places === 'rice') return readRice(bytes, chunks)
  let offset = 0
  return chunks.map(({ kept, elements }) => {
    const start = offset
    if (rule.places === 'bitmap') {
      offset += bitmapBytes(elements)
      return readBitmap(bytes, start, kept, elements)
    }
    offset += packedPlacesBytes(kept)
    return readPackedPlaces(bytes, start, kept, elements)
  })
}

/** Head of a chunk: its scale in 16 bits. */
function writeInt8(
  tile: Float32Array,
  chunks: readonly Chunk[],
  chosen: readonly Uint16Array[],
  bytes: Uint8Array,
  valuesAt: number
): void {
  let to = valuesAt
  for (const [chunk, { start }] of chunks.entries()) {
    const places = chosen[chunk]!
    let largest = 0
    for (const place of places) largest = Math.max(largest, Math.abs(tile[start + place]!))
    const halfBits = scaleFor(largest, int8Max)
    bytes[2 * chunk] = halfBits & 255
    bytes[2 * chunk + 1] = halfBits >>> 8
    const scale = readScale(halfBits)
    for (const place of places) bytes[to++] = scale === 0 ? 0 : Math.round(tile[start + place]! / scale)
  }
}

function addInt8(
  tile: Float32Array,
  chunks: readonly Chunk[],
  chosen: readonly Uint16Array[],
  bytes: Uint8Array,
  valuesAt: number
): void {
  let from = valuesAt
  for (const [chunk, { start }] of chunks.entries()) {
    const scale = readScale(bytes[2 * chunk]! | (bytes[2 * chunk + 1]! << 8))
    requireScale(scale)
    for (const place of chosen[chunk]!) {
      const code = (bytes[from++]! << 24) >> 24
      if (code < -int8Max) throw deltaInvalid(`a code is below ${-int8Max}`)
      tile[start + place]! += Math.fround(code * scale)
    }
  }
}

type LevelPlace = { readonly valuesAt: number; readonly values: 'pairs' | 'signs' }

/**
 * Heads: the largest magnitude (fp32), then one or two magnitudes of each chunk. Lowest bit of a value: it is negative; with
 * two magnitudes the other bit: it is the larger one.
 */
function writeLevels(
  tile: Float32Array,
  chunks: readonly Chunk[],
  chosen: readonly Uint16Array[],
  bytes: Uint8Array,
  { valuesAt, values }: LevelPlace
): void {
  const bits = valueBits[values]
  const means = chunks.map(({ start }, chunk) => {
    const places = chosen[chunk]!
    const magnitudes = new Float64Array(places.length)
    for (let at = 0; at < places.length; at++) magnitudes[at] = Math.abs(tile[start + places[at]!]!)
    const { low, high, mean } = meansOf(magnitudes)
    return bits === 1 ? { low: mean, high: mean, mean: Number.POSITIVE_INFINITY } : { low, high, mean }
  })
  const top = Math.fround(means.reduce((largest, { high }) => Math.max(largest, high), 0))
  new DataView(bytes.buffer).setFloat32(0, top, true)
  let to = valuesAt
  for (const [chunk, { start, kept }] of chunks.entries()) {
    const { low, high, mean } = means[chunk]!
    bytes[4 + bits * chunk] = codeOfLevel(top, low)
    if (bits === 2) bytes[5 + bits * chunk] = codeOfLevel(top, high)
    const places = chosen[chunk]!
    for (let at = 0; at < kept; at++) {
      const value = tile[start + places[at]!]!
      const code = (value < 0 ? 1 : 0) | (Math.abs(value) > mean ? 2 : 0)
      bytes[to + ((at * bits) >> 3)]! |= code << ((at * bits) & 7)
    }
    to += Math.ceil((kept * bits) / 8)
  }
}

function addLevels(
  tile: Float32Array,
  chunks: readonly Chunk[],
  chosen: readonly Uint16Array[],
  bytes: Uint8Array,
  { valuesAt, values }: LevelPlace
): void {
  const bits = valueBits[values]
  const mask = 2 ** bits - 1
  const top = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat32(0, true)
  requireScale(top)
  let from = valuesAt
  for (const [chunk, { start, kept }] of chunks.entries()) {
    const low = levelOf(top, bytes[4 + bits * chunk]!)
    const high = levelOf(top, bytes[3 + bits + bits * chunk]!)
    const levels = [low, -low, high, -high]
    const places = chosen[chunk]!
    for (let at = 0; at < kept; at++) {
      tile[start + places[at]!]! += levels[(bytes[from + ((at * bits) >> 3)]! >> ((at * bits) & 7)) & mask]!
    }
    from += Math.ceil((kept * bits) / 8)
    const spare = (kept * bits) % 8
    if (spare > 0 && bytes[from - 1]! >> spare !== 0) throw deltaInvalid('the bits after the last value are set')
  }
}
