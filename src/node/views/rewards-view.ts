import { BlyanError } from '../../errors/index.ts'
import {
  countsOfAll,
  isCorrect,
  isFast,
  numberOf,
  parameterOf,
  periodNow,
  periodsKept,
  readPool,
  readSettlement,
  type Settlement,
  type ValidatorWork,
  validatorReward,
  workOf
} from '../../ledger/index.ts'
import type { LedgerAccess } from '../blyan-node.ts'

/** What one validator did, and what it earned by it. Amounts are base units, as decimal strings. */
export type ValidatorRewardView = Omit<ValidatorWork, 'penaltyUnits' | 'rounds' | 'spanMs'> & {
  readonly operator: string
  readonly name: string | null
  readonly isFast: boolean
  readonly isCorrect: boolean
  readonly penaltyUnits: string
  /** By the formula. */
  readonly rewardUnits: string
}

export type ExpertRewardView = {
  readonly expert: string
  /** Of all holders that are vouched for. */
  readonly expertCalls: number
  readonly holder: string
  readonly calls: number
  readonly responseMsTotal: number
  readonly lastMs: number
  readonly scorePpm: number
  readonly scoredPpm: number
  readonly rewardUnits: string
  readonly paidUnits: string
}

/** Everybody is paid `reward x paid / wanted`. */
export type ScaleView = { readonly paidUnits: string; readonly wantedUnits: string }

/** A settled period with every number that it was computed from. */
export type SettlementView = {
  readonly period: number
  readonly since: string
  readonly until: string
  readonly untilMs: number
  readonly rounds: number
  readonly spanMs: number
  readonly baseUnits: string
  readonly speedLimitMs: number
  readonly expertBaseUnits: string
  readonly expertScoredMinPpm: number
  /** What the day allowed this period, what the pool had, and what was issued into it for this. */
  readonly dayUnits: string
  readonly poolUnits: string
  readonly issuedUnits: string
  readonly validatorScale: ScaleView
  readonly expertScale: ScaleView
  readonly validators: readonly (ValidatorRewardView & { readonly paidUnits: string })[]
  readonly experts: readonly ExpertRewardView[]
}

/** The period that runs: what everybody would earn if it ended now, before it is scaled. */
export type RunningPeriodView = Pick<SettlementView, 'period' | 'since' | 'rounds' | 'spanMs' | 'baseUnits'> & {
  readonly speedLimitMs: number
  /** Not before. */
  readonly endsAt: string
  readonly validators: readonly ValidatorRewardView[]
}

/** The period that is asked for, or the last ones, the newest first. Throws PERIOD_UNKNOWN. */
export function settlementViews(
  { state, genesis }: LedgerAccess,
  { period, last }: { readonly period?: number; readonly last: number }
): SettlementView[] {
  const newest = periodNow(state, genesis).number - 1
  if (period === undefined) {
    const numbers = Array.from({ length: Math.min(last, newest, periodsKept.validators) }, (_, back) => newest - back)
    return numbers.map(number => viewOf({ state }, readSettlement(state, number)!))
  }
  const settlement = readSettlement(state, period)
  if (settlement !== undefined) return [viewOf({ state }, settlement)]
  throw new BlyanError('PERIOD_UNKNOWN', { period, oldest: Math.max(1, newest - periodsKept.validators + 1), newest })
}

export function runningPeriodView({ state, genesis }: LedgerAccess): RunningPeriodView {
  const { number, sinceMs } = periodNow(state, genesis)
  const terms = {
    baseUnits: parameterOf(state, genesis, 'rewardBaseUnits'),
    speedLimitMs: numberOf(state, genesis, 'speedLimitMs')
  }
  const works = countsOfAll(state).map(([operator, counts]) => ({
    operator,
    work: workOf(state, operator, counts, number)
  }))
  const { rounds, spanMs } = works[0]?.work ?? { rounds: 0, spanMs: 0 }
  return {
    period: number,
    since: iso(sinceMs),
    endsAt: iso(sinceMs + numberOf(state, genesis, 'periodMs')),
    rounds,
    spanMs,
    baseUnits: terms.baseUnits.toString(),
    speedLimitMs: terms.speedLimitMs,
    validators: works.map(({ operator, work }) =>
      validatorView({ state }, { operator, work, rewardUnits: validatorReward(work, terms) }, terms.speedLimitMs)
    )
  }
}

type StateAccess = Pick<LedgerAccess, 'state'>

function viewOf(access: StateAccess, settlement: Settlement): SettlementView {
  const { number, sinceMs, untilMs, rounds, spanMs, terms, budget, validators, experts } = settlement
  return {
    period: number,
    since: iso(sinceMs),
    until: iso(untilMs),
    untilMs,
    rounds,
    spanMs,
    baseUnits: terms.baseUnits.toString(),
    speedLimitMs: terms.speedLimitMs,
    expertBaseUnits: terms.expertBaseUnits.toString(),
    expertScoredMinPpm: terms.expertScoredMinPpm,
    dayUnits: budget.dayUnits.toString(),
    poolUnits: budget.poolUnits.toString(),
    issuedUnits: budget.issuedUnits.toString(),
    validatorScale: scaleView(budget.validators),
    expertScale: scaleView(budget.experts),
    validators: validators.map(row => ({
      ...validatorView(access, row, terms.speedLimitMs),
      paidUnits: row.paidUnits.toString()
    })),
    experts: experts.map(({ rewardUnits, paidUnits, ...row }) => ({
      ...row,
      rewardUnits: rewardUnits.toString(),
      paidUnits: paidUnits.toString()
    }))
  }
}

function validatorView(
  { state }: StateAccess,
  { operator, work, rewardUnits }: { operator: string; work: ValidatorWork; rewardUnits: bigint },
  speedLimitMs: number
): ValidatorRewardView {
  const { rounds: _rounds, spanMs: _spanMs, penaltyUnits, ...counts } = work
  return {
    operator,
    name: readPool(state, operator)?.name ?? null,
    ...counts,
    isFast: isFast(work, speedLimitMs),
    isCorrect: isCorrect(work),
    penaltyUnits: penaltyUnits.toString(),
    rewardUnits: rewardUnits.toString()
  }
}

function scaleView({ paid, wanted }: Settlement['budget']['validators']): ScaleView {
  return { paidUnits: paid.toString(), wantedUnits: wanted.toString() }
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
