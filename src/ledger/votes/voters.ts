import type { Genesis, StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { giftedNodes } from '../gifted/index.ts'
import { bondedStakeOf, bondsOf, memberOperators, poolOperators, readPool, totalBonded } from '../staking/index.ts'
import { ballotsOf } from './ballots.ts'
import type { Proposal } from './proposals.ts'
import { type Tally, tallyHeads, tallyStake } from './tally.ts'

/**
 * What a voter stands for now, to choose whose votes are kept. Throws VOTE_NOT_STAKED, VOTE_NOT_NODE,
 * VOTE_NOT_VALIDATOR for who may not vote.
 */
export function requireVoter(
  state: StateView,
  genesis: Genesis,
  { rule, openedMs }: Pick<Proposal, 'rule' | 'openedMs'>,
  account: string
): bigint {
  const { ballot } = rule
  if (ballot === 'validator') {
    requireValidator(state, genesis, account)
    const pool = readPool(state, account)
    if (pool !== undefined && isJailed(pool)) throw new BlyanError('VOTE_NOT_VALIDATOR', { account })
    return 0n
  }
  if (ballot === 'node') {
    if (!activeNodes(state, openedMs).has(account)) throw new BlyanError('VOTE_NOT_NODE', { account })
    return 0n
  }
  const weight = bondedStakeOf(state, account) + (pooledUnits(state, account) ?? 0n)
  if (weight === 0n) throw new BlyanError('VOTE_NOT_STAKED', { account })
  return weight
}

/** Throws VOTE_NOT_VALIDATOR. */
export function requireValidator(state: StateView, genesis: Genesis, account: string): void {
  if (!validators(state, genesis).has(account)) throw new BlyanError('VOTE_NOT_VALIDATOR', { account })
}

/** What its votes come to now. */
export function tallyOf(state: StateView, genesis: Genesis, { id, rule, openedMs }: Proposal): Tally {
  const voted = ballotsOf(state, id)
  if (rule.ballot === 'validator') return tallyHeads(voted, validators(state, genesis))
  if (rule.ballot === 'node') return tallyHeads(voted, activeNodes(state, openedMs))
  return tallyStake({
    voted,
    bondsOf: account => bondsOf(state, account),
    pooledUnits: operator => pooledUnits(state, operator),
    allUnits: totalBonded(state)
  })
}

/**
 * Accounts of operators whose validator is in the set, and of gifted nodes that serve and did so before `sinceMs`: nobody
 * registers nodes to win a vote that runs. Each account once.
 */
export function activeNodes(state: StateView, sinceMs: number): Set<string> {
  const operators = poolOperators(state).filter(operator => {
    const pool = readPool(state, operator)
    return pool?.status === 'bonded' && !isJailed(pool)
  })
  const gifted = giftedNodes(state).filter(({ isActive, registeredAtMs }) => isActive && registeredAtMs < sinceMs)
  return new Set([...operators, ...gifted.map(({ account }) => account)])
}

function validators(state: StateView, genesis: Genesis): Set<string> {
  return new Set(memberOperators(state, genesis).map(({ operator }) => operator))
}

/** Whoever is jailed speaks for its own stake alone. */
function pooledUnits(state: StateView, operator: string): bigint | undefined {
  const pool = readPool(state, operator)
  return pool === undefined || isJailed(pool) ? undefined : BigInt(pool.stakeUnits)
}

function isJailed(pool: { readonly jailedUntilMs: number | null; readonly isTombstoned: boolean }): boolean {
  return pool.jailedUntilMs !== null || pool.isTombstoned
}
