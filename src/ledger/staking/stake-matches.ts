import type { State } from '../../dag/index.ts'
import { balanceOf, systemAccounts } from '../book/book.ts'
import { earningsOf, readBond, sharedOf, unbondingTotal } from './bonds.ts'
import { poolOfStored, poolPrefix } from './pool-records.ts'
import { worthOf } from './shares.ts'
import { unbondingPools } from './unbonding-pools.ts'

/**
 * Counts all stake there is: bonds make up the shares of their pools, pools and what is unbonding make up @bonded, and
 * what could be claimed is in @earned. Throws a plain error that says what differs. For tests: it reads everything.
 */
export function requireStakeMatches(state: State): void {
  const owned = new Map<string, bigint>()
  const worth = new Map<string, bigint>()
  let claimable = 0n
  for (const [key] of state.entries()) {
    const [kind, account, operator] = key.split('/')
    if (kind !== 'bond') continue
    const bond = readBond(state, account!, operator!)!
    owned.set(operator!, (owned.get(operator!) ?? 0n) + bond.shares)
    const pool = poolOfStored(state.get(`${poolPrefix}${operator}`))
    worth.set(operator!, (worth.get(operator!) ?? 0n) + worthOf(sharedOf(pool), bond.shares))
    claimable += earningsOf(pool, bond)
  }
  const inEntries = entryShares(state)
  let bonded = 0n
  let unbonding = 0n
  for (const [key] of state.entries()) {
    if (key.startsWith(poolPrefix)) {
      const pool = poolOfStored(state.get(key))
      bonded += pool.stakeUnits
      claimable += pool.commissionUnits
      same(`shares of ${pool.operator}`, owned.get(pool.operator) ?? 0n, pool.shareUnits)
      atMost(`worth of the bonds with ${pool.operator}`, worth.get(pool.operator) ?? 0n, pool.stakeUnits)
    } else if (key.startsWith('unbonding-pool/')) {
      const operator = key.slice('unbonding-pool/'.length)
      for (const pool of unbondingPools(state, operator)) {
        unbonding += pool.units
        same(
          `shares of unbonding pool ${operator}/${pool.id}`,
          inEntries.get(`${operator}/${pool.id}`) ?? 0n,
          pool.shares
        )
      }
    }
  }
  same('what is unbonding', unbonding, unbondingTotal(state))
  same('what is bonded and unbonding', bonded + unbonding, balanceOf(state, systemAccounts.bonded, 'BLY'))
  atMost('what can be claimed', claimable, balanceOf(state, systemAccounts.earned, 'BLY'))
}

function entryShares(state: State): Map<string, bigint> {
  const found = new Map<string, bigint>()
  for (const [key] of state.entries()) {
    if (!key.startsWith('unbonding/')) continue
    const { entries } = state.get(key) as unknown as {
      entries: readonly { operator: string; pool: number; shares: string }[]
    }
    for (const { operator, pool, shares } of entries) {
      const name = `${operator}/${pool}`
      found.set(name, (found.get(name) ?? 0n) + BigInt(shares))
    }
  }
  return found
}

function same(what: string, found: bigint, expected: bigint): void {
  if (found !== expected) throw new Error(`${what}: ${found}, not ${expected}`)
}

function atMost(what: string, found: bigint, most: bigint): void {
  if (found > most) throw new Error(`${what}: ${found}, more than ${most}`)
}
