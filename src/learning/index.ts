/**
 * learning: strangers' machines improve one model, and every change that counts is measured by a quorum.
 * In: final events and their state (chain/), texts of a learner, deltas and tensors by CID. Out: events, deltas, new
 * versions of parts, measurements.
 * `chain/` and `core/` are pure; what stands beside them speaks to disk, engine and network through what it is given.
 */

export {
  type AggregationDuty,
  type AggregationNeeds,
  createAggregationDuty,
  type DutyCounts
} from './aggregation-duty.ts'
export * from './chain/index.ts'
export { type CommittedClock, createCommittedClock } from './committed-clock.ts'
export { type GateVerdict, judgeDelta } from './core/gate.ts'
export { type LearnerHand, type LearnerStep, nextLearnerStep, stepsWorthDelta } from './core/learner-plan.ts'
export { mustNudge, nudgeTurnMs } from './core/nudge.ts'
export { chainNameOf, genesisModel, shortNameOf } from './core/part-names.ts'
export { gateTokensOf, roundRules, weightPpmOf } from './core/rules.ts'
export { createEdgeDuty, type EdgeDuty } from './edge-duty.ts'
export { createLearner, type Learner as RoundLearner, type LearnerActivity, type LearnerListener } from './learner.ts'
export { codeOf, type LearningChain, type LearningLogger, refusalOf } from './learning-chain.ts'
export { isLineageOfProposal, isLineageOfReveal } from './lineage-check.ts'
export { createLocalTraining, type LocalTraining } from './local-training.ts'
export {
  createMeasurer,
  type MeasuredModel,
  type MeasurementPayload,
  type Measurer,
  type MeasurerNeeds
} from './measurer.ts'
export { createModelParts, type LearningPart, type ModelParts, newestTensors, partFileOf } from './model-parts.ts'
export { createModelScorer, type ModelScorer } from './model-scorer.ts'
export { createPublishingDuty, type PublishingDuty } from './publishing-duty.ts'
export { findNonce } from './work.ts'
