import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { closeBallots } from './ballots.ts'
import type { ProposalPayload } from './payloads.ts'
import { type ProposalKind, type VoteClassName, type VoteRule, voteLimits } from './rules.ts'

/*
 * Proposals in the state (docs/protocol.md, "Votes"): what changes with a vote apart from what is written once, so that
 * a vote costs a few small entries.
 */
export type ProposalStatus =
  | 'open'
  /** Of an emergency, within the commit that carries it out. */
  | 'passed'
  | 'executed'
  /** It passed, and could not be done: `failure` says why. Nothing moved. */
  | 'failed'
  | 'rejected'
  | 'no-quorum'
  | 'withdrawn'
  /** An emergency whose action lasts. */
  | 'in-force'
  | 'ended'

export type Proposal = {
  readonly id: number
  readonly kind: ProposalKind
  readonly voteClass: VoteClassName
  readonly title: string
  readonly proposer: string
  readonly openedMs: number
  readonly closesMs: number
  readonly depositUnits: string
  readonly rule: VoteRule
  readonly status: ProposalStatus
  /** When it was decided. */
  readonly closedMs: number | null
  /** As it was counted at its end. */
  readonly tally: StoredTally | null
  readonly failure: string | null
  /** When what is in force ends, or has ended. */
  readonly endsMs: number | null
}

export type StoredTally = { readonly yes: string; readonly no: string; readonly abstain: string; readonly all: string }

const nextKey = 'proposals/next'
const closedKey = 'proposals/closed'
const openKey = (kind: ProposalKind): string => `proposals/open/${kind}`
const countKey = (proposer: string, kind: ProposalKind): string =>
  `proposals/of/${kind === 'emergency' ? 'emergency' : 'others'}/${proposer}`
const proposalKey = (id: number): string => `proposal/${id}`
const contentKey = (id: number): string => `proposal-content/${id}`

export function readProposal(state: StateView, id: number): Proposal | undefined {
  return state.get(proposalKey(id)) as Proposal | undefined
}

/** Throws PROPOSAL_UNKNOWN. */
export function requireProposal(state: StateView, id: number): Proposal {
  const proposal = readProposal(state, id)
  if (proposal === undefined) throw new BlyanError('PROPOSAL_UNKNOWN', { proposal: id })
  return proposal
}

/** What was asked for: title, text, and what is to be done. */
export function contentOf(state: StateView, id: number): ProposalPayload {
  return state.get(contentKey(id)) as unknown as ProposalPayload
}

export function writeProposal(state: StateView, proposal: Proposal): void {
  state.set(proposalKey(proposal.id), proposal as unknown as CanonicalValue)
}

/** Ids of those that are voted on or in force, the oldest first. */
export function openProposals(state: StateView, kind: ProposalKind): readonly number[] {
  return (state.get(openKey(kind)) as readonly number[] | undefined) ?? []
}

/** Ids of the newest that are over, the oldest first. */
export function closedProposals(state: StateView): readonly number[] {
  return (state.get(closedKey) as readonly number[] | undefined) ?? []
}

/** Gives it its number. Throws PROPOSALS_TOO_MANY. */
export function openProposal(
  state: StateView,
  proposal: Omit<Proposal, 'id' | 'status' | 'closedMs' | 'tally' | 'failure' | 'endsMs'>,
  content: ProposalPayload
): Proposal {
  const { kind, proposer } = proposal
  requireRoom(state, kind, proposer)
  const id = (state.get(nextKey) as number | undefined) ?? 1
  const opened: Proposal = { ...proposal, id, status: 'open', closedMs: null, tally: null, failure: null, endsMs: null }
  state.set(nextKey, id + 1)
  state.set(openKey(kind), [...openProposals(state, kind), id])
  state.set(countKey(proposer, kind), openCount(state, proposer, kind) + 1)
  state.set(contentKey(id), content as unknown as CanonicalValue)
  writeProposal(state, opened)
  return opened
}

/** Moves it to those that are over, of which the newest are kept. */
export function finishProposal(state: StateView, proposal: Proposal): void {
  const { id, kind, proposer } = proposal
  writeProposal(state, proposal)
  closeBallots(state, id)
  const left = openProposals(state, kind).filter(one => one !== id)
  if (left.length === 0) state.delete(openKey(kind))
  else state.set(openKey(kind), left)
  const count = openCount(state, proposer, kind) - 1
  if (count === 0) state.delete(countKey(proposer, kind))
  else state.set(countKey(proposer, kind), count)
  const closed = [...closedProposals(state), id]
  for (const old of closed.splice(0, Math.max(0, closed.length - voteLimits.closedKept))) {
    state.delete(proposalKey(old))
    state.delete(contentKey(old))
  }
  state.set(closedKey, closed)
}

function requireRoom(state: StateView, kind: ProposalKind, proposer: string): void {
  const isEmergency = kind === 'emergency'
  const ownMax = isEmergency ? voteLimits.emergenciesPerProposerMax : voteLimits.openPerProposerMax
  if (openCount(state, proposer, kind) >= ownMax)
    throw new BlyanError('PROPOSALS_TOO_MANY', { count: ownMax, of: 'yours' })
  // Validators alone open emergencies, and the punished alone appeals: others cannot take that room from them.
  if (kind === 'emergency' || kind === 'appeal') return
  if (openProposals(state, kind).length >= voteLimits.openPerKindMax)
    throw new BlyanError('PROPOSALS_TOO_MANY', { count: voteLimits.openPerKindMax, of: `kind ${kind}` })
}

function openCount(state: StateView, proposer: string, kind: ProposalKind): number {
  return (state.get(countKey(proposer, kind)) as number | undefined) ?? 0
}
