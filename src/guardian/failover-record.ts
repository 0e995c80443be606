import type { StateView } from '../dag/index.ts'
import type { Responsibility } from './responsibilities.ts'

export type FailoverStep = Responsibility | 'council'

/** While others do what the owner did. */
export type Failover = {
  readonly sinceMs: number
  readonly stage: 'active' | 'returning'
  /** What was handed over and is not given back yet, in order. */
  readonly steps: readonly FailoverStep[]
  /** When the next step of giving back is due; null while nothing is given back. */
  readonly stepDueMs: number | null
}

const failoverKey = 'failover'

export function readFailover(state: StateView): Failover | undefined {
  return state.get(failoverKey) as Failover | undefined
}

export function writeFailover(state: StateView, failover: Failover | undefined): void {
  if (failover !== undefined) state.set(failoverKey, failover)
  else if (state.get(failoverKey) !== undefined) state.delete(failoverKey)
}

export function isReturning(state: StateView): boolean {
  return readFailover(state)?.stage === 'returning'
}
