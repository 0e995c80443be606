import { createIntegerGenerator } from './integer-generator.ts'

/** Chooses a token from `logits` [vocabulary]. */
export type TokenChooser = (logits: Float32Array) => number

export type Sampling = {
  /** 0 takes the highest logit, the lower token of equals. */
  readonly temperature: number
  /** Above 0, at most 1: only the likeliest tokens that together have this share are drawn from. */
  readonly topP: number
  readonly seed: string
}

/**
 * Draws tokens from softmax(logits / temperature), cut to the likeliest `topP`, with a generator seeded by `seed`, so the
 * same logits give the same tokens.
 */
export function createTokenChooser({ temperature, topP, seed }: Sampling): TokenChooser {
  if (temperature === 0) return indexOfHighest
  const next = createIntegerGenerator(`blyan-sampling/1|${seed}`)
  return logits => {
    const highest = logits[indexOfHighest(logits)]!
    const shares = Float64Array.from(logits, logit => Math.exp((logit - highest) / temperature))
    if (topP < 1) keepLikeliest(shares, topP)
    const total = shares.reduce((sum, share) => sum + share, 0)
    let left = (next() / 2 ** 32) * total
    const drawn = shares.findIndex(share => {
      left -= share
      return left < 0
    })
    // Rounding may leave a last crumb; it belongs to the likeliest token.
    return drawn === -1 ? indexOfHighest(logits) : drawn
  }
}

/** Sets to 0 what does not belong to the fewest tokens whose shares reach `topP` of all. */
function keepLikeliest(shares: Float64Array, topP: number): void {
  const total = shares.reduce((sum, share) => sum + share, 0)
  // All that are smaller than this come to less than the share that is cut off, so few are left to be sorted.
  const smallest = ((1 - topP) * total) / shares.length
  const candidates: number[] = []
  shares.forEach((share, token) => {
    if (share >= smallest) candidates.push(token)
  })
  candidates.sort((a, b) => shares[b]! - shares[a]! || a - b)
  let reached = 0
  const kept = candidates.filter(token => {
    const isKept = reached < topP * total
    reached += shares[token]!
    return isKept
  })
  const likeliest = kept.map(token => shares[token]!)
  shares.fill(0)
  kept.forEach((token, i) => {
    shares[token] = likeliest[i]!
  })
}

/** -ln of the probability that softmax(logits) gives to `token`, in nats. */
export function crossEntropyNats(logits: Float32Array, token: number): number {
  const highest = logits[indexOfHighest(logits)]!
  let total = 0
  for (const logit of logits) total += Math.exp(logit - highest)
  return Math.log(total) + highest - logits[token]!
}

function indexOfHighest(logits: Float32Array): number {
  let best = 0
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i
  return best
}
