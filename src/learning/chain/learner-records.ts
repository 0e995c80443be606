import type { StateView } from '../../dag/index.ts'
import { learningKeys, numberAt, readAt, type StateReader, writeAt } from './store.ts'
import type { CommitRecord, Learner, Lineage } from './types.ts'

type LearnerTerms = Pick<Learner, 'region' | 'parts' | 'bytesMax'>

/** A learner as the state keeps it. */
export type StoredLearner = Learner & {
  /** Number on the list: it does not change within a round. */
  readonly place: number
  /** When it last joined, renewed or committed. */
  readonly activeAtMs: number
  /** Place of its commit in the round of `lastCommitRound`. */
  readonly commitPlace: number
  /** Taken off the list when the next round opens. */
  readonly isLeaving: boolean
  /** What it asked for after it had committed: from the next round on. */
  readonly next: LearnerTerms | null
}

/** A commit as the state keeps it, with what was revealed. */
export type StoredCommit = Omit<CommitRecord, 'isRevealed'> & {
  readonly region: string
  readonly reveal: { readonly delta: string; readonly sizeBytes: number; readonly lineage: Lineage } | null
}

export function readLearner(state: StateReader, model: string, account: string): StoredLearner | undefined {
  return readAt<StoredLearner>(state, learningKeys.learner(model, account))
}

export function writeLearner(state: StateView, learner: StoredLearner): void {
  writeAt(state, learningKeys.learner(learner.model, learner.account), learner)
}

export function learnerCountOf(state: StateReader, model: string): number {
  return numberAt(state, learningKeys.learnerCount(model))
}

export function learnerAt(state: StateReader, model: string, place: number): StoredLearner {
  return readLearner(state, model, readAt<string>(state, learningKeys.place(model, place))!)!
}

export function storedLearners(state: StateReader, model: string): StoredLearner[] {
  return Array.from({ length: learnerCountOf(state, model) }, (_, place) => learnerAt(state, model, place))
}

/** What others see of a learner. */
export function publicLearner(learner: StoredLearner): Learner {
  const { place: _, activeAtMs: _a, commitPlace: _c, isLeaving: _l, next: _n, ...rest } = learner
  return rest
}

export function readCommit(state: StateReader, model: string, place: number): StoredCommit {
  return readAt<StoredCommit>(state, learningKeys.commit(model, place))!
}

export function writeCommit(state: StateView, model: string, place: number, commit: StoredCommit): void {
  writeAt(state, learningKeys.commit(model, place), commit)
}
