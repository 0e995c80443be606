import { BlyanError } from '../../errors/index.ts'
import {
  ballotCount,
  ballotsOf,
  closedProposals,
  contentOf,
  neededOf,
  openProposals,
  originOf,
  outcomeOf,
  type Proposal,
  type ProposalPayload,
  parameterInvariants,
  parameterOf,
  parameterTable,
  proposalKinds,
  readProposal,
  storedTally,
  tallyOf
} from '../../ledger/index.ts'
import type { LedgerAccess } from '../blyan-node.ts'

/** A number that a vote can change. Amounts are base units, durations milliseconds, as the name says. */
export type ParameterView = {
  readonly name: string
  readonly value: string
  readonly usual: string
  readonly min: string
  readonly max: string
  readonly setBy: 'usual' | 'genesis' | 'proposal'
  /** The proposal that set it, and when. */
  readonly proposal: number | null
  readonly setAt: string | null
  readonly purpose: string
  /** What must hold between it and others. */
  readonly invariants: readonly string[]
}

export type TallyView = {
  readonly yes: string
  readonly no: string
  readonly abstain: string
  /** All that could have been said: base units by stake, else heads. */
  readonly all: string
}

export type ProposalLine = {
  readonly id: number
  readonly kind: string
  readonly voteClass: string
  readonly title: string
  readonly proposer: string
  readonly status: string
  readonly openedAt: string
  readonly closesAt: string
  readonly decidedAt: string | null
  /** When what is in force ends, or has ended. */
  readonly endsAt: string | null
  /** Code of why it could not be done. */
  readonly failure: string | null
  readonly voters: number
}

export type ProposalView = ProposalLine & {
  readonly deposit: string
  /** Whose votes count, the share that must vote, and the share that must be for it. */
  readonly rule: {
    readonly ballot: string
    readonly quorumPpm: number
    readonly threshold: string
    readonly isMoreThan: boolean
    /** Validators that must be for it, where it is theirs alone. */
    readonly validatorsNeeded: number | null
  }
  /** As it was counted at the end; while it is open, as it would be counted now. */
  readonly tally: TallyView
  readonly outcomeNow: string | null
  /** What is asked for, as it was submitted. */
  readonly content: ProposalPayload
  readonly votes: readonly { readonly account: string; readonly vote: string }[]
}

/** Every parameter, in the order of the table. */
export function parametersView({ state, genesis }: LedgerAccess): ParameterView[] {
  return Object.entries(parameterTable).map(([name, { usual, min, max, purpose }]) => {
    const origin = originOf(state, name)
    const isOfGenesis = genesis.file.economy?.parameters[name] !== undefined
    return {
      name,
      value: parameterOf(state, genesis, name as keyof typeof parameterTable).toString(),
      usual: usual.toString(),
      min: min.toString(),
      max: max.toString(),
      setBy: origin !== undefined ? 'proposal' : isOfGenesis ? 'genesis' : 'usual',
      proposal: origin?.proposal ?? null,
      setAt: origin === undefined ? null : timeOf(origin.timeMs),
      purpose,
      invariants: parameterInvariants
        .filter(({ names }) => (names as readonly string[]).includes(name))
        .map(({ text }) => text)
    }
  })
}

/** Those that are voted on or in force first, then those that are over; the newest first. */
export function proposalsView({ state }: LedgerAccess): ProposalLine[] {
  const open = proposalKinds.flatMap(kind => openProposals(state, kind)).sort((a, b) => b - a)
  return [...open, ...closedProposals(state).toReversed()].map(id => lineOf(state, readProposal(state, id)!))
}

/** Throws PROPOSAL_UNKNOWN. */
export function proposalView({ state, genesis }: LedgerAccess, id: number): ProposalView {
  const proposal = readProposal(state, id)
  if (proposal === undefined) throw new BlyanError('PROPOSAL_UNKNOWN', { proposal: id })
  const { rule, tally: stored, status, depositUnits } = proposal
  const now = tallyOf(state, genesis, proposal)
  return {
    ...lineOf(state, proposal),
    deposit: depositUnits,
    rule: {
      ballot: rule.ballot,
      quorumPpm: rule.quorumPpm,
      threshold: `${rule.numerator}/${rule.denominator}`,
      isMoreThan: rule.isMoreThan,
      validatorsNeeded: rule.ballot === 'validator' ? Number(neededOf(now, rule)) : null
    },
    tally: stored ?? storedTally(now),
    outcomeNow: status === 'open' ? outcomeOf(now, rule) : null,
    content: contentOf(state, id),
    votes: ballotsOf(state, id).map(({ account, vote }) => ({ account, vote }))
  }
}

function lineOf(state: LedgerAccess['state'], proposal: Proposal): ProposalLine {
  const { id, kind, voteClass, title, proposer, status, openedMs, closesMs, closedMs, endsMs, failure } = proposal
  return {
    id,
    kind,
    voteClass,
    title,
    proposer,
    status,
    openedAt: timeOf(openedMs),
    closesAt: timeOf(closesMs),
    decidedAt: closedMs === null ? null : timeOf(closedMs),
    endsAt: endsMs === null ? null : timeOf(endsMs),
    failure,
    voters: ballotCount(state, id)
  }
}

function timeOf(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
