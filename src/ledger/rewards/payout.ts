import type { StateView } from '../../dag/index.ts'
import { schedule } from '../book/agenda.ts'
import { move, type Posting, post, systemAccounts } from '../book/book.ts'
import type { RuleInput } from '../book/rule.ts'
import { parameterOf } from '../parameters.ts'
import { addEarnings } from '../staking/earnings.ts'
import { readPool } from '../staking/pool-records.ts'

/** Agenda: what is owed is paid, however little. */
export const owedDue = 'rewards-owed'
/** Nothing is owed for longer. */
const owedMsMax = 24 * 3_600_000
const owedKey = (account: string): string => `owed/${account}`

/** Of a holder of experts: earned, and not paid because it is less than the least payout. */
export function owedTo(state: StateView, account: string): bigint {
  return BigInt((state.get(owedKey(account)) as string | undefined) ?? '0')
}

/** To the pool of an operator, for all who have bonded with it; to its account when it has none any more. */
export function payOperator(state: StateView, operator: string, units: bigint): void {
  if (units === 0n) return
  if (readPool(state, operator) === undefined) {
    move(state, systemAccounts.rewardPool, operator, 'BLY', units)
    return
  }
  move(state, systemAccounts.rewardPool, systemAccounts.earned, 'BLY', units)
  addEarnings(state, { operator, units })
}

/** Adds to what holders are owed, and pays those out who are owed enough: one entry for all of them. */
export function payHolders({ state, genesis, nowMs }: RuleInput, earned: ReadonlyMap<string, bigint>): void {
  const least = parameterOf(state, genesis, 'payoutMinUnits')
  const postings: Posting[] = []
  for (const [holder, units] of earned) {
    if (units === 0n) continue
    const before = owedTo(state, holder)
    const isPaid = before + units >= least
    postings.push({ account: systemAccounts.rewardPool, coin: 'BLY', change: -units })
    postings.push({ account: systemAccounts.owed, coin: 'BLY', change: isPaid ? -before : units })
    if (isPaid) postings.push({ account: holder, coin: 'BLY', change: before + units })
    if (!isPaid) state.set(owedKey(holder), (before + units).toString())
    else if (before > 0n) state.delete(owedKey(holder))
    if (!isPaid && before === 0n) schedule(state, nowMs + owedMsMax, owedDue, holder)
  }
  post(state, postings)
}

export function owedIsDue({ state }: RuleInput, holder: string): void {
  const units = owedTo(state, holder)
  if (units === 0n) return
  move(state, systemAccounts.owed, holder, 'BLY', units)
  state.delete(owedKey(holder))
}
