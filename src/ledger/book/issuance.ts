import type { Genesis, StateView } from '../../dag/index.ts'
import { parameterOf } from '../parameters.ts'
import { circulating } from './begin.ts'
import { balanceOf, move, systemAccounts } from './book.ts'
import { share } from './coins.ts'

/** A year of issuance: 365 days, counted from the time of genesis. */
export const yearMs = 365 * 24 * 3_600_000
const issuanceKey = 'issuance'
const million = 1_000_000n

/** What a year of issuance allows, and what of it is used. */
export type Issuance = {
  /** 1 for the first. */
  readonly year: number
  readonly sinceMs: number
  /** BLY in circulation when the year began: what the yearly share is of. */
  readonly circulatingUnits: bigint
  /** Most that the whole year allows. */
  readonly yearUnits: bigint
  /** The part of it that the time since the year began allows. */
  readonly accruedUnits: bigint
  readonly issuedUnits: bigint
  /** What can be issued now. */
  readonly allowedUnits: bigint
}

type StoredIssuance = { readonly year: number; readonly circulating: string; readonly issued: string }

/** Where issuance stands at `nowMs`. What a year does not use is gone with it. */
export function issuanceAt(state: StateView, genesis: Genesis, nowMs: number): Issuance {
  const year = Math.floor((nowMs - genesis.timeMs) / yearMs) + 1
  const sinceMs = genesis.timeMs + (year - 1) * yearMs
  const stored = state.get(issuanceKey) as StoredIssuance | undefined
  const isThisYear = stored?.year === year
  const circulatingUnits = isThisYear ? BigInt(stored.circulating) : circulating(state, genesis)
  const issuedUnits = isThisYear ? BigInt(stored.issued) : 0n
  const yearUnits = share(circulatingUnits, parameterOf(state, genesis, 'issuePerYearPpm'), million)
  const accruedUnits = share(yearUnits, BigInt(nowMs - sinceMs), BigInt(yearMs))
  const allowedUnits = least(atLeastZero(accruedUnits - issuedUnits), unissued(state))
  return { year, sinceMs, circulatingUnits, yearUnits, accruedUnits, issuedUnits, allowedUnits }
}

/**
 * Issues BLY into the reward pool: `wanted` base units, or what the year allows until now when that is less. Returns
 * what was issued.
 */
export function issueUpTo(state: StateView, genesis: Genesis, wanted: bigint, nowMs: number): bigint {
  const issuance = issuanceAt(state, genesis, nowMs)
  return issue(state, issuance, { to: systemAccounts.rewardPool, units: least(wanted, issuance.allowedUnits) })
}

/**
 * Issues BLY into the treasury at once, ahead of what the time of year allows, and never more than the whole year does:
 * what is issued here is not issued as rewards later. Returns what was issued.
 */
export function emergencyMint(state: StateView, genesis: Genesis, wanted: bigint, nowMs: number): bigint {
  const issuance = issuanceAt(state, genesis, nowMs)
  const left = least(atLeastZero(issuance.yearUnits - issuance.issuedUnits), unissued(state))
  return issue(state, issuance, { to: systemAccounts.treasury, units: least(wanted, left) })
}

function issue(state: StateView, issuance: Issuance, given: { readonly to: string; readonly units: bigint }): bigint {
  if (given.units <= 0n) return 0n
  move(state, systemAccounts.unissued, given.to, 'BLY', given.units)
  const stored: StoredIssuance = {
    year: issuance.year,
    circulating: issuance.circulatingUnits.toString(),
    issued: (issuance.issuedUnits + given.units).toString()
  }
  state.set(issuanceKey, stored)
  return given.units
}

function unissued(state: StateView): bigint {
  return balanceOf(state, systemAccounts.unissued, 'BLY')
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other
}

function atLeastZero(units: bigint): bigint {
  return units < 0n ? 0n : units
}
