import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'

/** What one operator answers for: its validator, and the stake of everybody who bonded with it. */
export type Pool = {
  /** Account that answers. */
  readonly operator: string
  /** Text of the consensus key that the next set is to know. */
  readonly key: string
  readonly name: string
  readonly peerId: string
  readonly origin: string
  readonly region: string
  readonly website: string
  readonly commissionBasisPoints: number
  /** When the commission was last raised, or the validator joined. */
  readonly commissionRaisedMs: number
  /** BLY that is bonded; slashing lowers it. */
  readonly stakeUnits: bigint
  /** Shares of it: they only change with bonding and unbonding. */
  readonly shareUnits: bigint
  /** Earnings of one share since the beginning, times 10^18. */
  readonly earningsIndex: bigint
  /** What is left of the last division of earnings. */
  readonly earningsRest: bigint
  /** Commission, and earnings while nobody was bonded: the operator's, not claimed yet. */
  readonly commissionUnits: bigint
  readonly status: 'bonded' | 'unbonding' | 'unbonded'
  /** When a validator that left the set is unbonded; null while it is in the set or has never been. */
  readonly unbondedAtMs: number | null
  /** Until when it may not come back; null when it is not jailed. It stays jailed until `operator-unjail`. */
  readonly jailedUntilMs: number | null
  readonly jailReason: string | null
  /** Never comes back. */
  readonly isTombstoned: boolean
  /** Asked to leave: not in the next set. */
  readonly isLeaving: boolean
  readonly joinedMs: number
  /** Whether it stands in the list of those from whom sets are made. */
  readonly isListed: boolean
  /** Keys it signed with before, the latest last. */
  readonly pastKeys: readonly string[]
}

/** Most operators from whom sets are made. */
export const poolsMax = 512
/** More than the epochs whose sets are kept: what is forgotten nobody can be accused of any more. */
const pastKeysMax = 72
const listKey = 'pools'
export const poolPrefix = 'pool/'
const poolKey = (operator: string): string => `${poolPrefix}${operator}`
const operatorKey = (consensusKey: string): string => `operator/${consensusKey}`
const peerKey = (peerId: string): string => `operator-peer/${peerId}`

const amounts = ['stakeUnits', 'shareUnits', 'earningsIndex', 'earningsRest', 'commissionUnits'] as const
type StoredPool = Omit<Pool, (typeof amounts)[number]> & Record<(typeof amounts)[number], string>

export function readPool(state: StateView, operator: string): Pool | undefined {
  const stored = state.get(poolKey(operator)) as StoredPool | undefined
  return stored === undefined ? undefined : poolOfStored(stored)
}

/** A pool as the state has it (`pool/<operator>`), with its amounts as numbers. */
export function poolOfStored(value: unknown): Pool {
  const stored = value as StoredPool
  return {
    ...stored,
    stakeUnits: BigInt(stored.stakeUnits),
    shareUnits: BigInt(stored.shareUnits),
    earningsIndex: BigInt(stored.earningsIndex),
    earningsRest: BigInt(stored.earningsRest),
    commissionUnits: BigInt(stored.commissionUnits)
  }
}

export function writePool(state: StateView, pool: Pool): void {
  const stored: Record<string, CanonicalValue> = { ...pool, pastKeys: [...pool.pastKeys] } as never
  for (const name of amounts) stored[name] = pool[name].toString()
  state.set(poolKey(pool.operator), stored)
}

/** Operators from whom sets are made, the oldest first. */
export function poolOperators(state: StateView): readonly string[] {
  return (state.get(listKey) as readonly string[] | undefined) ?? []
}

/** Puts a pool on the list or takes it off; gives the pool as it is then. */
export function listPool(state: StateView, pool: Pool, isListed: boolean): Pool {
  const others = poolOperators(state).filter(operator => operator !== pool.operator)
  const operators = isListed ? [...others, pool.operator] : others
  if (operators.length === 0) state.delete(listKey)
  else state.set(listKey, operators)
  const next = { ...pool, isListed }
  writePool(state, next)
  return next
}

/** Account that answers for a consensus key, also for one that was rotated away. */
export function operatorOf(state: StateView, consensusKey: string): string | undefined {
  return state.get(operatorKey(consensusKey)) as string | undefined
}

export function operatorOfPeer(state: StateView, peerId: string): string | undefined {
  return state.get(peerKey(peerId)) as string | undefined
}

/** Notes that a pool has this key and this peer id now. */
export function claimIdentity(state: StateView, pool: Pick<Pool, 'operator' | 'key' | 'peerId'>): void {
  state.set(operatorKey(pool.key), pool.operator)
  state.set(peerKey(pool.peerId), pool.operator)
}

/** The pool with another key and peer id. A key that was in a set is kept: it can still be accused. */
export function withIdentity(
  state: StateView,
  pool: Pool,
  next: { readonly key: string; readonly peerId: string; readonly wasInSet: boolean }
): Pool {
  const { key, peerId, wasInSet } = next
  if (pool.peerId !== peerId) state.delete(peerKey(pool.peerId))
  let pastKeys = pool.pastKeys.filter(one => one !== key)
  if (pool.key !== key) {
    if (wasInSet) pastKeys.push(pool.key)
    else state.delete(operatorKey(pool.key))
  }
  for (const forgotten of pastKeys.slice(0, -pastKeysMax)) state.delete(operatorKey(forgotten))
  pastKeys = pastKeys.slice(-pastKeysMax)
  const changed = { ...pool, key, peerId, pastKeys }
  claimIdentity(state, changed)
  return changed
}

/** Forgets a pool that nothing is left of. One that may never come back is kept as a warning to itself. */
export function removePool(state: StateView, pool: Pool): void {
  const unlisted = pool.isListed ? listPool(state, pool, false) : pool
  if (unlisted.isTombstoned) return
  for (const key of [...pool.pastKeys, pool.key]) state.delete(operatorKey(key))
  state.delete(peerKey(pool.peerId))
  state.delete(poolKey(pool.operator))
}
