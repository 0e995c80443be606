import { currentSet, type Genesis, keyTextOf, type StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { schedule } from '../book/agenda.ts'
import type { RuleInput } from '../book/rule.ts'
import { numberOf, parameterOf } from '../parameters.ts'
import { isMember } from './members.ts'
import { noteSetMayChange, selfStakeOf } from './next-set.ts'
import {
  listPool,
  operatorOf,
  type Pool,
  poolOperators,
  poolsMax,
  readPool,
  removePool,
  writePool
} from './pool-records.ts'
import { endLiability, forgetUnbonding, unbondingPools } from './unbonding-pools.ts'

export const unbondedKind = 'operator-unbonded'
export const idleKind = 'operator-idle'

/**
 * Puts a pool on the list from which sets are made, once its operator has bonded enough itself. Of too many the one with
 * the least stake goes; undefined when all others have more.
 */
export function listIfFit(state: StateView, genesis: Genesis, pool: Pool): Pool | undefined {
  if (pool.isListed || selfStakeOf(state, pool.operator) < parameterOf(state, genesis, 'selfStakeMinUnits')) return pool
  if (poolOperators(state).length >= poolsMax) {
    const least = leastListed(state, genesis)
    if (least === undefined || least.stakeUnits >= pool.stakeUnits) return undefined
    listPool(state, least, false)
  }
  return listPool(state, pool, true)
}

/** Of those that are not in the set: a member stays on the list while it is one. */
function leastListed(state: StateView, genesis: Genesis): Pool | undefined {
  const members = new Set(currentSet(state, genesis).members.map(member => operatorOf(state, keyTextOf(member))))
  return poolOperators(state)
    .filter(operator => !members.has(operator))
    .map(operator => readPool(state, operator)!)
    .reduce<Pool | undefined>(
      (least, pool) => (least === undefined || pool.stakeUnits < least.stakeUnits ? pool : least),
      undefined
    )
}

/** Takes a pool off the list when it has nothing to do there, and forgets it when nothing is left of it. */
export function tidyPool(state: StateView, genesis: Genesis, operator: string): void {
  const pool = readPool(state, operator)
  if (pool === undefined || pool.status !== 'unbonded' || isMember(state, genesis, operator)) return
  const isDone = pool.isLeaving || pool.isTombstoned || selfStakeOf(state, operator) === 0n
  const listed = pool.isListed && isDone ? listPool(state, pool, false) : pool
  if (!isDone || listed.shareUnits > 0n || unbondingPools(state, operator).length > 0 || listed.commissionUnits > 0n)
    return
  forgetUnbonding(state, operator)
  removePool(state, listed)
}

/** A pool that never got any stake is forgotten some time after it joined. */
export function watchIdle(input: RuleInput, operator: string): void {
  schedule(input.state, input.nowMs + idleAfterMs(input), idleKind, operator)
}

export function actOnIdle(input: RuleInput, operator: string): void {
  const { state, genesis, nowMs } = input
  const pool = readPool(state, operator)
  if (pool !== undefined && nowMs - pool.joinedMs >= idleAfterMs(input)) tidyPool(state, genesis, operator)
}

function idleAfterMs({ state, genesis }: RuleInput): number {
  return numberOf(state, genesis, 'unbondingMs')
}

/** A new set: who is in it is bonded, who was and is no more begins to unbond. */
export function followSet(input: RuleInput): void {
  const { state, genesis, nowMs } = input
  const members = new Set(currentSet(state, genesis).members.map(member => operatorOf(state, keyTextOf(member))))
  for (const operator of new Set([...poolOperators(state), ...members])) {
    const pool = readPool(state, operator ?? '')
    if (pool === undefined || operator === undefined) continue
    endLiability(state, operator, nowMs)
    if (members.has(operator)) {
      if (pool.status !== 'bonded') writePool(state, { ...pool, status: 'bonded', unbondedAtMs: null })
      if (!pool.isListed) listPool(state, readPool(state, operator)!, true)
    } else if (pool.status === 'bonded') {
      const unbondedAtMs = nowMs + numberOf(state, genesis, 'unbondingMs')
      writePool(state, { ...pool, status: 'unbonding', unbondedAtMs })
      schedule(state, unbondedAtMs, unbondedKind, operator)
    }
  }
  noteSetMayChange(state)
}

export function actOnUnbonded({ state, genesis, nowMs }: RuleInput, operator: string): void {
  const pool = readPool(state, operator)
  if (pool?.status !== 'unbonding' || pool.unbondedAtMs === null || pool.unbondedAtMs > nowMs) return
  writePool(state, { ...pool, status: 'unbonded', unbondedAtMs: null })
  tidyPool(state, genesis, operator)
}

/** Throws OPERATOR_UNKNOWN. */
export function requirePool(state: StateView, operator: string): Pool {
  const pool = readPool(state, operator)
  if (pool === undefined) throw new BlyanError('OPERATOR_UNKNOWN', { operator })
  return pool
}
