import type { Genesis, StateView } from '../dag/index.ts'
import { numberOf } from '../ledger/index.ts'
import type { Health, Issue } from './observations.ts'

/** What one node has noticed of another. */
export type Signs = {
  /** How long it has been looking. */
  readonly watchedMs: number
  /** Since the last sign of life; null when there was none. */
  readonly silentMs: number | null
  readonly isConnected: boolean
  /** Time to it and back; null when not measured. */
  readonly responseMs: number | null
  /** Whether its validator signs while others do; null for a node that is no validator. */
  readonly isSigning: boolean | null
  readonly isDutyLate: boolean
}

export type HealthLimits = {
  readonly responseMs: number
  readonly degradedAfterMs: number
  readonly failedAfterMs: number
}

export function healthLimits(state: StateView, genesis: Genesis): HealthLimits {
  return {
    responseMs: numberOf(state, genesis, 'healthResponseMs'),
    degradedAfterMs: numberOf(state, genesis, 'healthDegradedAfterMs'),
    failedAfterMs: numberOf(state, genesis, 'healthFailedAfterMs')
  }
}

/**
 * The seed's four states. Healthy: heard lately, quick, does what it is there for. Degraded: there, and not that. Failed:
 * no sign of life for long. Unknown: not looked at for long enough to say. Nobody is failed by somebody who has only just
 * begun to look.
 */
export function judgeSigns(
  signs: Signs,
  limits: HealthLimits
): { readonly health: Health; readonly issues: readonly Issue[] } {
  const { watchedMs, silentMs, isConnected } = signs
  const quietMs = silentMs ?? watchedMs
  if (quietMs >= limits.failedAfterMs) {
    if (watchedMs < limits.failedAfterMs) return { health: 'unknown', issues: [] }
    const issue = silentMs === null ? 'never-met' : 'silent'
    return { health: 'failed', issues: isConnected ? [issue] : [issue, 'disconnected'] }
  }
  if (silentMs === null || watchedMs < limits.degradedAfterMs) return { health: 'unknown', issues: [] }
  const issues: Issue[] = []
  if (silentMs >= limits.degradedAfterMs) issues.push('silent')
  if (silentMs >= limits.degradedAfterMs && !isConnected) issues.push('disconnected')
  if (signs.responseMs !== null && signs.responseMs > limits.responseMs) issues.push('slow')
  if (signs.isSigning === false) issues.push('not-signing')
  if (signs.isDutyLate) issues.push('duty-late')
  return { health: issues.length === 0 ? 'healthy' : 'degraded', issues }
}
