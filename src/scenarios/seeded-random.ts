/** Numbers that look random and are the same for a seed: a scenario gives the same result everywhere. */
export interface Random {
  /** From 0 up to, but not, 1. */
  next(): number
  /** A whole number from 0 up to, but not, `limit`. */
  below(limit: number): number
  /** True with this chance, in parts per million. */
  happens(chancePpm: number): boolean
  pick<Item>(items: readonly Item[]): Item
}

/** The generator sfc32, begun with the seed and a name, so that two parts of a scenario never share a sequence. */
export function createRandom(seed: number, name: string): Random {
  let [a, b, c, count] = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, hashOf(name), 1]
  const nextWord = (): number => {
    const sum = (a + b + count) | 0
    count = (count + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  for (let word = 0; word < 16; word++) nextWord()
  const next = (): number => nextWord() / 2 ** 32
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    next,
    below,
    happens: chancePpm => next() * 1_000_000 < chancePpm,
    pick: items => items[below(items.length)]!
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let place = 0; place < text.length; place++) hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193)
  return hash >>> 0
}
