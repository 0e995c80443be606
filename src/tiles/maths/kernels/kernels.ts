import { type MatrixBlock, tileElements } from '../tile-layout.ts'
import {
  maxBitsFunction,
  multiplyFunction,
  multiplyTransposedFunction,
  productFunction,
  rankVectorsMax
} from './matrix-kernels.ts'
import { selectFunction, selectWorkBytes } from './select-kernel.ts'
import { writeModule } from './wasm-writer.ts'

/** The types of Node leave these out. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> }
}

const mebibyte = 1_048_576
/** A block of at least 32 x 32 with its sides rounded up to multiples of 4 is never larger than 5.02 MiB. */
const places = {
  tile: 0,
  padded: 4 * mebibyte + 64,
  left: 10 * mebibyte,
  right: 11 * mebibyte,
  rightTransposed: 12 * mebibyte,
  chosen: 13 * mebibyte,
  histogram: 13 * mebibyte + 16_384,
  candidates: 13 * mebibyte + 16_384 + selectWorkBytes.histogram
} as const
const memoryPages = (14 * mebibyte) / 65_536
const infinityBits = 0x7f800000
/** A third of an octave. */
const selectMargin = 0x300000

type Call = (...parameters: number[]) => number

/** A matrix of the tile as the functions want it: sides that are multiples of 4. */
type Placed = { readonly address: number; readonly rows: number; readonly columns: number; readonly isCopy: boolean }

/** One tile in the memory of the vector functions. Whoever uses it puts its own tile there first, and nobody else in between. */
export class Kernels {
  /** The tile: read and change it in place. */
  readonly tile: Float32Array
  readonly #floats: Float32Array
  readonly #shorts: Uint16Array
  readonly #calls: Readonly<Record<string, Call>>
  /** What the next chunk has is about what the last one had; where it is not, a search takes longer. */
  #selectHint = 0

  constructor() {
    const vectors = Array.from({ length: rankVectorsMax }, (_, at) => at + 1)
    const functions = [
      ...vectors.map(multiplyFunction),
      ...vectors.map(multiplyTransposedFunction),
      ...vectors.map(count => productFunction(count, false)),
      ...vectors.map(count => productFunction(count, true)),
      maxBitsFunction(),
      selectFunction()
    ]
    const instance = new WebAssembly.Instance(new WebAssembly.Module(writeModule(functions, memoryPages)))
    const { memory, ...calls } = instance.exports as { memory: { buffer: ArrayBuffer } } & Record<string, Call>
    this.#calls = calls as Readonly<Record<string, Call>>
    this.#floats = new Float32Array(memory.buffer)
    this.#shorts = new Uint16Array(memory.buffer)
    this.tile = this.#floats.subarray(0, tileElements)
  }

  put(values: Float32Array): void {
    this.tile.set(values)
    this.#floats.fill(0, values.length, values.length + 4)
  }

  clear(length: number): void {
    this.#floats.fill(0, 0, length + 4)
  }

  /** Whether the first `length` values of the tile are all finite. Expects zeros up to a multiple of 4. */
  isFinite(length: number): boolean {
    return this.#calls.maxBits!(places.tile, Math.ceil(length / 4) * 16) >>> 0 < infinityBits
  }

  /** rows x rank. */
  multiply(block: MatrixBlock, rank: number, right: Float32Array): Float32Array {
    const placed = this.#place(block)
    const vectors = vectorsOf(rank)
    this.#putFactor(places.right, right, block.columns, placed.columns, rank)
    const { address, rows, columns } = placed
    this.#calls[`multiply${vectors}`]!(address, columns * 4, places.right, places.left, rows, columns)
    return this.#takeFactor(places.left, block.rows, rank)
  }

  /** columns x rank. */
  multiplyTransposed(block: MatrixBlock, rank: number, left: Float32Array): Float32Array {
    const placed = this.#place(block)
    const vectors = vectorsOf(rank)
    this.#putFactor(places.left, left, block.rows, placed.rows, rank)
    const { address, rows, columns } = placed
    this.#floats.fill(0, places.right / 4, places.right / 4 + columns * vectors * 4)
    this.#calls[`multiplyTransposed${vectors}`]!(address, columns * 4, places.left, places.right, rows, columns)
    return this.#takeFactor(places.right, block.columns, rank)
  }

  /** Takes the product of the factors from the block, or puts it there. */
  applyProduct(
    block: MatrixBlock,
    rank: number,
    factors: { readonly left: Float32Array; readonly right: Float32Array },
    how: 'subtract' | 'set'
  ): void {
    const placed = this.#place(block)
    const vectors = vectorsOf(rank)
    this.#putFactor(places.left, factors.left, block.rows, placed.rows, rank)
    this.#putTransposed(factors.right, block.columns, placed.columns, rank)
    const name = `${how === 'subtract' ? 'subtractProduct' : 'product'}${vectors}`
    this.#calls[name]!(places.left, places.rightTransposed, placed.address, placed.rows, placed.columns * 4)
    if (placed.isCopy) this.#takeBack(block, placed)
  }

  /** The places, ascending, of the `kept` largest of `count` values of the tile from `offset` on. */
  select(offset: number, count: number, kept: number): Uint16Array {
    const { chosen, histogram, candidates } = places
    const smallest = this.#calls.select!(offset * 4, count, kept, chosen, histogram, candidates, this.#selectHint)
    this.#selectHint = Math.max(0, smallest - selectMargin)
    return this.#shorts.slice(chosen / 2, chosen / 2 + kept)
  }

  #place({ offset, rows, columns }: MatrixBlock): Placed {
    if (rows % 4 === 0 && columns % 4 === 0) return { address: offset * 4, rows, columns, isCopy: false }
    const placed = { address: places.padded, rows: roundUp(rows), columns: roundUp(columns), isCopy: true }
    const start = places.padded / 4
    this.#floats.fill(0, start, start + placed.rows * placed.columns)
    for (let row = 0; row < rows; row++) {
      const from = offset + row * columns
      this.#floats.set(this.tile.subarray(from, from + columns), start + row * placed.columns)
    }
    return placed
  }

  #takeBack({ offset, rows, columns }: MatrixBlock, placed: Placed): void {
    for (let row = 0; row < rows; row++) {
      const from = placed.address / 4 + row * placed.columns
      this.tile.set(this.#floats.subarray(from, from + columns), offset + row * columns)
    }
  }

  #putFactor(address: number, factor: Float32Array, count: number, padded: number, rank: number): void {
    const width = vectorsOf(rank) * 4
    const start = address / 4
    const floats = this.#floats
    floats.fill(0, start, start + padded * width)
    if (width === rank) {
      floats.set(factor, start)
      return
    }
    for (let at = 0; at < count; at++) {
      for (let column = 0; column < rank; column++) floats[start + at * width + column] = factor[at * rank + column]!
    }
  }

  #takeFactor(address: number, count: number, rank: number): Float32Array {
    const width = vectorsOf(rank) * 4
    const start = address / 4
    if (width === rank) return this.#floats.slice(start, start + count * rank)
    const factor = new Float32Array(count * rank)
    for (let at = 0; at < count; at++) {
      for (let column = 0; column < rank; column++) {
        factor[at * rank + column] = this.#floats[start + at * width + column]!
      }
    }
    return factor
  }

  #putTransposed(factor: Float32Array, count: number, padded: number, rank: number): void {
    const start = places.rightTransposed / 4
    this.#floats.fill(0, start, start + padded * vectorsOf(rank) * 4)
    for (let at = 0; at < count; at++) {
      for (let column = 0; column < rank; column++) {
        this.#floats[start + column * padded + at] = factor[at * rank + column]!
      }
    }
  }
}

let shared: Kernels | undefined

/** One for each thread: 14 MiB, made with the first use. */
export function sharedKernels(): Kernels {
  shared ??= new Kernels()
  return shared
}

function vectorsOf(rank: number): number {
  return Math.ceil(rank / 4)
}

function roundUp(extent: number): number {
  return Math.ceil(extent / 4) * 4
}
