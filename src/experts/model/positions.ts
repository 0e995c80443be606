/** What attention needs to know about places: rotary angles and who may look at whom. */

export type RotaryRows = { readonly cosines: Float32Array; readonly sines: Float32Array }

/** Cosines and sines [count, headWidth] for positions from `first`; both halves of a row hold the same angles. */
export function rotaryRows(first: number, count: number, headWidth: number, base: number): RotaryRows {
  const cosines = new Float32Array(count * headWidth)
  const sines = new Float32Array(count * headWidth)
  const half = headWidth / 2
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < half; i++) {
      const angle = (first + row) / base ** (i / half)
      const at = row * headWidth + i
      cosines[at] = cosines[at + half] = Math.cos(angle)
      sines[at] = sines[at + half] = Math.sin(angle)
    }
  }
  return { cosines, sines }
}

/** What is added to scores [count, past + count]: 0 where a token may look, far below any score where it may not. */
export function causalMask(past: number, count: number): Float32Array {
  const length = past + count
  const mask = new Float32Array(count * length)
  for (let row = 0; row < count; row++) mask.fill(-1e30, row * length + past + row + 1, (row + 1) * length)
  return mask
}
