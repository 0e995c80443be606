/**
 * Widening and quantising weights: the loops that importing spends its time in. Plain numbers and views of one buffer,
 * nothing allocated inside. Sizes of numbers are compared as bits: without its sign, a float orders like an integer.
 */

export type WeightType = 'fp32' | 'fp16' | 'bf16'

export const weightSizeBytes: Readonly<Record<WeightType, number>> = { fp32: 4, fp16: 2, bf16: 2 }

/** fp16 exponents begin 112 lower than those of fp32. */
const halfToSingle = 2 ** 112

/** Values as fp32 and as the bits of it, over the same memory. */
export type Singles = { readonly floats: Float32Array; readonly bits: Int32Array }

export function singlesOf(length: number): Singles {
  const floats = new Float32Array(length)
  return { floats, bits: new Int32Array(floats.buffer) }
}

/**
 * Writes `length` little-endian values at `offset` of `from` as fp32 to the place `at` of `into`. Returns the largest
 * absolute value; NaN when one of them is not a finite number.
 */
export function widen(
  type: WeightType,
  from: Uint16Array | Int32Array,
  offset: number,
  length: number,
  into: Singles,
  at: number
): number {
  if (type === 'fp32') return copySingles(from as Int32Array, offset, length, into.bits, at)
  if (type === 'bf16') return widenBrain(from as Uint16Array, offset, length, into.bits, at)
  return widenHalf(from as Uint16Array, offset, length, into, at)
}

function widenBrain(from: Uint16Array, offset: number, length: number, into: Int32Array, at: number): number {
  let largest = 0
  for (let i = 0; i < length; i++) {
    const bits = from[offset + i]!
    into[at + i] = bits << 16
    const size = bits & 0x7fff
    if (size > largest) largest = size
  }
  return largest >= 0x7f80 ? Number.NaN : floatOf(largest << 16)
}

function widenHalf(from: Uint16Array, offset: number, length: number, into: Singles, at: number): number {
  const { bits: target, floats } = into
  let largest = 0
  for (let i = 0; i < length; i++) {
    const bits = from[offset + i]!
    const size = bits & 0x7fff
    target[at + i] = ((bits & 0x8000) << 16) | (size << 13)
    if (size > largest) largest = size
  }
  for (let i = at; i < at + length; i++) floats[i] = floats[i]! * halfToSingle
  return largest >= 0x7c00 ? Number.NaN : floatOf(largest << 13) * halfToSingle
}

function copySingles(from: Int32Array, offset: number, length: number, into: Int32Array, at: number): number {
  let largest = 0
  for (let i = 0; i < length; i++) {
    const bits = from[offset + i]!
    into[at + i] = bits
    const size = bits & 0x7fffffff
    if (size > largest) largest = size
  }
  return largest >= 0x7f800000 ? Number.NaN : floatOf(largest)
}

const oneBits = new Int32Array(1)
const oneFloat = new Float32Array(oneBits.buffer)

function floatOf(bits: number): number {
  oneBits[0] = bits
  return oneFloat[0]!
}

/** Adding it leaves a double's rounded value, halves to even, in its lowest 32 bits. */
const rounder = 1.5 * 2 ** 52

/** What an fp32 value is multiplied by, and what the int8 is multiplied by to come back (rounded to fp32 where it is stored). */
export function scalesOf(largest: number): { readonly factor: number; readonly scale: number } {
  return largest === 0 ? { factor: 0, scale: 0 } : { factor: 127 / largest, scale: largest / 127 }
}

/** Rows of a matrix as int8, each times its factor, rows first. */
export function quantiseRows(
  rows: Float32Array,
  count: number,
  columns: number,
  factors: Float64Array,
  into: Int8Array
): void {
  for (let row = 0; row < count; row++) {
    const factor = factors[row]!
    const end = (row + 1) * columns
    for (let i = row * columns; i < end; i++) into[i] = (rows[i]! * factor + rounder) | 0
  }
}

/** Columns that are turned together: what they write stays in the first cache. */
const tileColumns = 128

/**
 * Rows of a matrix as int8, each times its factor, turned: value (row, column) goes to `column * stride + first + row` of
 * `into`. Four rows make one word where everything is a multiple of four.
 */
export function quantiseTurned(
  rows: Float32Array,
  count: number,
  columns: number,
  factors: Float64Array,
  into: Int8Array,
  stride: number,
  first: number
): void {
  const words =
    (count | stride | first | into.byteOffset) % 4 === 0 ? new Int32Array(into.buffer, into.byteOffset) : null
  for (let start = 0; start < columns; start += tileColumns) {
    const end = Math.min(start + tileColumns, columns)
    if (words === null) turnBytes(rows, count, columns, factors, into, stride, first, start, end)
    else turnWords(rows, count, columns, factors, words, stride, first, start, end)
  }
}

function turnBytes(
  rows: Float32Array,
  count: number,
  columns: number,
  factors: Float64Array,
  into: Int8Array,
  stride: number,
  first: number,
  start: number,
  end: number
): void {
  for (let row = 0; row < count; row++) {
    const factor = factors[row]!
    for (let column = start; column < end; column++) {
      into[column * stride + first + row] = (rows[row * columns + column]! * factor + rounder) | 0
    }
  }
}

function turnWords(
  rows: Float32Array,
  count: number,
  columns: number,
  factors: Float64Array,
  into: Int32Array,
  stride: number,
  first: number,
  start: number,
  end: number
): void {
  const step = stride / 4
  for (let row = 0; row < count; row += 4) {
    const factor0 = factors[row]!
    const factor1 = factors[row + 1]!
    const factor2 = factors[row + 2]!
    const factor3 = factors[row + 3]!
    let from = row * columns + start
    let to = start * step + (first + row) / 4
    for (let column = start; column < end; column++) {
      const value0 = (rows[from]! * factor0 + rounder) | 0
      const value1 = (rows[from + columns]! * factor1 + rounder) | 0
      const value2 = (rows[from + 2 * columns]! * factor2 + rounder) | 0
      const value3 = (rows[from + 3 * columns]! * factor3 + rounder) | 0
      into[to] = (value0 & 255) | ((value1 & 255) << 8) | ((value2 & 255) << 16) | (value3 << 24)
      from++
      to += step
    }
  }
}
