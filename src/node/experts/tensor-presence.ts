import type { TensorStore } from '../../tiles/index.ts'

/** Whether tensors are on this machine, for models of thousands of parts: looked up anew every few seconds, never all at once. */
export interface TensorPresence {
  has(tensor: string): boolean
  /** After this node fetched, drew or dropped some. */
  forget(): void
}

const hereFreshMs = 5_000
const awayFreshMs = 1_000
/** Each is kept a little longer than the one before, so that lookups do not come together. */
const spreads = 16
const tensorsMax = 262_144

export function createTensorPresence(tensors: Pick<TensorStore, 'has'>, nowMs: () => number): TensorPresence {
  let lookups = 0
  const known = new Map<string, { readonly isHere: boolean; readonly untilMs: number }>()
  return {
    has(tensor) {
      const found = known.get(tensor)
      if (found !== undefined && nowMs() < found.untilMs) return found.isHere
      const isHere = tensors.has(tensor)
      if (known.size >= tensorsMax) known.clear()
      const freshMs = isHere ? hereFreshMs : awayFreshMs
      known.set(tensor, { isHere, untilMs: nowMs() + freshMs * (1 + (lookups++ % spreads) / spreads) })
      return isHere
    },
    forget: () => known.clear()
  }
}
