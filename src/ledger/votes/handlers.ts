import type { EventHandler, Genesis } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { schedule } from '../book/agenda.ts'
import { move, systemAccounts } from '../book/book.ts'
import { type LedgerInput, ledgerHandler } from '../book/ledger-handler.ts'
import { numberOf, parameterOf } from '../parameters.ts'
import { ballotCount, castBallot, withdrawBallot } from './ballots.ts'
import { agendaKinds, releaseDeposit } from './closing.ts'
import { checkProposal } from './execution.ts'
import { type ProposalPayload, proposalSchema, voteSchema, withdrawSchema } from './payloads.ts'
import {
  contentOf,
  finishProposal,
  openProposal,
  openProposals,
  type Proposal,
  requireProposal,
  writeProposal
} from './proposals.ts'
import { ruleOf, type VoteClassName, voteClasses } from './rules.ts'
import { outcomeOf } from './tally.ts'
import { requireVoter, tallyOf } from './voters.ts'

export function proposalNewHandler(genesis: Genesis): EventHandler {
  return ledgerHandler({
    type: 'proposal-new',
    purpose: 'puts something to a vote, with a deposit, on chain C',
    genesis,
    schema: proposalSchema,
    payloadBytesMax: 32 * 1024,
    apply: propose
  })
}

/** Free: a vote is a duty, and an account that is frozen keeps its voice. */
export function proposalVoteHandler(genesis: Genesis): EventHandler {
  return ledgerHandler({
    type: 'proposal-vote',
    purpose: 'votes yes, no or abstain on a proposal, on chain C',
    genesis,
    schema: voteSchema,
    isFree: true,
    apply: ({ state, author, timestampMs }, { proposal: id, vote }) => {
      const proposal = requireProposal(state, id)
      if (proposal.status !== 'open' || timestampMs >= proposal.closesMs) throw closed(proposal, timestampMs)
      const weight = requireVoter(state, genesis, proposal, author)
      castBallot(state, id, { account: author, vote, weight })
      if (proposal.kind !== 'emergency') return
      if (outcomeOf(tallyOf(state, genesis, proposal), proposal.rule) !== 'passed') return
      writeProposal(state, { ...proposal, status: 'passed' })
      schedule(state, timestampMs, agendaKinds.execute, String(id))
    }
  })
}

/** Of a proposer: takes an open proposal back. Of a validator: its support for an emergency that is in force. */
export function proposalWithdrawHandler(genesis: Genesis): EventHandler {
  return ledgerHandler({
    type: 'proposal-withdraw',
    purpose: 'takes an own proposal back, or the support of an emergency in force, on chain C',
    genesis,
    schema: withdrawSchema,
    isFree: true,
    apply: ({ state, author, timestampMs }, { proposal: id }) => {
      const proposal = requireProposal(state, id)
      if (proposal.status === 'in-force') return withdrawSupport({ state, author, timestampMs, genesis }, proposal)
      if (proposal.status !== 'open' || timestampMs >= proposal.closesMs) throw closed(proposal, timestampMs)
      if (proposal.proposer !== author) throw new BlyanError('PROPOSAL_NOT_YOURS', { proposal: id })
      // Or everybody would take back what fails, and no deposit would ever be kept.
      releaseDeposit(state, proposal, ballotCount(state, id) === 0)
      finishProposal(state, { ...proposal, status: 'withdrawn', closedMs: timestampMs })
    }
  })
}

function propose({ state, genesis, author, timestampMs: nowMs }: LedgerInput, payload: ProposalPayload): void {
  checkProposal({ state, genesis, nowMs }, author, payload)
  if (payload.kind === 'appeal') refuseSecondAppeal({ state }, payload.punishment)
  const voteClass = classOf(payload)
  const closesMs = nowMs + numberOf(state, genesis, voteClasses[voteClass].votingMs)
  const deposit = payload.kind === 'emergency' ? 0n : parameterOf(state, genesis, 'proposalDepositUnits')
  move(state, author, systemAccounts.escrow, 'BLY', deposit)
  const { id } = openProposal(
    state,
    {
      kind: payload.kind,
      voteClass,
      title: payload.title,
      proposer: author,
      openedMs: nowMs,
      closesMs,
      depositUnits: deposit.toString(),
      rule: ruleOf(state, genesis, voteClass)
    },
    payload
  )
  schedule(state, closesMs, agendaKinds.close, String(id))
}

function classOf(payload: ProposalPayload): VoteClassName {
  if (payload.kind === 'emergency') return payload.emergency
  return payload.kind === 'appeal' ? 'appeal' : 'stake'
}

/** One at a time: another may follow while there is time to appeal. */
function refuseSecondAppeal({ state }: Pick<LedgerInput, 'state'>, punishment: string): void {
  for (const id of openProposals(state, 'appeal')) {
    const content = contentOf(state, id)
    if (content.kind === 'appeal' && content.punishment === punishment)
      throw new BlyanError('APPEAL_TWICE', { punishment })
  }
}

/** Ends what is in force at once when too few are left who want it. */
function withdrawSupport(
  { state, author, timestampMs, genesis }: Pick<LedgerInput, 'state' | 'author' | 'timestampMs' | 'genesis'>,
  proposal: Proposal
): void {
  if (!withdrawBallot(state, proposal.id, author)) throw new BlyanError('PROPOSAL_NOT_YOURS', { proposal: proposal.id })
  if (outcomeOf(tallyOf(state, genesis, proposal), proposal.rule) !== 'passed')
    schedule(state, timestampMs, agendaKinds.end, String(proposal.id))
}

function closed({ id, status, closesMs }: Proposal, nowMs: number): BlyanError {
  const isOver = status === 'open' && nowMs >= closesMs
  return new BlyanError('PROPOSAL_CLOSED', { proposal: id, status: isOver ? 'its time is over' : `it is ${status}` })
}
