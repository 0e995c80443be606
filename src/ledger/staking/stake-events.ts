import { z } from 'zod'
import type { EventHandler, Genesis } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { balanceOf, move, systemAccounts } from '../book/book.ts'
import { positiveAmount } from '../book/coins.ts'
import { chargeFee } from '../book/fees.ts'
import { accountText } from '../book/fields.ts'
import { type LedgerInput, ledgerHandler } from '../book/ledger-handler.ts'
import { numberOf, parameterOf } from '../parameters.ts'
import { addBond, payEarnings, readBond, sharedOf, takeBond } from './bonds.ts'
import { payCommission } from './earnings.ts'
import { isMember } from './members.ts'
import { isCandidate, noteSetMayChange } from './next-set.ts'
import { listIfFit, requirePool, tidyPool } from './pool-life.ts'
import { type Pool, readPool } from './pool-records.ts'
import { isWorthless, sharesToTake, worthOf } from './shares.ts'
import { beginUnbonding, cancelUnbonding } from './unbonding.ts'

const amountJson = z.strictObject({ operator: accountText, amount: positiveAmount })
const cancelJson = z.strictObject({ entry: z.int().min(1) })
const claimJson = z.strictObject({ operator: accountText })

/**
 * Events by which any account bonds coins with an operator and takes them out again. Unstaking and claiming cost the fee
 * like others, but after they have paid what was earned: who has staked all it had can still do both.
 */
export function stakeHandlers(genesis: Genesis): EventHandler[] {
  return [
    ledgerHandler({
      type: 'stake',
      purpose: 'bonds BLY with the operator of a validator',
      genesis,
      schema: amountJson,
      apply: stake
    }),
    ledgerHandler({
      type: 'unstake',
      purpose: 'takes bonded BLY out; it is free after the unbonding time',
      genesis,
      isFree: true,
      schema: amountJson,
      apply: unstake
    }),
    ledgerHandler({
      type: 'unstake-cancel',
      purpose: 'bonds again what is on its way out',
      genesis,
      schema: cancelJson,
      apply: cancel
    }),
    ledgerHandler({
      type: 'earnings-claim',
      purpose: 'pays the author what its stake with an operator has earned, and its commission',
      genesis,
      isFree: true,
      schema: claimJson,
      apply: claim
    })
  ]
}

function stake(input: LedgerInput, payload: z.output<typeof amountJson>): void {
  const { state, genesis, author } = input
  const units = BigInt(payload.amount)
  const least = parameterOf(state, genesis, 'bondMinUnits')
  if (units < least) throw new BlyanError('STAKE_BELOW_MINIMUM', { amount: units.toString(), least: least.toString() })
  const pool = requireOpenPool(input, payload.operator)
  move(state, author, systemAccounts.bonded, 'BLY', units)
  const next = addBond(state, author, pool, units)
  if (listIfFit(state, genesis, next) === undefined && author === pool.operator) throw new BlyanError('OPERATORS_FULL')
  noteSetMayChange(state)
}

function unstake(input: LedgerInput, payload: z.output<typeof amountJson>): void {
  const { state, genesis, author, timestampMs } = input
  const pool = requirePool(state, payload.operator)
  const bond = readBond(state, author, pool.operator)
  if (bond === undefined) throw new BlyanError('STAKE_NONE', { operator: pool.operator })
  const units = BigInt(payload.amount)
  const bonded = worthOf(sharedOf(pool), bond.shares)
  if (units > bonded) throw new BlyanError('UNSTAKE_TOO_MUCH', { bonded: bonded.toString(), amount: units.toString() })
  const rest = bonded - units
  const least = parameterOf(state, genesis, 'bondMinUnits')
  if (rest > 0n && rest < least)
    throw new BlyanError('STAKE_REST_TOO_SMALL', { rest: rest.toString(), least: least.toString() })
  const shares = rest === 0n ? bond.shares : sharesToTake(sharedOf(pool), units)
  const next = takeBond(state, author, pool, { units, shares })
  beginUnbonding(state, author, {
    operator: pool.operator,
    units,
    nowMs: timestampMs,
    unbondingMs: numberOf(state, genesis, 'unbondingMs'),
    isOpen: stillCounts(input, next)
  })
  chargeFee(state, genesis, author)
  noteSetMayChange(state)
  tidyPool(state, genesis, pool.operator)
}

/** While its validator signs with the weight or the place that this stake gave it, stake answers for what it does. */
function stillCounts({ state, genesis }: LedgerInput, pool: Pool): boolean {
  if (!isMember(state, genesis, pool.operator)) return false
  return genesis.file.economy!.weights === 'stake' || !isCandidate(state, genesis, pool)
}

function cancel(input: LedgerInput, payload: z.output<typeof cancelJson>): void {
  const { state, genesis, author } = input
  const { operator, units } = cancelUnbonding(state, author, payload.entry)
  const next = addBond(state, author, requireOpenPool(input, operator), units)
  listIfFit(state, genesis, next)
  noteSetMayChange(state)
}

function claim({ state, genesis, author }: LedgerInput, payload: z.output<typeof claimJson>): void {
  const pool = requirePool(state, payload.operator)
  const bond = readBond(state, author, pool.operator)
  if (bond === undefined && author !== pool.operator) throw new BlyanError('STAKE_NONE', { operator: pool.operator })
  const before = balanceOf(state, author, 'BLY')
  payEarnings(state, author, pool)
  if (author === pool.operator) payCommission(state, author)
  if (balanceOf(state, author, 'BLY') === before) throw new BlyanError('EARNINGS_NONE', { operator: pool.operator })
  chargeFee(state, genesis, author)
  tidyPool(state, genesis, pool.operator)
}

/** A pool in which coins may be put. */
function requireOpenPool({ state, author }: LedgerInput, operator: string): Pool {
  const pool = readPool(state, operator)
  if (pool === undefined) throw new BlyanError('OPERATOR_UNKNOWN', { operator })
  const reason = pool.isTombstoned
    ? 'its validator may never come back'
    : pool.isLeaving
      ? 'its validator leaves'
      : isWorthless(sharedOf(pool))
        ? 'it was slashed to nothing'
        : // What an appeal repays goes to who is bonded: nobody shall come for that alone.
          pool.jailedUntilMs !== null && author !== operator
          ? 'its validator is jailed'
          : undefined
  if (reason !== undefined) throw new BlyanError('STAKE_NOT_TAKEN', { operator, reason })
  return pool
}
