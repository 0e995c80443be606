import type { Arithmetic } from './commitment.ts'

/**
 * How far one row is from another, relative to the length of the row that was expected: sqrt(sum (a-b)^2 / sum b^2).
 * Infinity where numbers came that are none; undefined where nothing can be said, because the expected row has no length.
 */
export function rowDifference(
  expected: Float32Array | Float64Array,
  actual: Float32Array | Float64Array
): number | undefined {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY
  let apart = 0
  let length = 0
  for (let place = 0; place < expected.length; place++) {
    const wanted = expected[place]!
    const difference = actual[place]! - wanted
    apart += difference * difference
    length += wanted * wanted
  }
  if (!Number.isFinite(length) || length < lengthLeast) return undefined
  return Number.isFinite(apart) ? Math.sqrt(apart / length) : Number.POSITIVE_INFINITY
}

/** Rows shorter than 1e-15 are rounding and nothing else. */
const lengthLeast = 1e-30

/**
 * What honest machines differ by in one arithmetic, with room: threads, batch sizes, kernels, devices. Measured by
 * `npm run bench -- integrity`, figures in docs/design.md. int4 in blocks of 32 instead of the named weights lies at 0.07
 * and above.
 */
export const tolerances: Readonly<Record<Arithmetic, number>> = Object.freeze({ float: 1e-3, integer: 1e-2 })
