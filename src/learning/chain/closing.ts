import { type Contribution, contributionsOf } from './contributions.ts'
import { readBarred } from './election.ts'
import { readCommit, readLearner, type StoredCommit, writeLearner } from './learner-records.ts'
import { chainLimits } from './limits.ts'
import type { Moment } from './moment.ts'
import { roundHistory } from './reads.ts'
import { roundParts } from './result-records.ts'
import { readStoredRound, type StoredRound } from './round-records.ts'
import { deleteAt, deletePages, learningKeys, writeAt } from './store.ts'
import { noteFailure } from './trust.ts'
import type { Outcome, RoundSummary } from './types.ts'

/** Tells every learner what became of its delta, writes the round into the history and forgets its records. */
export function closeRecords(moment: Moment, model: string, result: string): void {
  const { state, genesis } = moment
  const round = readStoredRound(state, model)!
  const contributions = contributionsOf(state, genesis, model)
  let paidUnits = 0n
  for (let place = 0; place < round.commits; place++) {
    const commit = readCommit(state, model, place)
    paidUnits += noteOutcome(moment, round, commit, contributions.get(commit.account), result)
  }
  const accepted = [...contributions.values()].filter(({ isAccepted }) => isAccepted).length
  writeSummary(moment, round, { accepted, result, paidUnits: paidUnits.toString() })
  forgetRound(moment, round)
}

/** What the learner was paid. Whoever is adopted knows already. */
function noteOutcome(
  { state, nowMs }: Moment,
  round: StoredRound,
  commit: StoredCommit,
  contribution: Contribution | undefined,
  result: string
): bigint {
  const { account, reveal } = commit
  const learner = readLearner(state, round.model, account)
  if (learner?.outcome?.round === round.number) return BigInt(learner.outcome.paidUnits)
  const isFailure = reveal === null || contribution?.isFailure === true
  if (isFailure) noteFailure(state, account, nowMs)
  if (learner === undefined) return 0n
  const outcome: Outcome = {
    round: round.number,
    delta: reveal?.delta ?? null,
    isAccepted: false,
    reason: reasonOf(reveal !== null, contribution, result),
    gainNano: contribution?.gainNano ?? 0,
    paidUnits: '0'
  }
  writeLearner(state, { ...learner, outcome })
  return 0n
}

function reasonOf(isRevealed: boolean, contribution: Contribution | undefined, result: string): string {
  if (!isRevealed) return 'never-revealed'
  if (contribution === undefined) return 'not-used'
  return contribution.isAccepted ? result : contribution.reason === 'none' ? 'not-used' : contribution.reason
}

function writeSummary(
  { state, nowMs }: Moment,
  round: StoredRound,
  rest: Pick<RoundSummary, 'accepted' | 'result' | 'paidUnits'>
): void {
  const { number, openedAtMs, learners, commits, reveals, candidate } = round
  const summary: RoundSummary = {
    number,
    openedAtMs,
    closedAtMs: nowMs,
    learners,
    commits,
    reveals,
    candidate,
    ...rest
  }
  const history = [...roundHistory(state, round.model), summary].slice(-chainLimits.roundsOfHistory)
  writeAt(state, learningKeys.history(round.model), history)
}

function forgetRound({ state }: Moment, round: StoredRound): void {
  const { model, commits, aggregates, regions, number } = round
  for (let place = 0; place < commits; place++) deleteAt(state, learningKeys.commit(model, place))
  for (let at = 0; at < aggregates; at++) deleteAt(state, learningKeys.aggregate(model, at))
  for (const region of regions) deleteAt(state, learningKeys.edge(model, region))
  for (const name of roundParts(state, model)) {
    deleteAt(state, learningKeys.result(model, name))
    deleteAt(state, learningKeys.challenges(model, name))
  }
  deletePages(state, learningKeys.roundParts(model))
  const barred = Object.entries(readBarred(state, model)).filter(([, last]) => last > number)
  if (barred.length > 0) writeAt(state, learningKeys.barred(model), Object.fromEntries(barred))
  else deleteAt(state, learningKeys.barred(model))
}
