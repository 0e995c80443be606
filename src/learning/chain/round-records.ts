import type { StateView } from '../../dag/index.ts'
import { learningKeys, readAt, type StateReader, writeAt } from './store.ts'
import type { Round } from './types.ts'

/** A round as the state keeps it. */
export type StoredRound = Round & {
  /** Learners on the list when it opened that have neither committed nor left. */
  readonly awaited: number
  /** Nobody was on the list when it opened: who joins is awaited. */
  readonly isFresh: boolean
  readonly aggregates: number
  /** Parts whose result is a new version. */
  readonly changed: number
  /** Regions whose sum is there. */
  readonly regions: readonly string[]
  /** Hex: all salts revealed so far, one after the other. */
  readonly salts: string
}

export function readStoredRound(state: StateReader, model: string): StoredRound | undefined {
  return readAt<StoredRound>(state, learningKeys.round(model))
}

export function writeRound(state: StateView, round: StoredRound): void {
  writeAt(state, learningKeys.round(round.model), round)
}

/** Changes some fields of the round of now. */
export function changeRound(
  state: StateView,
  model: string,
  change: (round: StoredRound) => Partial<StoredRound>
): StoredRound {
  const round = readStoredRound(state, model)!
  const next = { ...round, ...change(round) }
  writeRound(state, next)
  return next
}

/** What others see of a round. */
export function publicRound(round: StoredRound): Round {
  const { awaited: _, isFresh: _f, aggregates: _a, changed: _c, regions: _r, salts: _s, ...rest } = round
  return rest
}
