import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'
import { isWorthless, lossOf, type Shared, sharesFor } from './shares.ts'

/**
 * Coins that leave one operator, of all who began to unbond at about the same time: a slashing touches a few of these
 * and never the many entries of accounts. An entry owns shares of one.
 */
export type UnbondingPool = Shared & {
  readonly id: number
  readonly sinceMs: number
  /** Answers for what was done before this time; null while the stake that leaves still gives a place in the set. */
  readonly liableUntilMs: number | null
}

/** So many parts of the unbonding time share one. */
const partsOfUnbonding = 64
const poolsPerOperatorMax = 256
const key = (operator: string): string => `unbonding-pool/${operator}`
type Stored = { readonly next: number; readonly pools: readonly UnbondingPool[] }

export function unbondingPools(state: StateView, operator: string): readonly UnbondingPool[] {
  return read(state, operator).pools
}

export function unbondingPool(state: StateView, operator: string, id: number): UnbondingPool {
  const found = unbondingPools(state, operator).find(pool => pool.id === id)
  if (found === undefined) throw new Error(`no unbonding pool ${id} of ${operator}`)
  return found
}

/** Puts coins that leave into the youngest pool, or into a new one. Gives its id and the shares. */
export function addUnbonding(
  state: StateView,
  operator: string,
  input: { readonly units: bigint; readonly nowMs: number; readonly unbondingMs: number; readonly isOpen: boolean }
): { readonly id: number; readonly shares: bigint } {
  const { units, nowMs, unbondingMs, isOpen } = input
  const { next, pools } = read(state, operator)
  const liableUntilMs = isOpen ? null : nowMs
  const last = pools.at(-1)
  const isYoung = last !== undefined && nowMs - last.sinceMs < unbondingMs / partsOfUnbonding
  if (last === undefined || isWorthless(last) || (!isYoung && pools.length < poolsPerOperatorMax)) {
    const made: UnbondingPool = { id: next, sinceMs: nowMs, liableUntilMs, units, shares: units }
    write(state, operator, { next: next + 1, pools: [...pools, made] })
    return { id: next, shares: units }
  }
  const shares = sharesFor(last, units)
  // Of entries that share a pool the strictest holds for all: time within it is not told apart.
  const merged = {
    ...last,
    units: last.units + units,
    shares: last.shares + shares,
    liableUntilMs: isOpen || last.liableUntilMs === null ? null : nowMs
  }
  write(state, operator, { next, pools: [...pools.slice(0, -1), merged] })
  return { id: last.id, shares }
}

export function takeUnbonding(state: StateView, operator: string, id: number, taken: Shared): void {
  change(state, operator, pool =>
    pool.id !== id ? pool : { ...pool, units: pool.units - taken.units, shares: pool.shares - taken.shares }
  )
}

/** Takes a loss from everything that answers for the time of an offence. Gives what was taken. */
export function loseUnbonding(state: StateView, operator: string, ppm: bigint, offenceMs: number): bigint {
  let lost = 0n
  change(state, operator, pool => {
    if (pool.liableUntilMs !== null && pool.liableUntilMs <= offenceMs) return pool
    const loss = lossOf(pool, ppm)
    lost += loss
    return { ...pool, units: pool.units - loss }
  })
  return lost
}

/** The set has changed: what was leaving has left. */
export function endLiability(state: StateView, operator: string, nowMs: number): void {
  if (unbondingPools(state, operator).some(pool => pool.liableUntilMs === null))
    change(state, operator, pool => (pool.liableUntilMs === null ? { ...pool, liableUntilMs: nowMs } : pool))
}

/** When nothing of an operator is left. */
export function forgetUnbonding(state: StateView, operator: string): void {
  if (state.get(key(operator)) !== undefined) state.delete(key(operator))
}

function change(state: StateView, operator: string, to: (pool: UnbondingPool) => UnbondingPool): void {
  const { next, pools } = read(state, operator)
  if (pools.length > 0) write(state, operator, { next, pools: pools.map(to).filter(pool => pool.shares > 0n) })
}

function read(state: StateView, operator: string): Stored {
  type StoredPool = Omit<UnbondingPool, 'units' | 'shares'> & { readonly units: string; readonly shares: string }
  const stored = state.get(key(operator)) as { next: number; pools: readonly StoredPool[] } | undefined
  if (stored === undefined) return { next: 1, pools: [] }
  return {
    next: stored.next,
    pools: stored.pools.map(pool => ({ ...pool, units: BigInt(pool.units), shares: BigInt(pool.shares) }))
  }
}

function write(state: StateView, operator: string, { next, pools }: Stored): void {
  const stored = pools.map(pool => ({ ...pool, units: pool.units.toString(), shares: pool.shares.toString() }))
  state.set(key(operator), { next, pools: stored } as CanonicalValue)
}
