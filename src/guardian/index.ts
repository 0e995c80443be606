/**
 * guardian: the network goes on without its owner. It judges the health of the owner's node and of every holder of a
 * responsibility from what validators say, and hands responsibilities over and back.
 * In: events `health-observation`, `council-vote`, `registry-record`, `notary-record`, `core-record`, and committed time.
 * Out: changed state. Pure: it knows no network, disk, clock or logger.
 */

export { type Canary, type CanaryPool, createCanaryPool } from './answers/canary-pool.ts'
export {
  type AnsweredLoad,
  type Arithmetic,
  type Commitment,
  type CommitmentBody,
  type CommittedLoad,
  commitmentLimits,
  commitmentOf,
  commitmentSigningBytes,
  committedLoads,
  type ExpectedCommitment,
  matchCommitment,
  readCommitment,
  readSignedCommitment,
  verifyCommitment
} from './answers/commitment.ts'
export {
  type Exhibit,
  encodeExpertEvidence,
  exhibitOf,
  type Judgement,
  judge,
  readExpertEvidence,
  type Statement,
  statementsOf
} from './answers/expert-evidence.ts'
export {
  type ExpertEvidence,
  expertEvidenceCount,
  expertEvidenceHandler,
  expertEvidenceKeptMax,
  readExpertEvidenceEntry
} from './answers/expert-evidence-event.ts'
export { type ExpertTruth, expertOutput, expertTruth } from './answers/expert-truth.ts'
export type { ExpertWeights, WeightMatrix } from './answers/expert-weights.ts'
export { fingerprintOf } from './answers/fingerprint.ts'
export {
  createReputation,
  type Finding,
  type PeerRecord,
  type Reputation,
  type ReputationLimits,
  reputationLimits,
  type Standing
} from './answers/reputation.ts'
export { rowDifference, tolerances } from './answers/row-difference.ts'
export { floatsOf, littleEndian, pathOfRow, rootOfRows, rowOf } from './answers/row-tree.ts'
export { createSamplingSchedule, type SamplingSchedule } from './answers/sampling-schedule.ts'
export { type Council, councilBallots, readCouncil } from './council.ts'
export { type Candidate, candidates } from './election.ts'
export { type Failover, readFailover } from './failover-record.ts'
export { type JudgedHealth, judgedHealth, settlesAtMs } from './health.ts'
export { type HealthLimits, healthLimits, judgeSigns, type Signs } from './judgement.ts'
export { drawBelow, lotOf } from './lots.ts'
export {
  agreedHealth,
  countedObservations,
  type Health,
  type Issue,
  type Observation,
  type ObservedBy,
  observationOf,
  quorumWeightOf
} from './observations.ts'
export { type Concern, type DutyRecords, dutyDueMs, isDutyLate, recordOf } from './records.ts'
export {
  dutiesOf,
  type Handover,
  type Holding,
  handovers,
  heldBy,
  holdingOf,
  ownerOf,
  peerIdOf,
  type Responsibility,
  responsibilities,
  subjectsOf
} from './responsibilities.ts'
export { continuityRule } from './rule.ts'
