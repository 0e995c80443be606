import type { StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { schedule } from '../../ledger/index.ts'
import { deleteAt, learningKeys, readAt, type StateReader, writeAt } from './store.ts'
import { type Trust, type TrustLevel, trustLevels } from './types.ts'

/** Commits and proposals a day. Seed 004, "Progressive Trust & Quota System". */
export const quotas: Readonly<Record<TrustLevel, number>> = { newcomer: 20, trusted: 200, established: 1000 }
const successesToRise = 3
const failuresToFall = 5
const dayMs = 24 * 3_600_000
/** Days without a commit after which what somebody earned is forgotten. */
const daysKept = 90

/** Agenda: an account that did nothing for long is forgotten. */
export const forgetKind = 'learning-forget'

type StoredTrust = Omit<Trust, 'quota'>

export function dayOf(nowMs: number): number {
  return Math.floor(nowMs / dayMs)
}

export function trustOf(state: StateReader, account: string): Trust {
  const stored = readAt<StoredTrust>(state, learningKeys.account(account)) ?? nobody
  return { ...stored, quota: quotas[stored.level] }
}

/** What an account may still do on the day of `nowMs`. */
export function quotaLeftOf(state: StateReader, account: string, nowMs: number): number {
  const { quota, day, used } = trustOf(state, account)
  return day === dayOf(nowMs) ? Math.max(0, quota - used) : quota
}

/** Counts one commit or proposal. Throws LEARNING_QUOTA_SPENT. */
export function spendQuota(state: StateView, account: string, nowMs: number): void {
  const { quota, ...trust } = trustOf(state, account)
  const day = dayOf(nowMs)
  const used = trust.day === day ? trust.used : 0
  if (used >= quota) throw new BlyanError('LEARNING_QUOTA_SPENT', { account, quota, level: trust.level })
  write(state, account, { ...trust, day, used: used + 1 }, nowMs)
}

/** Three in a row are a step up. */
export function noteSuccess(state: StateView, account: string, nowMs: number): void {
  const { quota: _, ...trust } = trustOf(state, account)
  const successes = trust.successesInRow + 1
  const rises = successes >= successesToRise
  write(
    state,
    account,
    {
      ...trust,
      level: rises ? stepOf(trust.level, 1) : trust.level,
      successesInRow: rises ? 0 : successes,
      failuresInRow: 0
    },
    nowMs
  )
}

/** Five in a row are a step down. */
export function noteFailure(state: StateView, account: string, nowMs: number): void {
  const { quota: _, ...trust } = trustOf(state, account)
  const failures = trust.failuresInRow + 1
  const falls = failures >= failuresToFall
  write(
    state,
    account,
    {
      ...trust,
      level: falls ? stepOf(trust.level, -1) : trust.level,
      successesInRow: 0,
      failuresInRow: falls ? 0 : failures
    },
    nowMs
  )
}

/** A newcomer without a success is forgotten after its day, others after a while without a commit. */
export function forgetAccount(state: StateView, account: string, nowMs: number): void {
  const key = learningKeys.account(account)
  if (state.get(key) === undefined) return
  const { level, successesInRow, day } = trustOf(state, account)
  const lastDay = level === 'newcomer' && successesInRow === 0 ? day : day + daysKept
  if (dayOf(nowMs) > lastDay) deleteAt(state, key)
  else schedule(state, (lastDay + 1) * dayMs, forgetKind, account)
}

const nobody: StoredTrust = { level: 'newcomer', successesInRow: 0, failuresInRow: 0, day: 0, used: 0 }

function stepOf(level: TrustLevel, step: number): TrustLevel {
  const at = trustLevels.indexOf(level) + step
  return trustLevels[Math.max(0, Math.min(trustLevels.length - 1, at))]!
}

function write(state: StateView, account: string, trust: StoredTrust, nowMs: number): void {
  const key = learningKeys.account(account)
  const day = dayOf(nowMs)
  const isKnown = state.get(key) !== undefined
  writeAt(state, key, isKnown ? trust : { ...trust, day })
  if (!isKnown) schedule(state, (day + 1) * dayMs, forgetKind, account)
}
