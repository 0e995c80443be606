/** Sums over the parts two deltas share, from which the angle between them follows. */
type Pair = { product: number; squares: number; otherSquares: number }

export type PartOfDelta = { readonly account: string; readonly values: Float32Array }

/** Tells which of several deltas are copies of earlier ones. Takes them part by part, so that no two are whole in memory. */
export interface CopyFinder {
  /** The same part of two deltas that both change it. */
  addPair(one: PartOfDelta, earlier: PartOfDelta): void
  /** Of every account that others come before: how like it is to the one it is most like, as a cosine. */
  likest(): ReadonlyMap<string, number>
}

export function createCopyFinder(): CopyFinder {
  const pairs = new Map<string, Map<string, Pair>>()
  return {
    addPair(one, earlier) {
      addTo(pairOf(pairs, one.account, earlier.account), one.values, earlier.values)
    },
    likest: () =>
      new Map([...pairs].map(([account, others]) => [account, Math.max(...[...others.values()].map(cosineOf))]))
  }
}

function pairOf(pairs: Map<string, Map<string, Pair>>, account: string, other: string): Pair {
  const others = pairs.get(account) ?? new Map<string, Pair>()
  pairs.set(account, others)
  const pair = others.get(other) ?? { product: 0, squares: 0, otherSquares: 0 }
  others.set(other, pair)
  return pair
}

function addTo(pair: Pair, values: Float32Array, others: Float32Array): void {
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!
    const other = others[at]!
    pair.product += value * other
    pair.squares += value * value
    pair.otherSquares += other * other
  }
}

function cosineOf({ product, squares, otherSquares }: Pair): number {
  const lengths = Math.sqrt(squares) * Math.sqrt(otherSquares)
  return lengths > 0 ? product / lengths : 0
}
