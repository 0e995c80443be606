import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { schedule } from '../book/agenda.ts'
import { move, systemAccounts } from '../book/book.ts'
import type { RuleInput } from '../book/rule.ts'
import { changeUnbondingTotal } from './bonds.ts'
import { worthOf } from './shares.ts'
import { addUnbonding, takeUnbonding, unbondingPool } from './unbonding-pools.ts'

/** Coins of one account on their way out. */
export type UnbondingEntry = {
  /** Counts up for each account, from 1. */
  readonly number: number
  readonly operator: string
  /** Which unbonding pool of the operator, and the shares of it. */
  readonly pool: number
  readonly shares: bigint
  readonly beganMs: number
  readonly freeMs: number
}

export const unbondingKind = 'unbonding'
const entriesPerOperatorMax = 7
const entriesMax = 64
const cancelledKept = 16
const key = (account: string): string => `unbonding/${account}`

type Stored = {
  readonly next: number
  readonly entries: readonly UnbondingEntry[]
  /** The last that were cancelled. */
  readonly cancelled: readonly number[]
}

/** What of an account is unbonding, the oldest first. */
export function unbondingOf(state: StateView, account: string): readonly UnbondingEntry[] {
  return read(state, account).entries
}

/** What an entry is worth now. */
export function entryUnits(state: StateView, entry: UnbondingEntry): bigint {
  return worthOf(unbondingPool(state, entry.operator, entry.pool), entry.shares)
}

/** Lets coins that were bonded begin their way out. Throws UNBONDING_FULL. */
export function beginUnbonding(
  state: StateView,
  account: string,
  input: {
    readonly operator: string
    readonly units: bigint
    readonly nowMs: number
    readonly unbondingMs: number
    /** The stake that leaves still gives a place in the set. */
    readonly isOpen: boolean
  }
): void {
  const { operator, units, nowMs, unbondingMs } = input
  const { next, entries, cancelled } = read(state, account)
  const alike = entries.filter(entry => entry.operator === operator).length
  if (alike >= entriesPerOperatorMax || entries.length >= entriesMax)
    throw new BlyanError('UNBONDING_FULL', { max: alike >= entriesPerOperatorMax ? entriesPerOperatorMax : entriesMax })
  const { id, shares } = addUnbonding(state, operator, input)
  const entry = { number: next, operator, pool: id, shares, beganMs: nowMs, freeMs: nowMs + unbondingMs }
  write(state, account, { next: next + 1, entries: [...entries, entry], cancelled })
  changeUnbondingTotal(state, units)
  schedule(state, entry.freeMs, unbondingKind, `${account}/${next}`)
}

/** Takes an entry back: what it is worth now, for the caller to bond. Throws UNBONDING_CANCELLED_ALREADY, UNBONDING_UNKNOWN. */
export function cancelUnbonding(
  state: StateView,
  account: string,
  number: number
): { readonly operator: string; readonly units: bigint } {
  const { next, entries, cancelled } = read(state, account)
  const entry = entries.find(one => one.number === number)
  if (entry === undefined && cancelled.includes(number)) throw new BlyanError('UNBONDING_CANCELLED_ALREADY', { number })
  if (entry === undefined) throw new BlyanError('UNBONDING_UNKNOWN', { number })
  const units = takeEntry(state, entry)
  write(state, account, {
    next,
    entries: entries.filter(one => one !== entry),
    cancelled: [...cancelled, number].slice(-cancelledKept)
  })
  return { operator: entry.operator, units }
}

/** An agenda item that is due: the coins are free. Gives the operator they were with, unless the entry was cancelled. */
export function matureUnbonding({ state }: RuleInput, id: string): string | undefined {
  const [account, number] = id.split('/') as [string, string]
  const { next, entries, cancelled } = read(state, account)
  const entry = entries.find(one => one.number === Number(number))
  if (entry === undefined) return undefined
  move(state, systemAccounts.bonded, account, 'BLY', takeEntry(state, entry))
  write(state, account, { next, entries: entries.filter(one => one !== entry), cancelled })
  return entry.operator
}

function takeEntry(state: StateView, entry: UnbondingEntry): bigint {
  const units = entryUnits(state, entry)
  takeUnbonding(state, entry.operator, entry.pool, { units, shares: entry.shares })
  changeUnbondingTotal(state, -units)
  return units
}

function read(state: StateView, account: string): Stored {
  const stored = state.get(key(account)) as
    | (Omit<Stored, 'entries'> & { entries: readonly (Omit<UnbondingEntry, 'shares'> & { shares: string })[] })
    | undefined
  if (stored === undefined) return { next: 1, entries: [], cancelled: [] }
  return { ...stored, entries: stored.entries.map(entry => ({ ...entry, shares: BigInt(entry.shares) })) }
}

/** Kept when it is empty: numbers are not given twice. */
function write(state: StateView, account: string, { next, entries, cancelled }: Stored): void {
  const stored = entries.map(entry => ({ ...entry, shares: entry.shares.toString() }))
  state.set(key(account), { next, entries: stored, cancelled: [...cancelled] } as CanonicalValue)
}
