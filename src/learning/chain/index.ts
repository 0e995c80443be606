/**
 * learning/chain: the rounds of learning as every node computes them from final events. In: events `learner-*`, `corpus`,
 * `delta-*`, `tile-*`, `edge-aggregate`, `expert-propose`, `learning-measure`, `round-advance` and committed time. Out:
 * changed state, payments from the reward pool. Pure: it knows no network, disk, clock, logger and no floating point.
 */
export { assignmentOf, deltaBytesMaxOf } from './assignment.ts'
export { type GainFigures, isGainEnough } from './candidate-events.ts'
export { candidatesOf, measurementsOf, openCandidatesOf, pendingOf, readCandidate } from './candidate-records.ts'
export { corporaOf, heldOutShards, readCorpus, trainingShards } from './corpus-records.ts'
export { edgeOf, primariesOf } from './election.ts'
export {
  commitmentOf,
  leadingZeroBits,
  measurementSeed,
  proposalCommitment,
  type Work,
  workDigest
} from './hashes.ts'
export { barredRounds, chainLimits, expiryWindows, lagMax } from './limits.ts'
export { matchesPart, modelOfPart, newestTensor, partsOfModel } from './model-parts.ts'
export { learningPartRules } from './part-gate.ts'
export {
  baseOf,
  commitsOf,
  learnerOf,
  learnersOf,
  modelsLearnt,
  partChainOf,
  readRound,
  revealsOf,
  roundHistory
} from './reads.ts'
export { aggregatesOf, edgesOf, isChallenged, learningOffences, resultsOf, roundParts } from './result-records.ts'
export { learningRule } from './rule.ts'
export { type LearningSettings, learningIsOn, learningSettings } from './settings.ts'
export { quotaLeftOf, quotas, trustOf } from './trust.ts'
export type * from './types.ts'
