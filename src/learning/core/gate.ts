import { roundRules } from './rules.ts'

const gainNanoMax = 1e15

export type GateVerdict = {
  /** Why it may not count; undefined where it may. */
  readonly refusal: 'not-finite' | 'no-gain' | 'poisoned' | undefined
  /** What it surely gains a token, in billionths of a nat: the mean over the sequences less its deviations, 0 at least. */
  readonly gainNano: number
  /** What it may gain at most: the mean and its deviations, 0 at least. */
  readonly mostNano: number
}

/**
 * Whether a delta may count: paired losses of the same sequences without and with it. Only what is worse beyond doubt is
 * refused here; whether the round as a whole is better, the quorum measures.
 */
export function judgeDelta(before: Float64Array, after: Float64Array): GateVerdict {
  const count = before.length
  let sum = 0
  for (let at = 0; at < count; at++) {
    const difference = before[at]! - after[at]!
    if (!Number.isFinite(difference)) return { refusal: 'not-finite', gainNano: 0, mostNano: 0 }
    sum += difference
  }
  const mean = sum / count
  let squares = 0
  for (let at = 0; at < count; at++) squares += (before[at]! - after[at]! - mean) ** 2
  const deviation = count > 1 ? Math.sqrt(squares / (count - 1) / count) : 0
  // What is surely gained is what is paid for: luck earns nothing.
  const sureNats = Math.max(0, mean - roundRules.gateDeviations * deviation)
  const gainNano = nanoOf(sureNats)
  const mostNano = nanoOf(Math.max(0, mean + roundRules.gateDeviations * deviation))
  if (mean + roundRules.gateDeviations * deviation < 0) {
    const isHarm = mean < -roundRules.harmShare * meanOf(before)
    return { refusal: isHarm ? 'poisoned' : 'no-gain', gainNano, mostNano }
  }
  return { refusal: undefined, gainNano, mostNano }
}

/**
 * Accounts whose deltas may gain a small share at most of what the best one surely does. The length of a sum follows
 * the lengths of what is in it, so that a few that bring nothing would bring it to nothing.
 */
export function besideNothing(gains: ReadonlyMap<string, number>, most: ReadonlyMap<string, number>): string[] {
  const best = Math.max(0, ...gains.values())
  return [...most].flatMap(([account, mostNano]) => (mostNano < roundRules.gainShareMin * best ? [account] : []))
}

function nanoOf(nats: number): number {
  return Math.trunc(Math.min(gainNanoMax, nats * 1e9))
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
