import type { Committee } from '../consensus/index.ts'
import type { QuorumMode } from './status-types.ts'

/** Events executed and without a certificate for this long: finality is not coming by itself. */
export const certificateOverdueMs = 2000

export type QuorumHealth = {
  readonly mode: QuorumMode
  /** Weight of those that are there. */
  readonly weight: number
  /** Indexes of those that are not. */
  readonly missing: readonly number[]
}

/**
 * What a committee can do with those of it that are there. In a network that goes on in degraded mode, a member may be
 * connected and still not confirm: then only the age of what waits for a certificate tells.
 */
export function quorumHealth(
  committee: Committee,
  isPresent: (author: number) => boolean,
  uncertifiedMs: number
): QuorumHealth {
  const missing = [...committee.validators.keys()].filter(author => !isPresent(author))
  const absent = missing.reduce((sum, author) => sum + committee.validators[author]!.weight, 0)
  const weight = committee.totalWeight - absent
  const isOverdue = mayDegrade(committee) && uncertifiedMs >= certificateOverdueMs
  if (weight < committee.orderingWeight) return { mode: 'stopped', weight, missing }
  return { mode: weight < committee.quorumWeight || isOverdue ? 'degraded' : 'final', weight, missing }
}

/** Whether fewer order events than make them final (genesis `consensus.degraded`). */
export function mayDegrade(committee: Committee): boolean {
  return committee.orderingWeight < committee.quorumWeight
}

/** "a", "a and b", "a, b and c": names of validators, in an order everybody has. */
export function listOf(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? 'nobody') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
