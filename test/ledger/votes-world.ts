import assert from 'node:assert/strict'
import type { SigningKey } from '../../src/codec/index.ts'
import { closedProposals, openProposals, type Proposal, readProposal } from '../../src/ledger/votes/index.ts'
import { proposalKinds } from '../../src/ledger/votes/rules.ts'
import { accountOf } from '../dag/small-network.ts'
import { bly, LedgerWorld, operatorKey, type WorldOptions } from './ledger-world.ts'

export const hourMs = 3_600_000
export const units = (coins: bigint): string => (coins * bly).toString()

/** A ledger in which things are put to the vote. */
export class VotesWorld extends LedgerWorld {
  #last = 0

  constructor(options: WorldOptions = {}) {
    super({
      ...options,
      parameters: { votingMs: String(hourMs), emergencyVotingMs: String(hourMs), ...options.parameters }
    })
  }

  /** Opens a proposal that must be taken; gives its number. */
  propose(key: SigningKey, payload: Record<string, unknown>): number {
    assert.equal(this.apply(key, 'proposal-new', { title: 'a title', text: 'and why', ...payload }), '')
    return ++this.#last
  }

  refusalOf(key: SigningKey, payload: Record<string, unknown>): string {
    return this.apply(key, 'proposal-new', { title: 'a title', text: 'and why', ...payload })
  }

  vote(key: SigningKey, proposal: number, vote: 'yes' | 'no' | 'abstain' = 'yes'): string {
    return this.apply(key, 'proposal-vote', { proposal, vote })
  }

  /** The votes of these operators, all of which must be taken. */
  votes(proposal: number, vote: 'yes' | 'no' | 'abstain', ...operators: number[]): void {
    for (const operator of operators) assert.equal(this.vote(operatorKey(operator), proposal, vote), '')
  }

  /** To the end of voting, and past it. */
  close(proposal: number): Proposal {
    this.commit(Math.max(0, this.proposal(proposal).closesMs - this.nowMs))
    return this.proposal(proposal)
  }

  proposal(id: number): Proposal {
    return readProposal(this.state, id)!
  }

  get openCount(): number {
    return proposalKinds.reduce((count, kind) => count + openProposals(this.state, kind).length, 0)
  }

  get closed(): readonly number[] {
    return closedProposals(this.state)
  }

  /** Bonds with an operator; the account must have the coins. */
  stake(key: SigningKey, operator: number, coins: bigint): void {
    const payload = { operator: accountOf(operatorKey(operator)), amount: units(coins) }
    assert.equal(this.apply(key, 'stake', payload), '')
  }

  /** A transfer that must be taken. */
  send(from: SigningKey, to: SigningKey, coins: bigint): void {
    assert.equal(this.apply(from, 'transfer', { to: accountOf(to), amount: units(coins) }), '')
  }
}
