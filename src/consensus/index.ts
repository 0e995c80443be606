/**
 * consensus: turns signed events into one agreed order, by a leaderless PREPARE/COMMIT quorum.
 * In: events, vertices of other validators, time. Out: commits in order, certified checkpoints.
 * `core/` decides and is pure; the files beside it sign, store, send and fetch.
 * Never touches: what an event means.
 */

export { type CheckpointCadence, isCheckpointDue } from './core/checkpoint-cadence.ts'
export { type Commit, type CommitPoint, commitDigest, decodeCommit, encodeCommit } from './core/commit.ts'
export {
  type Committee,
  createCommittee,
  type DegradedMode,
  type EpochStart,
  faultsTolerated,
  promiseOf,
  type Validator,
  WeightCounter
} from './core/committee.ts'
export type { PendingEvent } from './core/mempool.ts'
export { type ConsensusParameters, type Context, defaultParameters } from './core/parameters.ts'
export { genesisPoint } from './core/replica.ts'
export type { SignerFloor } from './core/signer-floor.ts'
export {
  decodeHeader,
  decodeVertex,
  encodeHeader,
  encodeVertex,
  eventsOfBody,
  staticFault,
  type Vertex,
  type VertexHeader,
  vertexSigningBytes
} from './core/vertex.ts'
export type {
  CertifiedBytes,
  CheckpointSummary,
  CommitExecuted,
  CommitToExecute,
  ExecutionPort,
  Vote
} from './execution-port.ts'
export { createQuorum } from './quorum.ts'
export type { Quorum, QuorumLogger, QuorumView, Self, SnapshotPort } from './quorum-types.ts'
export { createRepair, type Repair } from './repair.ts'
export { openSigner, readSignerFloor, type Signer, writeSignerFloor } from './signer.ts'
export type { SnapshotKeeper, SnapshotPlan } from './snapshot-keeper.ts'
export { createStateSync, type StateSync, type StateSyncProgress } from './state-sync.ts'
export { createVertexStore, type VertexStore } from './vertex-store.ts'
