import { BlyanError } from '../../errors/index.ts'
import { useOfShard } from './corpus-records.ts'
import type { LearningEvent } from './handler.ts'
import { leadingZeroBits, type Work, workDigest } from './hashes.ts'
import { readLearner, type StoredLearner } from './learner-records.ts'
import { readStoredRound, type StoredRound } from './round-records.ts'
import { advance } from './rounds.ts'
import { learningSettings } from './settings.ts'
import type { StateReader } from './store.ts'
import type { Lineage, Phase } from './types.ts'

/** The round of now, with everything done that is due. Throws ROUND_WRONG, ROUND_PHASE_WRONG. */
export function requireRound(
  event: LearningEvent,
  asked: { readonly model: string; readonly round: number },
  phases: readonly Phase[]
): StoredRound {
  const { model, round: number } = asked
  advance(event, model)
  const round = readStoredRound(event.state, model)
  if (round === undefined || round.number !== number)
    throw new BlyanError('ROUND_WRONG', { model, round: number, now: round?.number ?? 'none' })
  if (!phases.includes(round.phase))
    throw new BlyanError('ROUND_PHASE_WRONG', { model, round: number, phase: round.phase, needed: phases.join(' or ') })
  return round
}

/** Throws LEARNER_UNKNOWN. */
export function requireLearner(state: StateReader, model: string, account: string): StoredLearner {
  const learner = readLearner(state, model, account)
  if (learner === undefined) throw new BlyanError('LEARNER_UNKNOWN', { account, model })
  return learner
}

/** Throws LEARNING_WORK_TOO_LIGHT. */
export function requireWork({ state, genesis }: LearningEvent, work: Work, nonce: number): void {
  const { workBits } = learningSettings(state, genesis)
  const bits = leadingZeroBits(workDigest(genesis, work)(nonce))
  if (bits < workBits) throw new BlyanError('LEARNING_WORK_TOO_LIGHT', { bits, needed: workBits })
}

/** Throws LINEAGE_HELD_OUT, LINEAGE_SHARD_UNKNOWN. */
export function requireLineage(state: StateReader, { shards }: Lineage): void {
  for (const { shard } of shards) {
    const use = useOfShard(state, shard)?.use
    if (use === 'held-out') throw new BlyanError('LINEAGE_HELD_OUT', { shard })
    if (use === undefined) throw new BlyanError('LINEAGE_SHARD_UNKNOWN', { shard })
  }
}
