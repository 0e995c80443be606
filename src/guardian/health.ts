import type { Genesis, StateView } from '../dag/index.ts'
import { numberOf, type RuleInput, schedule } from '../ledger/index.ts'
import { isReturning, readFailover } from './failover-record.ts'
import { agreedHealth, countedObservations, type Health, quorumWeightOf, tidyObservations } from './observations.ts'
import { ownerOf, subjectsOf } from './responsibilities.ts'

/** What the network takes a node's health to be. */
export type JudgedHealth = {
  readonly health: Health
  readonly sinceMs: number
  /** What a quorum agrees on now; it counts once that has lasted. */
  readonly agreed: Health
  readonly agreedSinceMs: number
}

/** Agenda: whether what a quorum agrees on has lasted. */
export const healthKind = 'health'
/** Agenda: a node that was replaced is forgotten. */
export const forgetKind = 'health-forget'
const healthPrefix = 'health/'
const healthKey = (subject: string): string => `${healthPrefix}${subject}`

export function judgedHealth(state: StateView, genesis: Genesis, subject: string): JudgedHealth {
  const nothing = {
    health: 'unknown',
    sinceMs: genesis.timeMs,
    agreed: 'unknown',
    agreedSinceMs: genesis.timeMs
  } as const
  return (state.get(healthKey(subject)) as JudgedHealth | undefined) ?? nothing
}

export function isWell(state: StateView, genesis: Genesis, account: string): boolean {
  const { health } = judgedHealth(state, genesis, account)
  return health !== 'failed' && health !== 'degraded'
}

/** Counts what is said of a node again. A change is acted on when it has lasted (agenda `health`), never at once. */
export function countHealth(input: RuleInput, subject: string): void {
  const { state, genesis, nowMs } = input
  tidyObservations(state, genesis, subject, true)
  const observed = countedObservations(state, genesis, subject, nowMs)
  const agreed = agreedHealth(observed, quorumWeightOf(state, genesis))
  const before = judgedHealth(state, genesis, subject)
  if (agreed === before.agreed) return
  const next: JudgedHealth = { ...before, agreed, agreedSinceMs: nowMs }
  state.set(healthKey(subject), next)
  if (agreed !== before.health) schedule(state, nowMs + settleMs(input, subject, next), healthKind, subject)
}

/** The health that a node has from now on, when what a quorum agrees on has lasted; undefined when nothing changes. */
export function settleHealth(input: RuleInput, subject: string): Health | undefined {
  const { state, genesis, nowMs } = input
  const before = judgedHealth(state, genesis, subject)
  const { health, agreed, agreedSinceMs } = before
  if (agreed === health || nowMs - agreedSinceMs < settleMs(input, subject, before)) return undefined
  // What a quorum found stays found until a quorum finds something else.
  if (health === 'failed' && agreed === 'unknown') return undefined
  state.set(healthKey(subject), { ...before, health: agreed, sinceMs: agreedSinceMs })
  return agreed
}

/**
 * When something about a node is due that only a commit can bring: a health that has lasted, a step of giving back. Null
 * when nothing is. A quiet network has commits seldom, so whoever watches may say the same again then.
 */
export function settlesAtMs(state: StateView, genesis: Genesis, subject: string): number | null {
  const judged = judgedHealth(state, genesis, subject)
  const { health, agreed, agreedSinceMs } = judged
  if (agreed !== health && !(health === 'failed' && agreed === 'unknown'))
    return agreedSinceMs + settleMs({ state, genesis }, subject, judged)
  return subject === ownerOf(genesis) ? (readFailover(state)?.stepDueMs ?? null) : null
}

/** Not at once: who has just failed shall not be elected again the next moment. */
export function forgetLater({ state, genesis, nowMs }: RuleInput, account: string): void {
  if (account === ownerOf(genesis)) return
  schedule(state, nowMs + numberOf(state, genesis, 'degradedHolderMs'), forgetKind, account)
}

/** Forgets a node that is not watched any more: it may be elected again. */
export function forgetUnwatched({ state, genesis }: RuleInput, account: string): void {
  if (subjectsOf(state, genesis).includes(account)) return
  tidyObservations(state, genesis, account, false)
  if (state.get(healthKey(account)) !== undefined) state.delete(healthKey(account))
}

function settleMs(
  { state, genesis }: Pick<RuleInput, 'state' | 'genesis'>,
  subject: string,
  judged: JudgedHealth
): number {
  const isComingBack = judged.agreed === 'healthy' && subject === ownerOf(genesis) && readFailover(state) !== undefined
  return numberOf(state, genesis, isComingBack && !isReturning(state) ? 'returnMs' : 'healthSettleMs')
}
