import { currentSet, keyTextOf, readEpoch, type StateView } from '../../dag/index.ts'
import { schedule } from '../book/agenda.ts'
import type { Period, RuleInput } from '../book/rule.ts'
import { periodNow } from '../economy.ts'
import { dayMs as dayMsBig } from '../parameter-tables/parameter.ts'
import { numberOf } from '../parameters.ts'
import { lastSeenMs } from '../rewards/index.ts'
import { memberOperators, readPool, slashPool } from '../staking/index.ts'
import { activeMs } from './committed-time.ts'
import { noteOffence } from './offence-counts.ts'
import { punish } from './punish.ts'
import { type AbsenceEvidence, type Punishment, punishmentsOf, readPunishment, writePunishment } from './punishments.ts'
import type { RoomToJail } from './room-to-jail.ts'

const dayMs = Number(dayMsBig)
/** No absence costs more days than these: whoever never comes back has left. */
const daysMax = 30
export const downtimeDayKind = 'downtime-day'
const absentKey = 'slashing/absent'

/** Since when members have not been seen, by operator. */
type Absent = Readonly<Record<string, number>>

/**
 * At the end of a period: whoever had no vertex in it is away since it began, or since earlier. Whoever is away for too
 * long is kept out and pays for each whole day. Those longest away come first.
 */
export function judgeAbsence(input: RuleInput, period: Period, room: RoomToJail): void {
  const { state, genesis, nowMs } = input
  const members = memberOperators(state, genesis)
  const absent: Record<string, number> = {}
  for (const { operator } of members) {
    if (readPool(state, operator)?.jailedUntilMs !== null) continue
    const seenMs = lastSeenMs(state, operator)
    if (seenMs !== undefined && seenMs >= period.sinceMs) continue
    absent[operator] = readAbsent(state)[operator] ?? period.sinceMs
  }
  const limitMs = numberOf(state, genesis, 'downtimeAfterMs')
  const away = Object.entries(absent)
    .map(([operator, sinceMs]) => ({ operator, sinceMs, awayMs: activeMs(state, sinceMs, nowMs) }))
    .filter(({ awayMs }) => awayMs > limitMs)
    .sort((one, other) => other.awayMs - one.awayMs || (one.operator < other.operator ? -1 : 1))
  const keys = currentSet(state, genesis).members.map(keyTextOf)
  for (const { operator, sinceMs, awayMs } of away) {
    if (!room.take(operator)) continue
    const days = Math.min(daysMax, Math.floor(awayMs / dayMs))
    const evidence: AbsenceEvidence = { kind: 'absence', sinceMs, awayMs, days }
    const { place } = members.find(member => member.operator === operator)!
    const punishment = punish(input, {
      operator,
      key: keys[place]!,
      offence: 'downtime',
      epoch: readEpoch(state, genesis).epoch,
      offenceMs: sinceMs,
      evidence,
      times: BigInt(days),
      period: period.number + 1
    })
    delete absent[operator]
    if (punishment !== undefined) schedule(state, nowMs + dayMs, downtimeDayKind, punishment.id)
  }
  writeAbsent(state, absent)
}

/**
 * A day after a punishment for downtime and each day from then on, until the validator is let back in, leaves, is punished
 * for something worse or has paid for `daysMax`: another day is paid for, of those in which the network did not stand still.
 */
export function chargeDay(input: RuleInput, id: string): void {
  const { state, genesis, nowMs } = input
  const punishment = readPunishment(state, id)
  if (punishment === undefined || punishment.isUndone || punishment.evidence.kind !== 'absence') return
  const { operator, evidence } = punishment
  if (!isStillAway(state, punishment) || evidence.days >= daysMax) return
  const awayMs = activeMs(state, evidence.sinceMs, nowMs)
  const dueMs = evidence.awayMs + dayMs
  if (awayMs < dueMs) {
    schedule(state, nowMs + dueMs - awayMs, downtimeDayKind, id)
    return
  }
  const ppm = numberOf(state, genesis, 'downtimePpmPerDay')
  const burntUnits = slashPool(input, { operator, ppm: BigInt(ppm), offenceMs: evidence.sinceMs })
  noteOffence(state, operator, periodNow(state, genesis).number, burntUnits)
  writePunishment(state, {
    ...punishment,
    penaltyPpm: Math.min(1_000_000, punishment.penaltyPpm + ppm),
    burntUnits: punishment.burntUnits + burntUnits,
    evidence: { ...evidence, awayMs: dueMs, days: evidence.days + 1 }
  })
  schedule(state, nowMs + dayMs, downtimeDayKind, id)
}

function isStillAway(state: StateView, { id, operator }: Punishment): boolean {
  const pool = readPool(state, operator)
  if (pool === undefined || pool.jailReason !== 'downtime' || pool.isLeaving || pool.stakeUnits === 0n) return false
  return punishmentsOf(state, operator).findLast(({ offence }) => offence === 'downtime')?.id === id
}

function readAbsent(state: StateView): Absent {
  return (state.get(absentKey) as Absent | undefined) ?? {}
}

function writeAbsent(state: StateView, absent: Absent): void {
  if (Object.keys(absent).length > 0) state.set(absentKey, absent)
  else if (state.get(absentKey) !== undefined) state.delete(absentKey)
}
