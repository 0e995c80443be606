import type { Round } from '../chain/index.ts'
import { roundRules } from './rules.ts'

/** What a learner has in hand. */
export type LearnerHand = {
  readonly isJoined: boolean
  /** Round whose opening version it trains from; undefined before the first. */
  readonly baseRound: number | undefined
  /** Steps trained on that version and in no delta yet. */
  readonly steps: number
  /** A delta that is ready and not committed, with the round its version is of. */
  readonly ready: { readonly baseRound: number } | undefined
  readonly hasCommitted: boolean
  readonly hasRevealed: boolean
}

export type LearnerStep =
  | { readonly kind: 'join' }
  /** Take the newest version; `keep`: what was trained and not sent stays on top. */
  | { readonly kind: 'rebase'; readonly keep: boolean }
  | { readonly kind: 'train'; readonly untilMs: number }
  /** Make a delta of what was trained. */
  | { readonly kind: 'encode' }
  | { readonly kind: 'commit' }
  | { readonly kind: 'reveal' }
  | { readonly kind: 'wait' }

/** Too few to be worth a delta: a slow machine goes on over several windows. */
export const stepsWorthDelta = 3

/**
 * The next thing a learner does. Pure, so that a simulation does the same. `reserveMs`: what encoding, work and the way of
 * the commit take on this machine.
 */
export function nextLearnerStep(
  hand: LearnerHand,
  round: Pick<Round, 'number' | 'phase' | 'dueAtMs' | 'commits'> | undefined,
  nowMs: number,
  reserveMs: number
): LearnerStep {
  if (!hand.isJoined || round === undefined) return { kind: 'join' }
  if (hand.baseRound === undefined) return { kind: 'rebase', keep: false }
  const { phase } = round
  if (hand.hasCommitted) return phase === 'revealing' && !hand.hasRevealed ? { kind: 'reveal' } : { kind: 'wait' }
  if (phase !== 'training') return { kind: 'wait' }
  const lag = round.number - (hand.ready?.baseRound ?? hand.baseRound)
  if (lag > roundRules.lagMax) return { kind: 'rebase', keep: true }
  if (hand.ready !== undefined) return { kind: 'commit' }
  // Nothing of worth was trained on the old version: the new one is better to go on from.
  if (lag > 0 && hand.steps === 0) return { kind: 'rebase', keep: false }
  const untilMs = round.dueAtMs - reserveMs
  if (nowMs < untilMs) return { kind: 'train', untilMs }
  // A window that nobody committed in goes on: late is better than nothing.
  if (hand.steps >= stepsWorthDelta || (hand.steps > 0 && lag >= roundRules.lagMax)) return { kind: 'encode' }
  return round.commits === 0 || nowMs < round.dueAtMs ? { kind: 'train', untilMs: nowMs + reserveMs } : { kind: 'wait' }
}
