import { drawBelow } from '../../guardian/index.ts'
import { pauseOf, schedule } from '../../ledger/index.ts'
import { orderOfRound, partsFor } from './assignment.ts'
import { pendingOf, readStoredCandidate, writeCandidate } from './candidate-records.ts'
import { lapse, openCandidate, refuseForTime } from './candidates.ts'
import { closeRecords } from './closing.ts'
import { contributionsOf } from './contributions.ts'
import { writeElectors } from './election.ts'
import { hexOf } from './hashes.ts'
import { learnerCountOf, readCommit, readLearner, storedLearners } from './learner-records.ts'
import { hasSilent, isAwaited, sweepLearners } from './learners.ts'
import { chainLimits } from './limits.ts'
import { newestTensor } from './model-parts.ts'
import type { Moment } from './moment.ts'
import { readAggregate, resultsOf } from './result-records.ts'
import { changeRound, readStoredRound, type StoredRound, writeRound } from './round-records.ts'
import { learningIsOn, learningSettings } from './settings.ts'
import { learningKeys, writeAt, writePages } from './store.ts'
import type { Phase } from './types.ts'

/** Agenda: a phase may be over. */
export const phaseKind = 'learning-phase'

/** One event never moves a round through more phases than there are. */
const stepsMax = 8
const drawLimit = 1n << 256n

/** Opens the first round of a model. */
export function openFirstRound(moment: Moment, model: string): void {
  open(moment, model, 1, undefined)
}

/** Does everything that is due in the round of a model. Whether there was anything. */
export function advance(moment: Moment, model: string): boolean {
  let isChanged = false
  for (let steps = 0; steps < stepsMax && step(moment, model); steps++) isChanged = true
  return isChanged
}

/** Agenda: advances by time alone. A network that learns no longer keeps its rounds as they are. */
export function advanceForTime(moment: Moment, model: string): void {
  const { state, genesis } = moment
  if (!learningIsOn(state, genesis)) return
  if (pauseOf(state) === undefined) advance(moment, model)
  else wait(moment, readStoredRound(state, model)!)
}

/** A learner came into a window that nobody is left in: it gets a whole one. */
export function renewIdleWindow(moment: Moment, model: string): void {
  const round = readStoredRound(moment.state, model)!
  if (round.phase === 'training' && round.commits === 0 && moment.nowMs >= round.dueAtMs) extend(moment, round)
}

/** After results changed while they were measured: measured anew, or over when nothing is left to measure. */
export function measureAgain(moment: Moment, model: string): void {
  const round = readStoredRound(moment.state, model)!
  if (round.candidate !== null) lapse(moment, round.candidate, 'challenged')
  changeRound(moment.state, model, () => ({ candidate: null }))
  if (round.changed === 0) close(moment, round, 'unchanged')
  else measure(moment, model)
}

/** When a part without a result is taken to stay as it is. */
export function aggregatingEndsMs({ state, genesis }: Moment, round: StoredRound): number {
  const { aggregateMs, backupMs } = learningSettings(state, genesis)
  return round.dueAtMs + chainLimits.electedOfPart * backupMs + 4 * aggregateMs
}

/** While the network is paused nobody can do what a phase is for: it begins anew, or learners would be blamed for silence. */
function wait(moment: Moment, { model, phase, dueAtMs, candidate: id }: StoredRound): void {
  const { state, nowMs } = moment
  if (nowMs < dueAtMs) return
  const settings = learningSettings(state, moment.genesis)
  const lengths = {
    training: settings.windowMs,
    revealing: settings.revealMs,
    aggregating: settings.aggregateMs,
    measuring: settings.measureMs,
    publishing: settings.publishMs
  }
  enter(moment, model, phase, lengths[phase])
  const candidate = id === null ? undefined : readStoredCandidate(state, id)
  if (candidate !== undefined) writeCandidate(state, { ...candidate, dueAtMs: nowMs + lengths[phase] })
}

function step(moment: Moment, model: string): boolean {
  const round = readStoredRound(moment.state, model)
  if (round === undefined) return false
  const isDue = moment.nowMs >= round.dueAtMs
  switch (round.phase) {
    case 'training':
      return stepTraining(moment, round, isDue)
    case 'revealing':
      if (round.reveals < round.commits && !isDue) return false
      if (round.reveals === 0) close(moment, round, 'nobody-revealed')
      else aggregate(moment, round)
      return true
    case 'aggregating':
      if (round.results < round.parts && moment.nowMs < aggregatingEndsMs(moment, round)) return false
      if (round.changed === 0) close(moment, round, 'unchanged')
      else measure(moment, model)
      return true
    case 'measuring':
      return stepMeasuring(moment, round, isDue)
    case 'publishing':
      return stepPublishing(moment, round, isDue)
  }
}

function stepTraining(moment: Moment, round: StoredRound, isDue: boolean): boolean {
  if (round.commits === 0) {
    if (!isDue || learnerCountOf(moment.state, round.model) === 0) return false
    if (hasSilent(moment, round.model)) {
      sweepLearners(moment, round.model)
      const awaited = storedLearners(moment.state, round.model).filter(learner => isAwaited(learner, round)).length
      changeRound(moment.state, round.model, () => ({ awaited }))
      if (learnerCountOf(moment.state, round.model) === 0) return true
    }
    extend(moment, readStoredRound(moment.state, round.model)!)
    return true
  }
  if (round.awaited > 0 && !isDue) return false
  enter(moment, round.model, 'revealing', learningSettings(moment.state, moment.genesis).revealMs)
  return true
}

function stepMeasuring(moment: Moment, round: StoredRound, isDue: boolean): boolean {
  const { status, reason } = readStoredCandidate(moment.state, round.candidate!)!
  if (status === 'approved') {
    enter(moment, round.model, 'publishing', learningSettings(moment.state, moment.genesis).publishMs)
    return true
  }
  if (status === 'measuring') {
    if (!isDue) return false
    refuseForTime(moment, round.candidate!)
    close(moment, round, 'no-quorum')
    return true
  }
  close(moment, round, reason)
  return true
}

function stepPublishing(moment: Moment, round: StoredRound, isDue: boolean): boolean {
  const { status } = readStoredCandidate(moment.state, round.candidate!)!
  if (status === 'approved') {
    if (!isDue) return false
    lapse(moment, round.candidate!, 'not-published')
  }
  close(moment, round, status === 'published' ? 'adopted' : 'lapsed')
  return true
}

/** Nobody committed: the window goes on. */
function extend(moment: Moment, { model }: StoredRound): void {
  const { windowMs } = learningSettings(moment.state, moment.genesis)
  changeRound(moment.state, model, () => ({ dueAtMs: moment.nowMs + windowMs }))
  schedule(moment.state, moment.nowMs + windowMs, phaseKind, model)
}

function enter(moment: Moment, model: string, phase: Phase, lengthMs: number): void {
  const { state, nowMs } = moment
  const round = changeRound(state, model, () => ({ phase, phaseAtMs: nowMs, dueAtMs: nowMs + lengthMs }))
  const endsMs = phase === 'aggregating' ? aggregatingEndsMs(moment, round) : round.dueAtMs
  schedule(state, endsMs, phaseKind, model)
}

/** All parts that somebody who revealed works on; what they are now is what deltas are added to. */
function aggregate(moment: Moment, round: StoredRound): void {
  const { state, genesis } = moment
  const { model } = round
  const order = orderOfRound(state, genesis, round)
  const names = new Set<string>()
  for (let place = 0; place < round.commits && names.size < order.length; place++) {
    const { account, reveal } = readCommit(state, model, place)
    const learner = reveal === null ? undefined : readLearner(state, model, account)
    if (learner !== undefined) for (const { name } of partsFor(learner, round, order)) names.add(name)
  }
  const parts = [...names].flatMap(name => {
    const base = newestTensor(state, genesis, name)
    return base === undefined ? [] : [{ name, base }]
  })
  for (const { name, base } of parts) writeAt(state, learningKeys.result(model, name), { base, result: null })
  writePages(
    state,
    learningKeys.roundParts(model),
    parts.map(({ name }) => name)
  )
  changeRound(state, model, () => ({ parts: parts.length }))
  enter(moment, model, 'aggregating', learningSettings(state, genesis).aggregateMs)
}

/** Opens the candidate of the round. Who proposes what the deltas of others make gets nothing for it. */
function measure(moment: Moment, model: string): void {
  const { state, genesis } = moment
  const round = readStoredRound(state, model)!
  const results = resultsOf(state, model)
  for (const { tensor } of results) endCopy(moment, tensor)
  const parts = results.flatMap(({ name, tensor, base, update, updateBytes }) =>
    tensor === null || pendingOf(state, tensor) !== undefined ? [] : [{ name, tensor, base, update, updateBytes }]
  )
  if (parts.length === 0) {
    close(moment, round, 'unchanged')
    return
  }
  const learners = [...contributionsOf(state, genesis, model).values()].flatMap(({ account, isAccepted }) =>
    isAccepted ? [account] : []
  )
  const { author } = readAggregate(state, model, round.aggregates - 1)
  const source = 'round' as const
  const candidate = openCandidate(moment, {
    model,
    author,
    source,
    round: round.number,
    parts,
    lineage: null,
    learners
  })
  changeRound(state, model, () => ({ candidate }))
  enter(moment, model, 'measuring', learningSettings(state, genesis).measureMs)
}

/** A proposal of what a round came to is a copy: nobody makes the same bytes without the deltas that were revealed. */
function endCopy(moment: Moment, tensor: string | null): void {
  const pending = tensor === null ? undefined : pendingOf(moment.state, tensor)
  if (pending === undefined) return
  const { source, status } = readStoredCandidate(moment.state, pending.candidate)!
  if (source === 'proposal' && status === 'measuring') lapse(moment, pending.candidate, 'copied')
}

function close(moment: Moment, { model, number, seed }: StoredRound, result: string): void {
  const { salts } = readStoredRound(moment.state, model)!
  closeRecords(moment, model, result)
  open(moment, model, number + 1, { seed, salts })
}

function open(
  moment: Moment,
  model: string,
  number: number,
  before: { readonly seed: string; readonly salts: string } | undefined
): void {
  const { state, genesis, nowMs } = moment
  sweepLearners(moment, model)
  const { windowMs } = learningSettings(state, genesis)
  const learners = learnerCountOf(state, model)
  writeRound(state, {
    model,
    number,
    phase: 'training',
    openedAtMs: nowMs,
    phaseAtMs: nowMs,
    dueAtMs: nowMs + windowMs,
    seed: seedOf(moment, model, number, before ?? { seed: genesis.digestHex, salts: '' }),
    learners: Math.max(1, learners),
    commits: 0,
    reveals: 0,
    parts: 0,
    results: 0,
    candidate: null,
    awaited: learners,
    isFresh: learners === 0,
    aggregates: 0,
    changed: 0,
    regions: [],
    salts: ''
  })
  writeElectors(state, genesis, { model, number }, nowMs)
  schedule(state, nowMs + windowMs, phaseKind, model)
}

/** Made of secrets that were laid down before. No digest of an event: its author could try until it likes the draw. */
function seedOf(
  { state }: Moment,
  model: string,
  number: number,
  before: { readonly seed: string; readonly salts: string }
): string {
  const mix = drawBelow(state, `learning ${model} ${number}`, drawLimit).toString(16)
  return hexOf('round', before.seed, mix, before.salts, model, String(number))
}
