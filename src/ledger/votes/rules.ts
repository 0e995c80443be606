import type { Genesis, StateView } from '../../dag/index.ts'
import { numberOf, type ParameterName } from '../parameters.ts'

/** Whose votes count, and what each of them weighs. */
export type Ballot =
  /** Every staker by what it has bonded; an operator also by what others bonded with it and did not vote with. */
  | 'stake'
  /** Every active node once. */
  | 'node'
  /** Every validator of the set once. */
  | 'validator'

type Fraction = { readonly numerator: number; readonly denominator: number }

/** How one class of questions is decided. */
export type VoteClass = {
  readonly ballot: Ballot
  readonly votingMs: ParameterName
  /** Share of all that could vote which must vote; null where the threshold is of all already. */
  readonly quorum: ParameterName | null
  readonly threshold: ParameterName | Fraction
  /** Whether the threshold itself is too little. */
  readonly isMoreThan: boolean
  /** Whether voters are paid when the quorum is reached. */
  readonly isRewarded: boolean
}

const validatorsClass = (numerator: number, denominator: number): VoteClass => ({
  ballot: 'validator',
  votingMs: 'emergencyVotingMs',
  quorum: null,
  threshold: { numerator, denominator },
  isMoreThan: false,
  isRewarded: false
})
const datasetClass = (percent: number): VoteClass => ({
  ballot: 'node',
  votingMs: 'votingMs',
  quorum: 'nodeQuorumPpm',
  threshold: { numerator: percent, denominator: 100 },
  isMoreThan: false,
  isRewarded: true
})

/** Every class there is. Those of datasets are the seed's, for whoever brings datasets to a vote. */
export const voteClasses = {
  stake: {
    ballot: 'stake',
    votingMs: 'votingMs',
    quorum: 'voteQuorumPpm',
    threshold: 'voteThresholdPpm',
    isMoreThan: true,
    isRewarded: true
  },
  appeal: { ...validatorsClass(2, 3), votingMs: 'appealVotingMs' },
  'dataset-gold': datasetClass(75),
  'dataset-silver': datasetClass(60),
  'dataset-experimental': datasetClass(40),
  security_breach: validatorsClass(2, 3),
  consensus_failure: validatorsClass(4, 5),
  economic_attack: validatorsClass(3, 4)
} as const satisfies Record<string, VoteClass>

export type VoteClassName = keyof typeof voteClasses

/** What is voted on. */
export const proposalKinds = ['parameters', 'payment', 'text', 'appeal', 'emergency'] as const
export type ProposalKind = (typeof proposalKinds)[number]

const hourMs = 3_600_000

/** The seed's emergencies: what may be done in each, and for how long at most. */
export const emergencies = {
  security_breach: { durationMaxMs: 72 * hourMs, actions: ['pause_network', 'rollback', 'update_validator_set'] },
  consensus_failure: { durationMaxMs: 24 * hourMs, actions: ['reset_consensus', 'emergency_checkpoint'] },
  economic_attack: { durationMaxMs: 48 * hourMs, actions: ['freeze_accounts', 'adjust_rewards', 'emergency_mint'] }
} as const

export type EmergencyName = keyof typeof emergencies
export type EmergencyActionName = (typeof emergencies)[EmergencyName]['actions'][number]

/** Actions that last for a time and are undone at its end; the others are done once. */
export const lastingActions: readonly EmergencyActionName[] = [
  'pause_network',
  'update_validator_set',
  'freeze_accounts',
  'adjust_rewards'
]

/** How much of everything about votes there may be. */
export const voteLimits = {
  /** Open proposals of each kind but emergencies. */
  openPerKindMax: 16,
  openPerProposerMax: 4,
  /** Emergencies of one validator that are voted on or in force. */
  emergenciesPerProposerMax: 2,
  /** Votes of a proposal; when there are more, those of the least weight give way. */
  votersMax: 1024,
  closedKept: 64,
  titleMax: 120,
  textMax: 4000,
  changesMax: 16,
  entriesMax: 32,
  accountsMax: 64,
  operatorsMax: 64,
  /** Proposals whose voters are paid at one settlement; the others wait for the next. */
  paidPerPeriodMax: 4,
  /** Proposals whose voters wait to be paid. */
  unpaidMax: 64
} as const

/** The rule of one proposal, as it was when it was opened: what changes later does not change a vote that runs. */
export type VoteRule = {
  readonly ballot: Ballot
  readonly quorumPpm: number
  readonly numerator: number
  readonly denominator: number
  readonly isMoreThan: boolean
}

export function ruleOf(state: StateView, genesis: Genesis, name: VoteClassName): VoteRule {
  const { ballot, quorum, threshold, isMoreThan }: VoteClass = voteClasses[name]
  const { numerator, denominator } =
    typeof threshold === 'string'
      ? { numerator: numberOf(state, genesis, threshold), denominator: 1_000_000 }
      : threshold
  return {
    ballot,
    quorumPpm: quorum === null ? 0 : numberOf(state, genesis, quorum),
    numerator,
    denominator,
    isMoreThan
  }
}
