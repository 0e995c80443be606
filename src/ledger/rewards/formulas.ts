/*
 * The seed's formulas (004, "Validator Rewards" and "Dynamic Reward Formula") in whole numbers: every factor is a
 * fraction, all of them are multiplied first, and the one division at the end rounds down.
 */

/** What one validator did in a period. */
export type ValidatorWork = {
  /** Rounds in which it has a vertex that was committed in the period. */
  readonly committed: number
  readonly rounds: number
  /** Committed time in which it was there, and all of it. */
  readonly presentMs: number
  readonly spanMs: number
  /** Sum over the rounds in which its lateness was measured. */
  readonly lateMsTotal: number
  readonly roundsMeasured: number
  /** Votes for a checkpoint that nobody certified. */
  readonly wrongVotes: number
  readonly punishments: number
  readonly penaltyUnits: bigint
}

export type ValidatorTerms = { readonly baseUnits: bigint; readonly speedLimitMs: number }

/** What one account did for one expert in a period. */
export type ExpertWork = {
  /** Calls of the expert at all its holders, and at this one. */
  readonly expertCalls: number
  readonly calls: number
  readonly responseMsTotal: number
  /** From its last use to the settlement. */
  readonly idleMs: number
  /** 0 where nobody scored it. */
  readonly scorePpm: number
}

/** A use of this many calls counts once, twice as many and more count twice. */
const usageFull = 100n
const usageMax = 200n
/** Used within this time of the settlement: the full reward. */
export const recentMs = 3_600_000

/** Faster on average than the limit; nobody is without a measurement. */
export function isFast({ lateMsTotal, roundsMeasured }: ValidatorWork, speedLimitMs: number): boolean {
  return roundsMeasured > 0 && lateMsTotal < speedLimitMs * roundsMeasured
}

export function isCorrect({ wrongVotes, punishments }: ValidatorWork): boolean {
  return wrongVotes === 0 && punishments === 0
}

/** base x participation x (1 + uptime) x 1.1 if fast x 1.2 if correct - penalties, at least 0. */
export function validatorReward(work: ValidatorWork, { baseUnits, speedLimitMs }: ValidatorTerms): bigint {
  const rounds = BigInt(work.rounds)
  const span = BigInt(work.spanMs)
  if (rounds === 0n) return 0n
  const uptime =
    span === 0n ? { over: 1n, under: 1n } : { over: span + least(BigInt(work.presentMs), span), under: span }
  const fast = isFast(work, speedLimitMs) ? 11n : 10n
  const correct = isCorrect(work) ? 12n : 10n
  const over = baseUnits * least(BigInt(work.committed), rounds) * uptime.over * fast * correct
  const reward = over / (rounds * uptime.under * 100n) - work.penaltyUnits
  return reward < 0n ? 0n : reward
}

/** base x usage x this holder's part of the calls x speed x quality x recency. */
export function expertReward(work: ExpertWork, baseUnits: bigint): bigint {
  const calls = BigInt(work.calls)
  if (calls === 0n) return 0n
  const expertCalls = BigInt(work.expertCalls)
  const speed = speedOf(calls, BigInt(work.responseMsTotal))
  const quality = 1_000_000n + BigInt(work.scorePpm)
  const recency = work.idleMs <= recentMs ? 10n : 8n
  const over = baseUnits * least(expertCalls, usageMax) * calls * speed.over * quality * recency
  return over / (usageFull * expertCalls * speed.under * 1_000_000n * 10n)
}

/** Two less the mean response in seconds, at least a half. */
function speedOf(calls: bigint, responseMsTotal: bigint): { readonly over: bigint; readonly under: bigint } {
  const over = 2000n * calls - responseMsTotal
  const under = 1000n * calls
  return 2n * over < under ? { over: 1n, under: 2n } : { over, under }
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other
}
