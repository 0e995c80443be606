import { readEpoch, type StateView } from '../../dag/index.ts'
import type { RuleInput } from '../book/rule.ts'
import { periodNow } from '../economy.ts'
import { numberOf, type ParameterName } from '../parameters.ts'
import { jail, readPool, slashPool } from '../staking/index.ts'
import { noteOffence } from './offence-counts.ts'
import { addPunishment, type Evidence, type OffenceKind, type Punishment, punishmentsOf } from './punishments.ts'

/** Signing twice again within this time after a punishment for it ends in a ban for ever. */
const memoryMs = 365 * 24 * 3_600_000

export type OffenceFound = {
  readonly operator: string
  readonly key: string
  readonly offence: OffenceKind
  readonly epoch: number
  /** Stake that begins to leave after it still answers for it. */
  readonly offenceMs: number
  readonly evidence: Evidence
  /** Whole days, where the penalty is by the day. */
  readonly times?: bigint
  /** Of the rewards that it costs: the period that runs, unless that is being settled. */
  readonly period?: number
}

const terms: Readonly<Record<OffenceKind, { readonly penalty: ParameterName; readonly ban?: ParameterName }>> = {
  'double-signing': { penalty: 'doubleSignPpm', ban: 'doubleSignBanMs' },
  downtime: { penalty: 'downtimePpmPerDay' },
  invalid: { penalty: 'invalidProposalPpm', ban: 'invalidProposalBanMs' },
  censorship: { penalty: 'censorshipPpm', ban: 'censorshipBanMs' }
}
const million = 1_000_000

/**
 * Burns the stake that an offence costs, keeps its validator out for as long as it says, and writes both down. Undefined
 * when nobody can be punished: no such operator, or one that may never come back anyway.
 */
export function punish(input: RuleInput, found: OffenceFound): Punishment | undefined {
  const { state, genesis, nowMs } = input
  const { operator, key, offence, epoch, offenceMs, evidence } = found
  const pool = readPool(state, operator)
  if (pool === undefined || pool.isTombstoned) return undefined
  const { penalty, ban } = terms[offence]
  const penaltyPpm = Math.min(million, numberOf(state, genesis, penalty) * Number(found.times ?? 1n))
  const isSecond = offence === 'double-signing' && hasSignedTwiceBefore(state, { operator, epoch, nowMs })
  const banUntilMs = isSecond ? null : nowMs + (ban === undefined ? 0 : numberOf(state, genesis, ban))
  const burntUnits = slashPool(input, { operator, ppm: BigInt(penaltyPpm), offenceMs })
  jail(state, { operator, untilMs: banUntilMs, reason: offence })
  noteOffence(state, operator, found.period ?? periodNow(state, genesis).number, burntUnits)
  return addPunishment(state, {
    operator,
    key,
    offence,
    epoch,
    punishedInEpoch: readEpoch(state, genesis).epoch,
    timeMs: nowMs,
    penaltyPpm,
    burntUnits,
    banUntilMs,
    evidence,
    appealUntilMs: nowMs + numberOf(state, genesis, 'appealMs')
  })
}

/**
 * Punished for it within the last year, and again in an epoch that began after that: what was signed before it was put
 * out belongs to the same mistake.
 */
function hasSignedTwiceBefore(
  state: StateView,
  { operator, epoch, nowMs }: { readonly operator: string; readonly epoch: number; readonly nowMs: number }
): boolean {
  return punishmentsOf(state, operator).some(
    one =>
      one.offence === 'double-signing' && !one.isUndone && nowMs - one.timeMs < memoryMs && epoch > one.punishedInEpoch
  )
}
