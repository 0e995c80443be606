import type { Genesis, StateView } from '../../dag/index.ts'
import { balanceOf, type Posting, post, systemAccounts } from '../book/book.ts'
import { share } from '../book/coins.ts'
import type { RuleInput } from '../book/rule.ts'
import { parameterOf } from '../parameters.ts'
import { bondedStakeOf } from '../staking/index.ts'
import { ballotsOf } from './ballots.ts'
import type { Proposal } from './proposals.ts'
import { voteLimits } from './rules.ts'

/*
 * Voters of a proposal that reached its quorum are paid at a settlement, from the validation pool. Who is to be paid is
 * written when the votes are counted, in pages that fit into an entry of the state.
 */
type Unpaid = { readonly id: number; readonly pages: number; readonly voters: number }

const million = 1_000_000n
const accountsPerPage = 256
const unpaidKey = 'vote-rewards/unpaid'
const lastKey = 'vote-rewards/last'
const pageKey = (id: number, page: number): string => `vote-rewards/${id}/${page}`

/** What the last settlement that paid voters paid, with every number it came from. */
export type VotePayment = {
  readonly period: number
  readonly proposals: readonly number[]
  readonly voters: number
  readonly rewardUnits: string
  /** What the rewards came to. */
  readonly dueUnits: string
  /** What the pool allowed: its share in `voteBudgetPpm`. */
  readonly budgetUnits: string
  /** What each voter got. */
  readonly eachUnits: string
}

export function unpaidVotes(state: StateView): readonly Unpaid[] {
  return (state.get(unpaidKey) as readonly Unpaid[] | undefined) ?? []
}

export function lastVotePayment(state: StateView): VotePayment | undefined {
  return state.get(lastKey) as VotePayment | undefined
}

/** Notes who is paid for voting on it. When too many wait already, nobody is. */
export function oweVoters({ state, genesis }: RuleInput, { id, rule }: Proposal): void {
  const unpaid = unpaidVotes(state)
  if (unpaid.length >= voteLimits.unpaidMax) return
  const stakeMin = parameterOf(state, genesis, 'voteRewardStakeMinUnits')
  const accounts = ballotsOf(state, id)
    .map(({ account }) => account)
    .filter(account => rule.ballot !== 'stake' || bondedStakeOf(state, account) >= stakeMin)
  if (accounts.length === 0) return
  const pages = Math.ceil(accounts.length / accountsPerPage)
  for (let page = 0; page < pages; page++)
    state.set(pageKey(id, page), accounts.slice(page * accountsPerPage, (page + 1) * accountsPerPage))
  state.set(unpaidKey, [...unpaid, { id, pages, voters: accounts.length }])
}

/**
 * Pays the voters of the oldest proposals that wait: the reward for each, and when that is more than the budget, an equal
 * share of the budget, rounded down.
 */
export function payVoters(state: StateView, genesis: Genesis, period: number): void {
  const unpaid = unpaidVotes(state)
  const paid = unpaid.slice(0, voteLimits.paidPerPeriodMax)
  if (paid.length === 0) return
  const { validationPool } = systemAccounts
  const voters = paid.reduce((sum, one) => sum + one.voters, 0)
  const reward = parameterOf(state, genesis, 'voteRewardUnits')
  const due = reward * BigInt(voters)
  const pool = balanceOf(state, validationPool, 'BLY')
  const budget = share(pool, parameterOf(state, genesis, 'voteBudgetPpm'), million)
  const each = due <= budget ? reward : budget / BigInt(voters)
  const postings: Posting[] = [{ account: validationPool, coin: 'BLY', change: -each * BigInt(voters) }]
  for (const { id, pages } of paid) {
    for (let page = 0; page < pages; page++) {
      for (const account of state.get(pageKey(id, page)) as readonly string[])
        postings.push({ account, coin: 'BLY', change: each })
      state.delete(pageKey(id, page))
    }
  }
  post(state, postings)
  const left = unpaid.slice(paid.length)
  if (left.length === 0) state.delete(unpaidKey)
  else state.set(unpaidKey, left)
  const last: VotePayment = {
    period,
    proposals: paid.map(({ id }) => id),
    voters,
    rewardUnits: reward.toString(),
    dueUnits: due.toString(),
    budgetUnits: budget.toString(),
    eachUnits: each.toString()
  }
  state.set(lastKey, last)
}
