import type { ArchitectureV1, TrainingSettings } from '../../src/experts/index.ts'
import { drawBatch, type Texts } from './texts.ts'

/** The same steps for whoever makes them. */
export type StepPlan = {
  readonly architecture: ArchitectureV1
  readonly settings: TrainingSettings
  readonly steps: number
}

/** Milliseconds and cross-entropy of each step. */
export type StepAnswer = { readonly times: readonly number[]; readonly losses: readonly number[] }

/** The engine's. */
export const momentSettings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8 }

export function batchOfStep(
  { training }: Texts,
  { sequences, sequenceTokens }: Pick<TrainingSettings, 'sequences' | 'sequenceTokens'>,
  step: number
): Uint32Array {
  return drawBatch(training, { learner: 0, learners: 1, step, sequences, sequenceTokens })
}
