import { currentSet, type Genesis, type StateView } from '../dag/index.ts'
import { memberOperators, numberOf } from '../ledger/index.ts'

export const healths = ['healthy', 'degraded', 'failed', 'unknown'] as const
export type Health = (typeof healths)[number]

/** What an observer can find wrong. */
export const issueCodes = ['silent', 'disconnected', 'never-met', 'slow', 'not-signing', 'duty-late'] as const
export type Issue = (typeof issueCodes)[number]

/** What one validator says of a node. */
export type Observation = {
  readonly health: Health
  readonly responseMs: number | null
  readonly issues: readonly Issue[]
  readonly atMs: number
}

export type ObservedBy = { readonly observer: string; readonly weight: number; readonly observation: Observation }

const observersKey = (subject: string): string => `observers/${subject}`
const observationKey = (subject: string, observer: string): string => `observation/${subject}/${observer}`

export function observationOf(state: StateView, subject: string, observer: string): Observation | undefined {
  return state.get(observationKey(subject, observer)) as Observation | undefined
}

export function writeObservation(state: StateView, subject: string, observer: string, observation: Observation): void {
  const observers = observersOf(state, subject)
  if (!observers.includes(observer)) state.set(observersKey(subject), [...observers, observer])
  state.set(observationKey(subject, observer), observation)
}

/** Forgets what was said by those who have left the set; all of it when the node is not watched any more. */
export function tidyObservations(state: StateView, genesis: Genesis, subject: string, isWatched: boolean): void {
  const members = new Set(isWatched ? memberOperators(state, genesis).map(({ operator }) => operator) : [])
  const observers = observersOf(state, subject)
  const kept = observers.filter(observer => members.has(observer))
  if (kept.length === observers.length) return
  for (const observer of observers) if (!members.has(observer)) state.delete(observationKey(subject, observer))
  if (kept.length === 0) state.delete(observersKey(subject))
  else state.set(observersKey(subject), kept)
}

/** What the validators of now say that counts: not too old, and nobody says anything of itself. */
export function countedObservations(state: StateView, genesis: Genesis, subject: string, nowMs: number): ObservedBy[] {
  const found: ObservedBy[] = []
  // Most nodes are watched by nobody, and a round of learning asks for every operator.
  if (observersOf(state, subject).length === 0) return found
  const observationMs = numberOf(state, genesis, 'observationMs')
  for (const { operator, weight } of memberOperators(state, genesis)) {
    const observation = observationOf(state, subject, operator)
    if (observation !== undefined && operator !== subject && nowMs - observation.atMs <= observationMs)
      found.push({ observer: operator, weight, observation })
  }
  return found
}

/** More than two thirds of the weight of the set: the same that makes anything final. */
export function quorumWeightOf(state: StateView, genesis: Genesis): number {
  const total = currentSet(state, genesis).members.reduce((sum, { weight }) => sum + weight, 0)
  return Math.floor((2 * total) / 3) + 1
}

/**
 * The health that a quorum agrees on. Who says "failed" says that it is no better than degraded too; without a quorum
 * nothing is known.
 */
export function agreedHealth(observed: readonly ObservedBy[], quorumWeight: number): Health {
  const weights: Record<Health, number> = { healthy: 0, degraded: 0, failed: 0, unknown: 0 }
  for (const { weight, observation } of observed) weights[observation.health] += weight
  if (weights.failed >= quorumWeight) return 'failed'
  if (weights.failed + weights.degraded >= quorumWeight) return 'degraded'
  return weights.healthy >= quorumWeight ? 'healthy' : 'unknown'
}

function observersOf(state: StateView, subject: string): readonly string[] {
  return (state.get(observersKey(subject)) as readonly string[] | undefined) ?? []
}
