import type { Architecture, TrainingSettings } from '../../experts/index.ts'

const sequenceTokensMax = 128

/** How learners of rounds train; the same for all, so that what they revealed can be judged alike. */
export function trainingSettings(architecture: Pick<Architecture, 'contextTokens'>): TrainingSettings {
  return {
    sequences: 8,
    sequenceTokens: Math.min(sequenceTokensMax, architecture.contextTokens - 1),
    learningRate: 4e-3,
    warmUpSteps: 10,
    weightDecay: 0.01,
    clipNorm: 1,
    balance: 0.01,
    zLoss: 0.001
  }
}
