import type { StateView } from '../../dag/index.ts'
import { move, systemAccounts } from '../book/book.ts'
import { changeUnbondingTotal, noteStake, sharedOf } from './bonds.ts'
import { noteSetMayChange } from './next-set.ts'
import { readPool, writePool } from './pool-records.ts'
import { lossOf } from './shares.ts'
import { loseUnbonding } from './unbonding-pools.ts'

/** The last time that a date can name. */
const foreverMs = 8_640_000_000_000_000

/**
 * Burns a share of everything that answers for an operator: what is bonded with it, and what has begun to leave since the
 * offence or still gave the validator its place. Gives what was burnt. 0 for an operator that is not known.
 */
export function slashPool(
  { state }: { readonly state: StateView },
  { operator, ppm, offenceMs }: { readonly operator: string; readonly ppm: bigint | number; readonly offenceMs: number }
): bigint {
  const pool = readPool(state, operator)
  if (pool === undefined) return 0n
  const bonded = lossOf(sharedOf(pool), BigInt(ppm))
  writePool(state, { ...pool, stakeUnits: pool.stakeUnits - bonded })
  const leaving = loseUnbonding(state, operator, BigInt(ppm), offenceMs)
  changeUnbondingTotal(state, -leaving)
  move(state, systemAccounts.bonded, systemAccounts.burnt, 'BLY', bonded + leaving)
  noteStake(state, operator)
  noteSetMayChange(state)
  return bonded + leaving
}

/** Keeps a validator out of the next sets, until a time and its operator asks, or for ever (null). A longer time stays. */
export function jail(
  state: StateView,
  { operator, untilMs, reason }: { readonly operator: string; readonly untilMs: number | null; readonly reason: string }
): void {
  const pool = readPool(state, operator)
  if (pool === undefined) return
  writePool(state, {
    ...pool,
    jailedUntilMs: Math.max(pool.jailedUntilMs ?? 0, untilMs ?? foreverMs),
    jailReason: reason,
    isTombstoned: pool.isTombstoned || untilMs === null
  })
  noteSetMayChange(state)
}

/** Lifts a jail or a tombstone: a punishment that was undone. */
export function liftJail(state: StateView, operator: string): void {
  const pool = readPool(state, operator)
  if (pool === undefined || pool.jailedUntilMs === null) return
  writePool(state, { ...pool, jailedUntilMs: null, jailReason: null, isTombstoned: false })
  noteSetMayChange(state)
}
