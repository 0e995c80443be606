import { createIntegerGenerator } from './integer-generator.ts'

/** Chooses a token from `logits` [vocabulary]. */
export type TokenChooser = (logits: Float32Array) => number

/**
 * Temperature 0 takes the highest logit (the lower token of equals); otherwise tokens are drawn from
 * softmax(logits / temperature) with a generator seeded by `seed`, so the same logits give the same tokens.
 */
export function createTokenChooser(temperature: number, seed: string): TokenChooser {
  if (temperature === 0) return indexOfHighest
  const next = createIntegerGenerator(`blyan-sampling/1|${seed}`)
  return logits => {
    const highest = logits[indexOfHighest(logits)]!
    const shares = Float64Array.from(logits, logit => Math.exp((logit - highest) / temperature))
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
