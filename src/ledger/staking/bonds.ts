import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { balanceOf, move, systemAccounts } from '../book/book.ts'
import { indexOne } from './earnings.ts'
import { type Pool, readPool, writePool } from './pool-records.ts'
import { type Shared, sharesFor, worthOf } from './shares.ts'

/** What one account has bonded with one operator. */
export type Bond = {
  readonly shares: bigint
  /** The pool's earnings index when this bond was last paid. */
  readonly index: bigint
}

/** Most operators with whom one account can have bonds. */
const bondsPerAccountMax = 32
const bondKey = (account: string, operator: string): string => `bond/${account}/${operator}`
const operatorsKey = (account: string): string => `bonds/${account}`
const stakeKey = (account: string): string => `stake/${account}`
const unbondingTotalKey = 'unbonding-total'

export function sharedOf(pool: Pool): Shared {
  return { units: pool.stakeUnits, shares: pool.shareUnits }
}

export function readBond(state: StateView, account: string, operator: string): Bond | undefined {
  const stored = state.get(bondKey(account, operator)) as { shares: string; index: string } | undefined
  return stored === undefined ? undefined : { shares: BigInt(stored.shares), index: BigInt(stored.index) }
}

/** What a bond is worth now. */
export function bondUnits(state: StateView, account: string, operator: string): bigint {
  const bond = readBond(state, account, operator)
  const pool = bond === undefined ? undefined : readPool(state, operator)
  return bond === undefined || pool === undefined ? 0n : worthOf(sharedOf(pool), bond.shares)
}

/** With whom an account has bonds. */
export function bondOperators(state: StateView, account: string): readonly string[] {
  return (state.get(operatorsKey(account)) as readonly string[] | undefined) ?? []
}

/** What an account has bonded, by operator, as it is worth now. */
export function bondsOf(state: StateView, account: string): { readonly operator: string; readonly units: bigint }[] {
  return bondOperators(state, account).map(operator => ({ operator, units: bondUnits(state, account, operator) }))
}

/** What an account has bonded, as it is worth now. */
export function bondedStakeOf(state: StateView, account: string): bigint {
  return bondsOf(state, account).reduce((sum, bond) => sum + bond.units, 0n)
}

/** What all accounts together have bonded, without what is on its way out. */
export function totalBonded(state: StateView): bigint {
  return balanceOf(state, systemAccounts.bonded, 'BLY') - unbondingTotal(state)
}

export function unbondingTotal(state: StateView): bigint {
  return BigInt((state.get(unbondingTotalKey) as string | undefined) ?? '0')
}

export function changeUnbondingTotal(state: StateView, change: bigint): void {
  const total = unbondingTotal(state) + change
  if (total < 0n) throw new Error(`less than nothing is unbonding: ${total}`)
  if (total === 0n) state.delete(unbondingTotalKey)
  else state.set(unbondingTotalKey, total.toString())
}

/** What a bond has earned since it was last paid, rounded down. */
export function earningsOf(pool: Pool, bond: Bond): bigint {
  return (bond.shares * (pool.earningsIndex - bond.index)) / indexOne
}

/** Pays an account what its bond with the operator has earned. Gives what was paid. */
export function payEarnings(state: StateView, account: string, pool: Pool): bigint {
  const bond = readBond(state, account, pool.operator)
  if (bond === undefined) return 0n
  const earned = earningsOf(pool, bond)
  move(state, systemAccounts.earned, account, 'BLY', earned)
  writeBond(state, account, pool.operator, { shares: bond.shares, index: pool.earningsIndex })
  return earned
}

/**
 * Bonds coins that are in @bonded already: the account gets shares and is paid what it has earned so far. Gives the pool
 * as it is then. Throws STAKE_OPERATORS_FULL.
 */
export function addBond(state: StateView, account: string, pool: Pool, units: bigint): Pool {
  const operators = bondOperators(state, account)
  if (!operators.includes(pool.operator)) {
    if (operators.length >= bondsPerAccountMax)
      throw new BlyanError('STAKE_OPERATORS_FULL', { max: bondsPerAccountMax })
    state.set(operatorsKey(account), [...operators, pool.operator])
  }
  payEarnings(state, account, pool)
  const shares = sharesFor(sharedOf(pool), units)
  const owned = readBond(state, account, pool.operator)?.shares ?? 0n
  const next = { ...pool, stakeUnits: pool.stakeUnits + units, shareUnits: pool.shareUnits + shares }
  writePool(state, next)
  writeBond(state, account, pool.operator, { shares: owned + shares, index: pool.earningsIndex })
  noteStake(state, account)
  return next
}

/** Takes shares out of a bond; what they were worth stays in @bonded, for the caller. Gives the pool as it is then. */
export function takeBond(state: StateView, account: string, pool: Pool, taken: Shared): Pool {
  payEarnings(state, account, pool)
  const { shares } = readBond(state, account, pool.operator)!
  const next = {
    ...pool,
    stakeUnits: pool.stakeUnits - taken.units,
    shareUnits: pool.shareUnits - taken.shares
  }
  writePool(state, next)
  if (shares > taken.shares)
    writeBond(state, account, pool.operator, { shares: shares - taken.shares, index: pool.earningsIndex })
  else deleteBond(state, account, pool.operator)
  noteStake(state, account)
  return next
}

/** `stake/<account>`: whether it has any is what events of the model ask. Slashing alone does not write it. */
export function noteStake(state: StateView, account: string): void {
  const units = bondedStakeOf(state, account)
  if (units > 0n) state.set(stakeKey(account), units.toString())
  else if (state.get(stakeKey(account)) !== undefined) state.delete(stakeKey(account))
}

function writeBond(state: StateView, account: string, operator: string, bond: Bond): void {
  const stored: CanonicalValue = { shares: bond.shares.toString(), index: bond.index.toString() }
  state.set(bondKey(account, operator), stored)
}

function deleteBond(state: StateView, account: string, operator: string): void {
  state.delete(bondKey(account, operator))
  const others = bondOperators(state, account).filter(one => one !== operator)
  if (others.length > 0) state.set(operatorsKey(account), others)
  else state.delete(operatorsKey(account))
}
