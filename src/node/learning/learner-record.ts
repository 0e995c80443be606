import type { BuiltCorpus, CorpusProgress } from '../../datasets/index.ts'
import type { TrainingStep } from '../../experts/index.ts'
import type { Outcome } from '../../learning/index.ts'
import type { LearnerStatus, LearningCorpus, LearningOutcome } from './learning-status-types.ts'

/** What a learner did since it began, for people. */
export interface LearnerRecord {
  readonly folder: string
  noteCorpus(corpus: CorpusProgress & Partial<Pick<BuiltCorpus, 'name'>>): void
  noteStep(step: TrainingStep): void
  noteBase(): void
  noteHeldOutLoss(lossNats: number): void
  noteCommitted(sizeBytes: number): void
  noteOutcome(outcome: Outcome, sizeBytes: number): void
  noteDownload(sizeBytes: number): void
  /** Whether prompts had the engine for most of the newest step. */
  isPaused(): boolean
  status(rest: Pick<LearnerStatus, 'device' | 'trust' | 'quotaLeft'>): LearnerStatus
}

const outcomesMax = 32
/** Weight of the newest step in the speed that is shown. */
const newestShare = 0.2

export function createLearnerRecord(folder: string, codec: string): LearnerRecord {
  let corpus: LearningCorpus | null = null
  let newest: TrainingStep | undefined
  let [tokens, tokensPerSecond, heldOutLossNats]: [number, number, number | null] = [0, 0, null]
  let [bytesUp, bytesDown, stepsInWindow, pausedMs] = [0, 0, 0, 0]
  let [committed, accepted, refused] = [0, 0, 0]
  let earnedUnits = 0n
  const outcomes: LearningOutcome[] = []
  return {
    folder,
    noteCorpus({ name = '', files, trainingBytes, heldOutBytes, skipped }) {
      corpus = { name, files, trainingBytes, heldOutBytes, skipped: { ...skipped } }
    },
    noteStep(step) {
      newest = step
      tokens += step.tokens
      stepsInWindow++
      pausedMs += step.waitedMs
      const speed = (1000 * step.tokens) / Math.max(1, step.elapsedMs - step.waitedMs)
      tokensPerSecond = tokensPerSecond === 0 ? speed : tokensPerSecond + newestShare * (speed - tokensPerSecond)
    },
    noteBase() {
      stepsInWindow = 0
    },
    noteHeldOutLoss(lossNats) {
      heldOutLossNats = lossNats
    },
    noteCommitted(sizeBytes) {
      committed++
      bytesUp += sizeBytes
    },
    noteOutcome(outcome, sizeBytes) {
      if (outcome.isAccepted) accepted++
      else refused++
      earnedUnits += BigInt(outcome.paidUnits)
      outcomes.push({
        round: outcome.round,
        accepted: outcome.isAccepted,
        reason: outcome.reason,
        gainNano: outcome.gainNano,
        sizeBytes,
        earnedUnits: outcome.paidUnits
      })
      if (outcomes.length > outcomesMax) outcomes.shift()
    },
    noteDownload(sizeBytes) {
      bytesDown += sizeBytes
    },
    isPaused: () => newest !== undefined && newest.waitedMs > newest.elapsedMs / 2,
    status: rest => ({
      ...rest,
      folder,
      corpus,
      step: newest?.step ?? 0,
      lossNats: newest?.lossNats ?? null,
      heldOutLossNats,
      tokens,
      tokensPerSecond: Math.round(tokensPerSecond),
      deltas: { committed, accepted, refused, pending: Math.max(0, committed - accepted - refused) },
      outcomes: [...outcomes],
      bytesUp,
      bytesDown,
      earnedUnits: earnedUnits.toString(),
      codec,
      stepsInWindow,
      pausedMs: Math.round(pausedMs)
    })
  }
}
