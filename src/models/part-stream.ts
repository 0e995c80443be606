import type { PartDescription, PartSlice } from '../experts/index.ts'
import type { PartMatrix, SourceRows } from './part-sources.ts'
import type { WeightReader } from './weight-reader.ts'
import { quantiseRows, quantiseTurned, scalesOf } from './weights.ts'

/**
 * The data of a part, in order, in pieces that belong to whoever takes them. The largest piece is one slice of a turned
 * int8 matrix; everything else comes block by block. Together they are `dataLengthBytes` long.
 */
export function* partChunks(
  part: PartDescription,
  matrices: readonly PartMatrix[],
  reader: WeightReader
): Generator<Uint8Array<ArrayBuffer>> {
  const scales = new Map<string, Float32Array<ArrayBuffer>>()
  const places = new Map(matrices.flatMap(matrix => placesOf(matrix)))
  let positionBytes = 0
  for (const slice of part.slices) {
    if (slice.offsetBytes > positionBytes) yield new Uint8Array(slice.offsetBytes - positionBytes)
    positionBytes = slice.offsetBytes + slice.lengthBytes
    const stored = scales.get(slice.name)
    if (stored !== undefined) {
      yield new Uint8Array(stored.buffer)
      scales.delete(slice.name)
      continue
    }
    const { source, first, rows } = places.get(slice.name)!
    const found = new Float32Array(slice.dtype === 'int8' ? rows : 0)
    yield* sliceChunks(slice, { source, first, rows }, found, reader)
    if (slice.dtype === 'int8') scales.set(`${slice.name}.scales`, found)
  }
}

type SlicePlace = { readonly source: SourceRows; readonly first: number; readonly rows: number }

function placesOf({ source, slices }: PartMatrix): [string, SlicePlace][] {
  let first = 0
  return slices.map(({ slice, rows }) => {
    const place = { source, first, rows }
    first += rows
    return [slice.name, place]
  })
}

function* sliceChunks(
  slice: PartSlice,
  { source, first, rows }: SlicePlace,
  scales: Float32Array,
  reader: WeightReader
): Generator<Uint8Array<ArrayBuffer>> {
  const { columns } = source
  const turned = slice.orientation === 'inOut' ? new Int8Array(slice.lengthBytes) : undefined
  for (const block of reader.rows(source, first, rows)) {
    const { floats, count, largest } = block
    if (slice.dtype === 'fp32') {
      yield new Uint8Array(floats.slice(0, count * columns).buffer)
      continue
    }
    const factors = new Float64Array(count)
    for (let row = 0; row < count; row++) {
      const { factor, scale } = scalesOf(largest[row]!)
      factors[row] = factor
      scales[block.first - first + row] = scale
    }
    if (turned !== undefined) {
      quantiseTurned(floats, count, columns, factors, turned, rows, block.first - first)
      continue
    }
    const kept = new Int8Array(count * columns)
    quantiseRows(floats, count, columns, factors, kept)
    yield new Uint8Array(kept.buffer)
  }
  if (turned !== undefined) yield new Uint8Array(turned.buffer)
}
