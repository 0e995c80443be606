import type { Genesis } from '../../dag/index.ts'
import type { LedgerRule } from '../book/rule.ts'
import { agendaKinds, closeProposal, endInForce, executePassed } from './closing.ts'
import { proposalNewHandler, proposalVoteHandler, proposalWithdrawHandler } from './handlers.ts'
import { payVoters } from './vote-rewards.ts'

export { type BallotEntry, ballotCount, ballotsOf } from './ballots.ts'
export { storedTally } from './closing.ts'
export { frozenBy } from './frozen-accounts.ts'
export { gated, type Pause, pauseOf } from './gate.ts'
export { parameterInvariants } from './invariants.ts'
export { adjustedBy, originOf, type ParameterOrigin } from './parameter-changes.ts'
export type { EmergencyAction, ProposalPayload } from './payloads.ts'
export {
  closedProposals,
  contentOf,
  openProposals,
  type Proposal,
  type ProposalStatus,
  readProposal,
  type StoredTally
} from './proposals.ts'
export {
  type EmergencyActionName,
  type EmergencyName,
  emergencies,
  lastingActions,
  type ProposalKind,
  proposalKinds,
  ruleOf,
  type VoteClassName,
  type VoteRule,
  voteClasses,
  voteLimits
} from './rules.ts'
export { hasQuorum, neededOf, outcomeOf, type Tally, tallyHeads, tallyStake, type Vote } from './tally.ts'
export { lastVotePayment, unpaidVotes, type VotePayment } from './vote-rewards.ts'
export { activeNodes, tallyOf } from './voters.ts'

/** Votes: parameters, payments from the treasury, appeals, emergencies. */
export function votesRule(genesis: Genesis): LedgerRule {
  return {
    name: 'votes',
    handlers: [proposalNewHandler(genesis), proposalVoteHandler(genesis), proposalWithdrawHandler(genesis)],
    due: {
      [agendaKinds.close]: closeProposal,
      [agendaKinds.execute]: executePassed,
      [agendaKinds.end]: endInForce
    },
    urgent: Object.values(agendaKinds),
    settle: ({ state }, { number }) => payVoters(state, genesis, number)
  }
}
