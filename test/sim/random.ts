/** A seeded stream of numbers (sfc32): the only source of chance in the simulation. */
export type Random = {
  /** In [0, 1). */
  next(): number
  /** An integer in [low, high]. */
  integer(low: number, high: number): number
  /** In [low, high). */
  between(low: number, high: number): number
  chance(probability: number): boolean
  pick<T>(list: readonly T[]): T
  /** Some of the list, each kept with `probability`, in its order. */
  some<T>(list: readonly T[], probability: number): T[]
  shuffled<T>(list: readonly T[]): T[]
  /** A stream of its own, so that more draws in one place change nothing in another. */
  fork(): Random
}

export function createRandom(seed: number): Random {
  let a = 0x9e3779b9 ^ seed
  let b = 0x243f6a88 ^ Math.floor(seed / 4294967296)
  let c = 0xb7e15162
  let counter = 1
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return (t >>> 0) / 4294967296
  }
  for (let i = 0; i < 16; i++) next()
  const integer = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    integer,
    between: (low, high) => low + next() * (high - low),
    chance: probability => next() < probability,
    pick: list => list[integer(0, list.length - 1)]!,
    some: (list, probability) => list.filter(() => next() < probability),
    shuffled: list => {
      const out = [...list]
      for (let i = out.length - 1; i > 0; i--) {
        const j = integer(0, i)
        ;[out[i], out[j]] = [out[j]!, out[i]!]
      }
      return out
    },
    fork: () => createRandom(Math.floor(next() * Number.MAX_SAFE_INTEGER))
  }
}
