import { type ArchitectureV1, genesisArchitecture, type TrainingSettings } from '../../src/experts/index.ts'
import { type AggregationRules, type CodecName, defaultAggregationRules } from '../../src/tiles/index.ts'

/** Budgets are steps, never minutes: the same figures on every machine, sooner or later. */
export type BenchPlan = {
  readonly architecture: ArchitectureV1
  readonly settings: TrainingSettings
  readonly learners: number
  readonly heldOutSequences: number
}

const genesis = genesisArchitecture('blyan-bench')
/** Small enough to try everything with. */
export const small: ArchitectureV1 = { ...genesis, width: 64, layers: 2, headWidth: 16, experts: 4, expertWidth: 128 }
const settings: TrainingSettings = {
  sequences: 8,
  sequenceTokens: 128,
  sequencesPerRun: 8,
  learningRate: 0.004,
  warmUpSteps: 20,
  weightDecay: 0.1,
  clipNorm: 1,
  balance: 0.01,
  zLoss: 0.001
}
export const shorter: TrainingSettings = { ...settings, sequenceTokens: 64 }

export type BytesPlan = BenchPlan & {
  /** Of one machine at a steady rate, before: both sides go on from what it learnt, with moments and warm-up of their own. */
  readonly warmSteps: number
  /** Over which the rate of both sides falls to nothing. */
  readonly steps: number
  /** Where the learners' rate falls from: each side has the one that is best for it. */
  readonly learnerRate: number
}

/**
 * The 3.5 M parameter byte model; with `quick` a fifteenth of it, for which these rates were searched, not those of the large one.
 * Every figure takes the same steps of each learner.
 */
export function bytesPlan(quick: boolean): BytesPlan {
  const common = { learners: 4, heldOutSequences: 256 }
  return quick
    ? {
        ...common,
        architecture: small,
        settings: { ...shorter, learningRate: 0.016 },
        warmSteps: 200,
        steps: 150,
        learnerRate: 0.008
      }
    : { ...common, architecture: genesis, settings, warmSteps: 400, steps: 1200, learnerRate: settings.learningRate }
}

export type HostilePlan = BenchPlan & {
  /** Of one machine, before the first round. */
  readonly warmSteps: number
  readonly rounds: number
  readonly innerSteps: number
}

/** Eight learners, two of them hostile, once for each kind: many runs, so always the small model. */
export function hostilePlan(quick: boolean): HostilePlan {
  const common = { architecture: small, settings: shorter, learners: 8, heldOutSequences: 256 }
  return quick
    ? { ...common, warmSteps: 40, rounds: 4, innerSteps: 5 }
    : { ...common, warmSteps: 100, rounds: 12, innerSteps: 10 }
}

export const figures: readonly {
  readonly name: string
  readonly codec: CodecName
  readonly innerSteps: number
  readonly gapMaxPercent: number
}[] = [
  { name: 'bytes1000', codec: 'lr8-4b+k512-1b', innerSteps: 30, gapMaxPercent: 1 },
  { name: 'bytes4000', codec: 'lr8-4b+k56-1b', innerSteps: 30, gapMaxPercent: 3 }
]

export const networkRules: AggregationRules = defaultAggregationRules
