import { balanceOf, move, systemAccounts } from '../../ledger/index.ts'
import type { Moment } from './moment.ts'
import { learningSettings } from './settings.ts'

/**
 * Pays for one adopted candidate out of the reward pool, in proportion to the scores; what does not divide stays there.
 * Each call pays each account once; what was paid, by account.
 */
export function payForCandidate(
  { state, genesis }: Moment,
  scores: ReadonlyMap<string, bigint>
): ReadonlyMap<string, bigint> {
  const paid = new Map<string, bigint>()
  const total = [...scores.values()].reduce((sum, score) => sum + score, 0n)
  if (total === 0n) return paid
  const pool = balanceOf(state, systemAccounts.rewardPool, 'BLY')
  const { rewardUnits } = learningSettings(state, genesis)
  const units = least(pool, rewardUnits)
  for (const [account, score] of scores) {
    const share = (units * score) / total
    if (share === 0n) continue
    move(state, systemAccounts.rewardPool, account, 'BLY', share)
    paid.set(account, share)
  }
  return paid
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other
}
