import type { StateView } from '../../dag/index.ts'
import type { Period, RuleInput } from '../book/rule.ts'
import { numberOf, parameterOf } from '../parameters.ts'
import { offencesIn } from '../slashing/offence-counts.ts'
import { type Budget, budgetOf, scaled } from './budget.ts'
import { expertReward, type ValidatorTerms, type ValidatorWork, validatorReward } from './formulas.ts'
import { type ExpertRow, type ValidatorRow, writeSettlement } from './history.ts'
import { payHolders, payOperator } from './payout.ts'
import type { Counts } from './places.ts'
import { SetOpinion } from './scores.ts'
import { beginTally, countsOfAll, readTally } from './tally.ts'
import { clearUsage, readUsage } from './usage.ts'

type Unpaid<Row> = Omit<Row, 'paidUnits'>

/** Pays what a period has earned, writes down how it was computed, and begins to count the next one. */
export function settlePeriod(input: RuleInput, period: Period): void {
  const { state, genesis } = input
  const terms = {
    baseUnits: parameterOf(state, genesis, 'rewardBaseUnits'),
    speedLimitMs: numberOf(state, genesis, 'speedLimitMs'),
    expertBaseUnits: parameterOf(state, genesis, 'expertBaseUnits'),
    expertScoredMinPpm: numberOf(state, genesis, 'expertScoredMinPpm')
  }
  const earnedByValidators = validatorRows(state, period.number, terms)
  const earnedByExperts = expertRows(input, period, terms)
  const budget = budgetOf(input, period, { validators: sum(earnedByValidators), experts: sum(earnedByExperts) })
  const validators = paidRows(earnedByValidators, budget.validators)
  const experts = paidRows(earnedByExperts, budget.experts)
  for (const { operator, paidUnits } of validators) payOperator(state, operator, paidUnits)
  payHolders(input, byHolder(experts))
  const { rounds, spanMs } = wholeOf(state)
  writeSettlement(state, { ...period, rounds, spanMs, terms, budget, validators, experts })
  beginTally(state)
  clearUsage(state)
}

/** What one operator has done in the period until now. */
export function workOf(state: StateView, operator: string, counts: Counts, period: number): ValidatorWork {
  const { count, burntUnits } = offencesIn(state, operator, period)
  return {
    ...wholeOf(state),
    committed: counts.committed,
    presentMs: counts.presentMs,
    lateMsTotal: counts.lateMs,
    roundsMeasured: counts.measured,
    wrongVotes: counts.wrong,
    punishments: count,
    penaltyUnits: burntUnits
  }
}

function wholeOf(state: StateView): Pick<ValidatorWork, 'rounds' | 'spanMs'> {
  const tally = readTally(state)
  return tally === undefined
    ? { rounds: 0, spanMs: 0 }
    : { rounds: tally.round - tally.fromRound, spanMs: tally.spanMs }
}

function validatorRows(state: StateView, period: number, terms: ValidatorTerms): Unpaid<ValidatorRow>[] {
  return countsOfAll(state).map(([operator, counts]) => {
    const work = workOf(state, operator, counts, period)
    return { operator, work, rewardUnits: validatorReward(work, terms) }
  })
}

function expertRows(
  { state, genesis }: RuleInput,
  { number, untilMs }: Period,
  terms: { readonly expertBaseUnits: bigint; readonly expertScoredMinPpm: number }
): Unpaid<ExpertRow>[] {
  const usage = readUsage(state)
  if (usage.length === 0) return []
  const opinion = new SetOpinion(state, genesis, { period: number })
  return usage.flatMap(({ expert, holders }) => {
    const known = holders.map(one => ({ ...one, ...opinion.of(expert, one.holder) }))
    // Calls that nobody vouches for neither earn nor lessen what others earn.
    const isVouched = ({ scoredPpm }: { scoredPpm: number }): boolean => scoredPpm >= terms.expertScoredMinPpm
    const expertCalls = known.filter(isVouched).reduce((total, { calls }) => total + calls, 0)
    return known.map(({ lastMs, ...one }) => {
      const work = { ...one, expertCalls, idleMs: untilMs - lastMs }
      const rewardUnits = isVouched(one) ? expertReward(work, terms.expertBaseUnits) : 0n
      return { ...one, expert, expertCalls, lastMs, rewardUnits }
    })
  })
}

function paidRows<Row extends { readonly rewardUnits: bigint }>(
  rows: readonly Row[],
  scale: Budget['validators']
): (Row & { readonly paidUnits: bigint })[] {
  return rows.map(row => ({ ...row, paidUnits: scaled(row.rewardUnits, scale) }))
}

function byHolder(rows: readonly ExpertRow[]): Map<string, bigint> {
  const units = new Map<string, bigint>()
  for (const { holder, paidUnits } of rows) units.set(holder, (units.get(holder) ?? 0n) + paidUnits)
  return units
}

function sum(rows: readonly { readonly rewardUnits: bigint }[]): bigint {
  return rows.reduce((total, { rewardUnits }) => total + rewardUnits, 0n)
}
