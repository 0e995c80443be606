import { balanceOf, systemAccounts } from '../book/book.ts'
import { share } from '../book/coins.ts'
import { issueUpTo } from '../book/issuance.ts'
import type { Period, RuleInput } from '../book/rule.ts'
import { numberOf, parameterOf } from '../parameters.ts'

const million = 1_000_000n
const dayMs = 24n * 3_600_000n

/** Where the money of one settlement comes from, and who gets how much of it. */
export type Budget = {
  /** What the day allows this period. */
  readonly dayUnits: bigint
  /** What the reward pool had before, and what was issued into it for this. */
  readonly poolUnits: bigint
  readonly issuedUnits: bigint
  readonly validators: Scale
  readonly experts: Scale
}

/** Everybody is paid `reward x paid / wanted`, rounded down. */
export type Scale = { readonly wanted: bigint; readonly paid: bigint }

/**
 * Rewards are paid from the pool; what it lacks is issued as far as the year allows. Less than wanted is shared in
 * proportion: experts have at most their share, and whatever validators have not earned.
 */
export function budgetOf(
  { state, genesis, nowMs }: RuleInput,
  { sinceMs, untilMs }: Period,
  wanted: { readonly validators: bigint; readonly experts: bigint }
): Budget {
  const periodMs = Math.min(untilMs - sinceMs, numberOf(state, genesis, 'periodMs'))
  const dayUnits = share(parameterOf(state, genesis, 'rewardDayUnits'), BigInt(periodMs), dayMs)
  const needed = least(wanted.validators + wanted.experts, dayUnits)
  const poolUnits = balanceOf(state, systemAccounts.rewardPool, 'BLY')
  const issuedUnits = needed > poolUnits ? issueUpTo(state, genesis, needed - poolUnits, nowMs) : 0n
  const available = least(needed, poolUnits + issuedUnits)
  const reserved = share(available, parameterOf(state, genesis, 'expertBudgetPpm'), million)
  const left = available > wanted.validators ? available - wanted.validators : 0n
  const experts = least(wanted.experts, reserved > left ? reserved : left)
  const validators = least(wanted.validators, available - experts)
  return {
    dayUnits,
    poolUnits,
    issuedUnits,
    validators: { wanted: wanted.validators, paid: validators },
    experts: { wanted: wanted.experts, paid: experts }
  }
}

export function scaled(reward: bigint, { wanted, paid }: Scale): bigint {
  return wanted === 0n ? 0n : share(reward, paid, wanted)
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other
}
