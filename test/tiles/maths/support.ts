import { type TileLayout, tileLayouts } from '../../../src/tiles/maths/tile-layout.ts'

/** The same numbers for the same seed: a mixed congruential generator, sums of four for something like a bell. */
export function noise(length: number, seed: number, scale = 1): Float32Array {
  let state = seed | 0
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return state / 2 ** 31
  }
  return Float32Array.from({ length }, () => (next() + next() + next() + next()) * scale)
}

/** Something like the change of a trained matrix: a few directions, a few large values, and noise. */
export function learnt({ rows, columns }: { rows: number; columns: number }, seed: number): Float32Array {
  const left = noise(rows * 2, seed)
  const right = noise(columns * 2, seed + 1)
  const rest = noise(rows * columns, seed + 2, 0.2)
  return rest.map((value, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns]
    const product = left[row * 2]! * right[column * 2]! + 0.5 * left[row * 2 + 1]! * right[column * 2 + 1]!
    return (product + value) * (at % 251 === 0 ? 4 : 1) * 1e-3
  })
}

/** A matrix whose sides are no multiples of 4, one whose sides are, and a vector; two chunks, the second not whole. */
export const smallLayout: TileLayout = tileLayouts(
  [
    { offset: 0, rows: 66, columns: 65 },
    { offset: 4290, rows: 32, columns: 64 }
  ],
  6371
)[0]!

export function smallDelta(seed: number): Float32Array {
  const delta = noise(smallLayout.length, seed, 1e-4)
  for (const { offset, rows, columns } of smallLayout.blocks.slice(0, 2)) {
    delta.set(learnt({ rows, columns }, seed), offset)
  }
  return delta
}

export function lengthOf(values: Float32Array): number {
  let squares = 0
  for (let at = 0; at < values.length; at++) squares += values[at]! ** 2
  return Math.sqrt(squares)
}

export function distance(first: Float32Array, second: Float32Array): number {
  let squares = 0
  for (let at = 0; at < first.length; at++) squares += (first[at]! - second[at]!) ** 2
  return Math.sqrt(squares)
}
