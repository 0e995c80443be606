import { concatBytes, sha256 } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'

/** Packed text under one CID, and how much of it there is. */
export type Shard = { readonly cid: string; readonly bytes: number }

/** Where a sequence begins: this byte of the text in this shard. */
export type Draw = { readonly shard: string; readonly offset: number }

/** Part `index` of `count` equal parts of all text. */
export type Slice = { readonly index: number; readonly count: number }

export type DrawRequest = {
  readonly seed: Uint8Array
  readonly shards: readonly Shard[]
  readonly count: number
  /** Bytes that must follow each place in its shard. */
  readonly bytesEach: number
  readonly slice?: Slice
}

/**
 * Draws places in text: every place where a sequence fits has the same chance, and the seed alone decides. Whoever knows
 * seed and shards draws the same on every machine. Throws DRAW_IMPOSSIBLE when no sequence fits.
 */
export function drawSequences({ seed, shards, count, bytesEach, slice }: DrawRequest): readonly Draw[] {
  const places = shards.map(({ bytes }) => Math.max(0, bytes - bytesEach + 1))
  const total = places.reduce((sum, each) => sum + each, 0)
  const { first, range } = rangeOf(total, slice ?? { index: 0, count: 1 })
  if (range < 1) throw new BlyanError('DRAW_IMPOSSIBLE', { bytesEach, shards: shards.length })
  const lot = createLots(seed)
  return Array.from({ length: count }, (_, index) => {
    let place = first + lot(range, index)
    let at = 0
    while (place >= places[at]!) place -= places[at++]!
    return { shard: shards[at]!.cid, offset: place }
  })
}

function rangeOf(total: number, { index, count }: Slice): { first: number; range: number } {
  if (!Number.isSafeInteger(index) || index < 0 || index >= count) return { first: 0, range: 0 }
  const first = portion(total, index, count)
  return { first, range: portion(total, index + 1, count) - first }
}

function portion(total: number, index: number, count: number): number {
  return Number((BigInt(total) * BigInt(index)) / BigInt(count))
}

/** Numbers of a seed, four from each digest. The high half of 64 bits times `range`: even to one part in 2^64 / range. */
function createLots(seed: Uint8Array): (range: number, index: number) => number {
  const bytes = concatBytes(seed, new Uint8Array(4))
  const counter = new DataView(bytes.buffer, seed.length)
  let at = -1
  let words = counter
  return (range, index) => {
    if (at !== index >>> 2) {
      at = index >>> 2
      counter.setUint32(0, at)
      words = new DataView(sha256(bytes).buffer)
    }
    return Number((words.getBigUint64(8 * (index & 3)) * BigInt(range)) >> 64n)
  }
}

export type CorpusShards = { readonly account: string; readonly corpus: string; readonly shards: readonly Shard[] }

/**
 * The same over several corpora, each with the same share of the sequences however large it is: nobody wins a
 * measurement by publishing much text. Corpora too short for one sequence, and more than `corporaMax`, are left out by lot.
 */
export function drawFromCorpora(request: {
  readonly seed: Uint8Array
  readonly corpora: readonly CorpusShards[]
  readonly count: number
  readonly bytesEach: number
  readonly corporaMax: number
  /** Shards of one corpus that are drawn from at most: each has to be fetched. */
  readonly shardsEachMax: number
}): readonly (Draw & { readonly corpus: string; readonly account: string })[] {
  const { seed, corpora, count, bytesEach, corporaMax, shardsEachMax } = request
  const fitting = corpora.filter(({ shards }) => shards.some(({ bytes }) => bytes >= bytesEach))
  const chosen = chooseSome(fitting, corporaMax, purposeSeed(seed, 'corpora'))
  if (chosen.length === 0) throw new BlyanError('DRAW_IMPOSSIBLE', { bytesEach, shards: 0 })
  return chosen.flatMap(({ corpus, account, shards }, index) => {
    const long = shards.filter(({ bytes }) => bytes >= bytesEach)
    const own = purposeSeed(seed, `corpus ${index}`)
    const share = portion(count, index + 1, chosen.length) - portion(count, index, chosen.length)
    const from = chooseSome(long, shardsEachMax, own)
    return drawSequences({ seed: own, shards: from, count: share, bytesEach }).map(draw => ({
      ...draw,
      corpus,
      account
    }))
  })
}

/** A seed for one purpose, so that draws for different purposes have nothing in common. */
export function purposeSeed(seed: Uint8Array, purpose: string): Uint8Array {
  return sha256(concatBytes(seed, new TextEncoder().encode(purpose)))
}

/** `countMax` different items by lot, in their order. */
function chooseSome<T>(items: readonly T[], countMax: number, seed: Uint8Array): readonly T[] {
  if (items.length <= countMax) return items
  const left = items.map((_, index) => index)
  const lot = createLots(seed)
  const taken = Array.from({ length: countMax }, (_, turn) => left.splice(lot(left.length, turn), 1)[0]!)
  return taken.sort((one, other) => one - other).map(index => items[index]!)
}
