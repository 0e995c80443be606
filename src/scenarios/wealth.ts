import type { StateView } from '../dag/index.ts'
import { balanceOf, bondsOf, claimableBy, entryUnits, readPool, unbondingOf } from '../ledger/index.ts'

/** All BLY of an account: free, bonded, on its way out, and earned but not claimed. */
export function wealthOf(state: StateView, account: string): bigint {
  let units = balanceOf(state, account, 'BLY') + (readPool(state, account)?.commissionUnits ?? 0n)
  for (const { operator, units: bonded } of bondsOf(state, account))
    units += bonded + claimableBy(state, account, operator).earned
  for (const entry of unbondingOf(state, account)) units += entryUnits(state, entry)
  return units
}
