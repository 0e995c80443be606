import type { StateView } from '../../dag/index.ts'
import { move, systemAccounts } from '../book/book.ts'
import { share } from '../book/coins.ts'
import { readPool, writePool } from './pool-records.ts'

/** The earnings index counts parts of 10^18 of a base unit for each share. */
export const indexOne = 10n ** 18n

/**
 * Gives what a validator has earned to its operator (the commission) and to all who have bonded with it, by their shares.
 * The coins must have been moved to @earned just before. When there is no such operator they go back to the reward pool.
 */
export function addEarnings(
  state: StateView,
  { operator, units }: { readonly operator: string; readonly units: bigint }
): void {
  const pool = readPool(state, operator)
  if (pool === undefined) {
    move(state, systemAccounts.earned, systemAccounts.rewardPool, 'BLY', units)
    return
  }
  const commission = pool.shareUnits === 0n ? units : share(units, BigInt(pool.commissionBasisPoints), 10_000n)
  const parted = (units - commission) * indexOne + pool.earningsRest
  writePool(state, {
    ...pool,
    commissionUnits: pool.commissionUnits + commission,
    earningsIndex: pool.shareUnits === 0n ? pool.earningsIndex : pool.earningsIndex + parted / pool.shareUnits,
    earningsRest: pool.shareUnits === 0n ? pool.earningsRest : parted % pool.shareUnits
  })
}

/** Pays the operator the commission it has not claimed. Gives what was paid. */
export function payCommission(state: StateView, operator: string): bigint {
  const pool = readPool(state, operator)
  if (pool === undefined || pool.commissionUnits === 0n) return 0n
  move(state, systemAccounts.earned, operator, 'BLY', pool.commissionUnits)
  writePool(state, { ...pool, commissionUnits: 0n })
  return pool.commissionUnits
}
