import { publicKeyFromText } from '../../codec/index.ts'
import {
  currentSet,
  type Genesis,
  keyTextOf,
  readEpoch,
  type StateView,
  type ValidatorSet,
  wantedSet,
  writeWantedSet
} from '../../dag/index.ts'
import type { RuleInput } from '../book/rule.ts'
import { numberOf, parameterOf } from '../parameters.ts'
import { bondUnits } from './bonds.ts'
import { operatorOf, type Pool, poolOperators, readPool } from './pool-records.ts'

type Members = ValidatorSet['members']
type Member = Members[number]

/** A set never weighs more: weights are whole stake until then, and parts of the whole above it. */
const weightSumMax = 1_000_000n
const changedKey = 'staking/changed'
const forcedKey = 'staking/forced'

/** Whoever changes what sets are made from says so; the next set is made after the commit. */
export function noteSetMayChange(state: StateView): void {
  if (state.get(changedKey) === undefined) state.set(changedKey, true)
}

/** A new epoch, with the same set unless it changes anyway. */
export function forceNextEpoch(state: StateView): void {
  state.set(forcedKey, true)
  noteSetMayChange(state)
}

/** What an operator has bonded with itself, as it is worth now. */
export function selfStakeOf(state: StateView, operator: string): bigint {
  return bondUnits(state, operator, operator)
}

/** Whether a pool may be in a next set. */
export function isCandidate(state: StateView, genesis: Genesis, pool: Pool): boolean {
  if (pool.isLeaving || pool.isTombstoned || pool.jailedUntilMs !== null || pool.stakeUnits === 0n) return false
  return selfStakeOf(state, pool.operator) >= parameterOf(state, genesis, 'selfStakeMinUnits')
}

/** Who would make a set now: the largest by stake, of two alike the one that came first. */
export function candidatePools(state: StateView, genesis: Genesis): Pool[] {
  return poolOperators(state)
    .map(operator => readPool(state, operator)!)
    .filter(pool => isCandidate(state, genesis, pool))
    .sort((a, b) => (a.stakeUnits === b.stakeUnits ? 0 : a.stakeUnits < b.stakeUnits ? 1 : -1))
    .slice(0, numberOf(state, genesis, 'validatorsMax'))
}

/** The set that stake makes of the pools now. Empty when nobody is fit. */
export function setByStake(state: StateView, genesis: Genesis): Member[] {
  const pools = candidatePools(state, genesis)
  const weights = weightsOf(state, genesis, pools)
  const members = new Map(
    pools.map((pool, place) => [
      pool.operator,
      {
        name: pool.name,
        publicKey: publicKeyFromText(pool.key),
        peerId: pool.peerId,
        origin: pool.origin,
        region: pool.region,
        weight: weights[place]!
      }
    ])
  )
  const staying = currentSet(state, genesis).members.map(member => operatorOf(state, keyTextOf(member)) ?? '')
  // Members keep their order, newcomers follow in the order in which they were listed.
  const order = [...staying, ...poolOperators(state).filter(operator => !staying.includes(operator))]
  return order.map(operator => members.get(operator)).filter(member => member !== undefined)
}

/** Votes of these pools: 1 each, or their stake in units of `weightUnits`, never below 1. */
export function weightsOf(state: StateView, genesis: Genesis, pools: readonly Pool[]): number[] {
  if (genesis.file.economy!.weights === 'equal') return pools.map(() => 1)
  const one = parameterOf(state, genesis, 'weightUnits')
  const weights = pools.map(pool => atLeastOne(pool.stakeUnits / (one === 0n ? 1n : one)))
  const sum = weights.reduce((total, weight) => total + weight, 0n)
  if (sum <= weightSumMax) return weights.map(Number)
  const parts = weightSumMax - BigInt(pools.length)
  return weights.map(weight => Number(1n + (weight * parts) / sum))
}

/** After each commit: a change of who is in the set is asked for at once. */
export function wantChangedSet({ state, genesis }: RuleInput): void {
  if (state.get(changedKey) === undefined) return
  state.delete(changedKey)
  const { now, next } = sets(state, genesis)
  const isForced = state.get(forcedKey) !== undefined
  const wanted = wantedSet(state)
  if (isSame(next, wanted ?? now, byIdentity) && (!isForced || wanted !== undefined)) return
  writeWantedSet(state, isSame(next, now, byIdentity) && !isForced ? undefined : next)
}

/** At the end of each period: weights and what validators say of themselves are taken over too. */
export function wantExactSet({ state, genesis }: RuleInput): void {
  const { now, next } = sets(state, genesis)
  const isForced = state.get(forcedKey) !== undefined
  writeWantedSet(state, isSame(next, now, exactly) && !isForced ? undefined : next)
}

/** Where nobody is fit the set stays as it is: a network without validators could never have any again. */
function sets(state: StateView, genesis: Genesis): { readonly now: Members; readonly next: Members } {
  const now = currentSet(state, genesis).members
  const next = setByStake(state, genesis)
  return { now, next: next.length === 0 ? now : next }
}

const epochKey = 'staking/epoch'

/** Whether the epoch is another than at the commit before. */
export function isNewEpoch(state: StateView, genesis: Genesis): boolean {
  const { epoch } = readEpoch(state, genesis)
  const known = (state.get(epochKey) as number | undefined) ?? 0
  if (known === epoch) return false
  state.set(epochKey, epoch)
  if (state.get(forcedKey) !== undefined) state.delete(forcedKey)
  return true
}

function isSame(a: Members, b: Members, nameOf: (member: Member) => string): boolean {
  return a.length === b.length && a.every((member, place) => nameOf(member) === nameOf(b[place]!))
}

function byIdentity(member: Member): string {
  return `${keyTextOf(member)} ${member.peerId}`
}

function exactly(member: Member): string {
  return JSON.stringify([byIdentity(member), member.name, member.origin, member.region, member.weight])
}

function atLeastOne(weight: bigint): bigint {
  return weight < 1n ? 1n : weight
}
