import type { StateView } from '../../dag/index.ts'
import { schedule } from '../book/agenda.ts'
import { move, systemAccounts } from '../book/book.ts'
import type { RuleInput } from '../book/rule.ts'
import { endEmergency } from './emergency.ts'
import { execute } from './execution.ts'
import {
  contentOf,
  finishProposal,
  type Proposal,
  type ProposalStatus,
  readProposal,
  type StoredTally,
  writeProposal
} from './proposals.ts'
import { voteClasses } from './rules.ts'
import { hasQuorum, outcomeOf, type Tally } from './tally.ts'
import { oweVoters } from './vote-rewards.ts'
import { tallyOf } from './voters.ts'

export const agendaKinds = { close: 'proposal-close', execute: 'proposal-execute', end: 'emergency-end' } as const

/** Time of the last commit in which votes were counted. */
const countedKey = 'proposals/counted'

/** The end of voting: counts, gives the deposit back or keeps it, and does what was voted. */
export function closeProposal(input: RuleInput, id: string): void {
  const { state, genesis, nowMs } = input
  const proposal = readProposal(state, Number(id))
  if (proposal?.status !== 'open') return
  // Counting many votes takes a while: one proposal a commit, so that no commit has to wait for all of them.
  if (state.get(countedKey) === nowMs) {
    schedule(state, nowMs + 1, agendaKinds.close, id)
    return
  }
  state.set(countedKey, nowMs)
  const tally = tallyOf(state, genesis, proposal)
  const outcome = outcomeOf(tally, proposal.rule)
  const isQuorate = proposal.rule.ballot === 'validator' || hasQuorum(tally, proposal.rule)
  releaseDeposit(state, proposal, isQuorate)
  if (isQuorate && voteClasses[proposal.voteClass].isRewarded) oweVoters(input, proposal)
  const counted = { ...proposal, closedMs: nowMs, tally: storedTally(tally) }
  if (outcome === 'passed') carryOut(input, counted)
  else finishProposal(state, { ...counted, status: outcome })
}

/** An emergency that has its votes: done with the commit that brought the last of them, which makes a checkpoint. */
export function executePassed(input: RuleInput, id: string): void {
  const { state, genesis, nowMs } = input
  const proposal = readProposal(state, Number(id))
  if (proposal?.status !== 'passed') return
  const tally = storedTally(tallyOf(state, genesis, proposal))
  carryOut(input, { ...proposal, closedMs: nowMs, tally })
}

/** The end of what an emergency did for a time, or of its support. */
export function endInForce(input: RuleInput, id: string): void {
  const { state, nowMs } = input
  const proposal = readProposal(state, Number(id))
  if (proposal?.status !== 'in-force') return
  const content = contentOf(state, proposal.id)
  if (content.kind === 'emergency') endEmergency(input, proposal.id, content)
  finishProposal(state, { ...proposal, status: 'ended', endsMs: nowMs })
}

/** Deposits of those that enough people looked at go back; what nobody cared for pays the treasury. */
export function releaseDeposit(state: StateView, { proposer, depositUnits }: Proposal, isReturned: boolean): void {
  const { escrow, treasury } = systemAccounts
  move(state, escrow, isReturned ? proposer : treasury, 'BLY', BigInt(depositUnits))
}

export function storedTally({ yes, no, abstain, all }: Tally): StoredTally {
  return { yes: yes.toString(), no: no.toString(), abstain: abstain.toString(), all: all.toString() }
}

function carryOut(input: RuleInput, proposal: Proposal): void {
  const { state } = input
  const { status, endsMs, failure } = execute(input, proposal, contentOf(state, proposal.id))
  const done: Proposal = { ...proposal, status: status satisfies ProposalStatus, failure, endsMs }
  if (endsMs === null) finishProposal(state, done)
  else {
    writeProposal(state, done)
    schedule(state, endsMs, agendaKinds.end, String(proposal.id))
  }
}
