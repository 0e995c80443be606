/** Rows in whole numbers from 1 to 127, 64 for zero, and what one step of each row is worth. */
export type RoundedRows = { readonly values: Uint8Array; readonly steps: Float32Array }

/**
 * Activations are rounded row by row to -63..63: two products of such with weights of -127..127 fit 16 bits, which some
 * processors add them in, so that the integer product is exact on every machine.
 */
export const activationMax = 63
/** Unsigned with this zero: kernels for unsigned times signed bytes exist everywhere. */
export const activationZero = 64
/** A row of zeros has no size to divide by. */
export const smallestSize = 1e-30

/** Rounds as the int8 graphs do, in the arithmetic of fp32 and halves to even, so that both come to the same numbers. */
export function roundRows(rows: Float32Array, width: number): RoundedRows {
  const values = new Uint8Array(rows.length)
  const steps = new Float32Array(rows.length / width)
  for (let row = 0; row < steps.length; row++) {
    const own = rows.subarray(row * width, (row + 1) * width)
    let size = Math.fround(smallestSize)
    for (const value of own) size = Math.max(size, Math.abs(value))
    steps[row] = size * Math.fround(1 / activationMax)
    for (let i = 0; i < width; i++)
      values[row * width + i] = roundHalfToEven(Math.fround(own[i]! / steps[row]!)) + activationZero
  }
  return { values, steps }
}

function roundHalfToEven(value: number): number {
  const nearest = Math.round(value)
  return nearest - value === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest
}
