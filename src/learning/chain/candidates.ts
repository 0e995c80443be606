import { quorumWeightOf } from '../../guardian/index.ts'
import { schedule } from '../../ledger/index.ts'
import {
  candidateIds,
  candidateParts,
  forgetCandidate,
  measurementsOf,
  pendingOf,
  readStoredCandidate,
  type StoredCandidate,
  writeCandidate
} from './candidate-records.ts'
import { contributionsOf, totalWeight, weightsOf } from './contributions.ts'
import { readLearner, writeLearner } from './learner-records.ts'
import { chainLimits } from './limits.ts'
import type { Moment } from './moment.ts'
import { payForCandidate } from './payments.ts'
import { learningSettings } from './settings.ts'
import {
  deleteAt,
  deletePages,
  learningKeys,
  numberAt,
  readAt,
  type StateReader,
  writeAt,
  writePages
} from './store.ts'
import { noteFailure, noteSuccess } from './trust.ts'
import type { Candidate, CandidatePart, Measurement } from './types.ts'

/** Agenda: a candidate was opened; the checkpoint that draws its sequences is made with this commit. */
export const openedKind = 'learning-opened'
/** Agenda: a proposal has waited long enough, for its verdict or for being published. */
export const proposalDueKind = 'learning-proposal-due'

/** Reasons for which a proposal is no honest mistake. */
const failures: ReadonlySet<string> = new Set(['poisoned', 'copied', 'lineage'])

export type NewCandidate = Pick<Candidate, 'model' | 'author' | 'source' | 'round' | 'parts' | 'lineage' | 'learners'>

/** Opens a candidate for measuring; returns its id. */
export function openCandidate({ state, genesis, nowMs }: Moment, given: NewCandidate): string {
  const { parts, learners, ...rest } = given
  const number = numberAt(state, learningKeys.candidateCount) + 1
  const id = String(number)
  const dueAtMs = nowMs + learningSettings(state, genesis).measureMs
  state.set(learningKeys.candidateCount, number)
  writePages(state, learningKeys.candidateParts(id), parts)
  writePages(state, learningKeys.candidateLearners(id), learners)
  for (const { tensor, name } of parts) writeAt(state, learningKeys.pending(tensor), { candidate: id, part: name })
  writeCandidate(state, {
    ...rest,
    id,
    status: 'measuring',
    reason: 'none',
    openedAtMs: nowMs,
    dueAtMs,
    checkpoint: nextCheckpoint(state),
    measurements: 0,
    left: 0,
    partCount: parts.length
  })
  keepNewest(state, given.model, id)
  schedule(state, nowMs, openedKind, id)
  if (given.source === 'proposal') schedule(state, dueAtMs, proposalDueKind, id)
  return id
}

/** Proposals of a model that nothing is decided of, or that wait for being published. */
export function openProposals(state: StateReader, model: string): StoredCandidate[] {
  return candidateIds(state, model)
    .map(id => readStoredCandidate(state, id)!)
    .filter(({ source, status }) => source === 'proposal' && isOpen(status))
}

/** Decides as soon as what was measured can only come to one verdict. */
export function countMeasurements(moment: Moment, id: string): void {
  const { state, genesis } = moment
  const weights = weightsOf(state, genesis)
  const said = { accept: 0, refuse: 0 }
  const measurements = measurementsOf(state, id)
  for (const { operator, verdict } of measurements) said[verdict] += weights.get(operator) ?? 0
  const quorum = quorumWeightOf(state, genesis)
  if (said.accept >= quorum) approve(moment, id)
  else if (said.refuse > totalWeight(state, genesis) - quorum) refuse(moment, id, mainReason(measurements, weights))
}

/** Time is up, and no quorum has accepted. */
export function refuseForTime(moment: Moment, id: string): void {
  refuse(moment, id, 'no-quorum')
}

/** Takes back what stands for approval or for publishing. */
export function lapse({ state }: Moment, id: string, reason: string): void {
  const candidate = readStoredCandidate(state, id)!
  end(state, { ...candidate, status: 'lapsed', reason })
}

/** One part of an approved candidate is on chain B. Others that start from what it was before have lost their base. */
export function notePublished(moment: Moment, id: string, part: CandidatePart): void {
  const { state } = moment
  const candidate = readStoredCandidate(state, id)!
  deleteAt(state, learningKeys.pending(part.tensor))
  const left = candidate.left - 1
  writeCandidate(state, { ...candidate, left, status: left === 0 ? 'published' : candidate.status })
  if (left === 0 && candidate.source === 'proposal') rewardProposal(moment, candidate)
  for (const other of candidateIds(state, candidate.model)) {
    const { status } = readStoredCandidate(state, other)!
    if (other === id || !isOpen(status)) continue
    if (candidateParts(state, other).some(({ name }) => name === part.name)) lapse(moment, other, 'base-moved')
  }
}

/** Agenda: a proposal is over when its time is. */
export function endProposal(moment: Moment, id: string): void {
  const candidate = readStoredCandidate(moment.state, id)
  if (candidate === undefined || candidate.dueAtMs > moment.nowMs) return
  if (candidate.status === 'measuring') refuseForTime(moment, id)
  else if (candidate.status === 'approved') lapse(moment, id, 'not-published')
}

function approve(moment: Moment, id: string): void {
  const { state, genesis, nowMs } = moment
  const candidate = readStoredCandidate(state, id)!
  const settings = learningSettings(state, genesis)
  const { windowMs, revealMs, aggregateMs, measureMs, publishMs } = settings
  // A proposal may have to wait until the round that works on its parts is over.
  const whole = windowMs + revealMs + aggregateMs + measureMs + publishMs
  const dueAtMs = nowMs + (candidate.source === 'round' ? publishMs : 2 * whole)
  writeCandidate(state, { ...candidate, status: 'approved', dueAtMs, left: candidate.partCount })
  deletePages(state, learningKeys.candidateLearners(id))
  if (candidate.source === 'round') rewardRound(moment, candidate)
  else schedule(state, dueAtMs, proposalDueKind, id)
}

/** Not before it is what the network has: many proposals upon one version may be approved, and only one be published. */
function rewardProposal(moment: Moment, { author }: StoredCandidate): void {
  payForCandidate(moment, new Map([[author, 1n]]))
  noteSuccess(moment.state, author, moment.nowMs)
}

function refuse({ state, nowMs }: Moment, id: string, reason: string): void {
  const candidate = readStoredCandidate(state, id)!
  end(state, { ...candidate, status: 'refused', reason })
  if (candidate.source === 'proposal' && failures.has(reason)) noteFailure(state, candidate.author, nowMs)
}

/** Those whose deltas are in it are paid, and trusted more. */
function rewardRound(moment: Moment, { model, round }: StoredCandidate): void {
  const { state, genesis, nowMs } = moment
  const accepted = [...contributionsOf(state, genesis, model).values()].filter(({ isAccepted }) => isAccepted)
  const paid = payForCandidate(moment, new Map(accepted.map(({ account, score }) => [account, score])))
  for (const { account, delta, gainNano } of accepted) {
    noteSuccess(state, account, nowMs)
    const learner = readLearner(state, model, account)
    if (learner === undefined) continue
    const paidUnits = (paid.get(account) ?? 0n).toString()
    writeLearner(state, {
      ...learner,
      outcome: { round, delta, isAccepted: true, reason: 'none', gainNano, paidUnits }
    })
  }
}

function end(state: Moment['state'], candidate: StoredCandidate): void {
  writeCandidate(state, { ...candidate, left: 0 })
  deletePages(state, learningKeys.candidateLearners(candidate.id))
  for (const { tensor } of candidateParts(state, candidate.id))
    if (pendingOf(state, tensor)?.candidate === candidate.id) deleteAt(state, learningKeys.pending(tensor))
}

/** The reason that the most weight gave; of two with the same the one given first. */
function mainReason(measurements: readonly Measurement[], weights: ReadonlyMap<string, number>): string {
  const sums = new Map<string, number>()
  for (const { verdict, reason, operator } of measurements)
    if (verdict === 'refuse') sums.set(reason, (sums.get(reason) ?? 0) + (weights.get(operator) ?? 0))
  return [...sums].sort(([, one], [, other]) => other - one)[0]![0]
}

function isOpen(status: Candidate['status']): boolean {
  return status === 'measuring' || status === 'approved'
}

/** The state keeps what is open, and the newest of what is over. */
function keepNewest(state: Moment['state'], model: string, id: string): void {
  const ids = [...candidateIds(state, model), id]
  while (ids.length > chainLimits.candidatesOfModel) {
    const place = ids.findIndex(known => !isOpen(readStoredCandidate(state, known)!.status))
    if (place < 0) break
    forgetCandidate(state, ids[place]!)
    ids.splice(place, 1)
  }
  writeAt(state, learningKeys.candidatesOf(model), ids)
}

/** Sequence of the next checkpoint: the first at or after the commit that is being executed. */
function nextCheckpoint(state: StateReader): number {
  return (readAt<{ readonly sequence: number }>(state, 'executor/cursor')?.sequence ?? 0) + 1
}
