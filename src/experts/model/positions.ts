/** What attention needs to know about places: rotary angles and who may look at whom. */

export type RotaryRows = { readonly cosines: Float32Array; readonly sines: Float32Array }

/** Cosines and sines [places, headWidth]; both halves of a row hold the same angles. */
export function rotaryRows(places: ArrayLike<number>, headWidth: number, base: number): RotaryRows {
  const cosines = new Float32Array(places.length * headWidth)
  const sines = new Float32Array(places.length * headWidth)
  const half = headWidth / 2
  const turns = Float64Array.from({ length: half }, (_, i) => base ** (-i / half))
  for (let row = 0; row < places.length; row++) {
    for (let i = 0; i < half; i++) {
      const angle = places[row]! * turns[i]!
      const at = row * headWidth + i
      cosines[at] = cosines[at + half] = Math.cos(angle)
      sines[at] = sines[at + half] = Math.sin(angle)
    }
  }
  return { cosines, sines }
}

/**
 * What is added to scores [count, past + count - first] of new tokens over the rows from `first`: 0 where a token may look,
 * far below any score where it may not. With a window a token looks at itself and the `window - 1` before it.
 */
export function attentionMask(past: number, count: number, first: number, window: number | null): Float32Array {
  const length = past + count - first
  const mask = new Float32Array(count * length)
  for (let row = 0; row < count; row++) {
    const own = past + row - first
    mask.fill(-1e30, row * length + own + 1, (row + 1) * length)
    if (window !== null && own >= window) mask.fill(-1e30, row * length, row * length + own - window + 1)
  }
  return mask
}
