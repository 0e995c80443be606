import type { StateView } from '../../dag/index.ts'
import { earningsOf, readBond } from './bonds.ts'
import { readPool } from './pool-records.ts'

/** What an account could claim of an operator now: earned by its stake, and its commission where it is the operator. */
export function claimableBy(
  state: StateView,
  account: string,
  operator: string
): { readonly earned: bigint; readonly commission: bigint } {
  const pool = readPool(state, operator)
  const bond = readBond(state, account, operator)
  return {
    earned: pool === undefined || bond === undefined ? 0n : earningsOf(pool, bond),
    commission: pool !== undefined && account === operator ? pool.commissionUnits : 0n
  }
}
