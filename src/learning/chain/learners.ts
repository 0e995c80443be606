import type { StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import {
  learnerAt,
  learnerCountOf,
  readLearner,
  type StoredLearner,
  storedLearners,
  writeLearner
} from './learner-records.ts'
import { chainLimits, expiryWindows } from './limits.ts'
import type { Moment } from './moment.ts'
import { changeRound, readStoredRound, type StoredRound } from './round-records.ts'
import { learningSettings } from './settings.ts'
import { deleteAt, learningKeys } from './store.ts'
import type { Learner } from './types.ts'

type Terms = Pick<Learner, 'region' | 'parts' | 'bytesMax'>

/** Whether a round waits for a commit of this learner: it was there when the round opened, and is not leaving. */
export function isAwaited(learner: StoredLearner, round: Pick<StoredRound, 'number' | 'isFresh'>): boolean {
  const wasThere = learner.joinedRound < round.number || round.isFresh
  return wasThere && learner.lastCommitRound !== round.number && !learner.isLeaving
}

/** Puts somebody on the list, or renews. Who has committed already gets other terms from the next round on. Throws LEARNING_FULL. */
export function putLearner({ state, nowMs }: Moment, model: string, account: string, terms: Terms): void {
  const round = readStoredRound(state, model)!
  const before = readLearner(state, model, account)
  if (before === undefined) {
    const place = placeForNew(state, model, round)
    const learner: StoredLearner = {
      account,
      model,
      ...terms,
      joinedRound: round.number,
      lastCommitRound: 0,
      outcome: null,
      place,
      activeAtMs: nowMs,
      commitPlace: 0,
      isLeaving: false,
      next: null
    }
    state.set(learningKeys.place(model, place), account)
    writeLearner(state, learner)
    if (isAwaited(learner, round)) changeAwaited(state, model, 1)
    return
  }
  const hasCommitted = before.lastCommitRound === round.number
  const after: StoredLearner = {
    ...before,
    ...(hasCommitted ? { next: terms } : { ...terms, next: null }),
    activeAtMs: nowMs,
    isLeaving: false
  }
  writeLearner(state, after)
  if (!isAwaited(before, round) && isAwaited(after, round)) changeAwaited(state, model, 1)
}

/** Takes somebody off the list when the next round opens: places stay what they are until then. */
export function markLeaving({ state }: Moment, model: string, learner: StoredLearner): void {
  const round = readStoredRound(state, model)!
  if (isAwaited(learner, round)) changeAwaited(state, model, -1)
  writeLearner(state, { ...learner, isLeaving: true })
}

export function changeAwaited(state: StateView, model: string, change: number): void {
  changeRound(state, model, ({ awaited }) => ({ awaited: awaited + change }))
}

/** Takes those off the list who left or have been silent for too long, and gives the others what they asked for. */
export function sweepLearners({ state, genesis, nowMs }: Moment, model: string): void {
  const expiryMs = expiryWindows * learningSettings(state, genesis).windowMs
  for (let place = learnerCountOf(state, model) - 1; place >= 0; place--) {
    const learner = learnerAt(state, model, place)
    if (learner.isLeaving || nowMs - learner.activeAtMs > expiryMs) removeLearner(state, model, learner)
    else if (learner.next !== null) writeLearner(state, { ...learner, ...learner.next, next: null })
  }
}

/** Time after which a round in which nobody commits looks for learners who are gone. */
export function hasSilent({ state, genesis, nowMs }: Moment, model: string): boolean {
  const expiryMs = expiryWindows * learningSettings(state, genesis).windowMs
  return storedLearners(state, model).some(({ isLeaving, activeAtMs }) => isLeaving || nowMs - activeAtMs > expiryMs)
}

/** The last takes the place of the one who goes. */
function removeLearner(state: StateView, model: string, { account, place }: StoredLearner): void {
  const last = learnerCountOf(state, model) - 1
  if (place !== last) {
    const moved = learnerAt(state, model, last)
    writeLearner(state, { ...moved, place })
    state.set(learningKeys.place(model, place), moved.account)
  }
  deleteAt(state, learningKeys.place(model, last))
  deleteAt(state, learningKeys.learner(model, account))
  if (last === 0) deleteAt(state, learningKeys.learnerCount(model))
  else state.set(learningKeys.learnerCount(model), last)
}

/** A new place; where the list is full that of who joined first of those who never committed. */
function placeForNew(state: StateView, model: string, round: StoredRound): number {
  const count = learnerCountOf(state, model)
  if (count < chainLimits.learnersOfModel) {
    state.set(learningKeys.learnerCount(model), count + 1)
    return count
  }
  let idlest: StoredLearner | undefined
  for (const learner of storedLearners(state, model))
    if (learner.lastCommitRound === 0 && (idlest === undefined || learner.activeAtMs < idlest.activeAtMs))
      idlest = learner
  if (idlest === undefined)
    throw new BlyanError('LEARNING_FULL', { what: `learners of ${model}`, limit: chainLimits.learnersOfModel })
  if (isAwaited(idlest, round)) changeAwaited(state, model, -1)
  deleteAt(state, learningKeys.learner(model, idlest.account))
  return idlest.place
}
