/**
 * dag: chains A (meta), B (parameters), C (ledger) and D (datasets), made from final events by every node alike.
 * In: commits in order, handlers by event type, genesis. Out: blocks, state and its root, checkpoints, proofs.
 * `core/` is pure; `chains.ts` keeps it in the database.
 * Never touches: the network, timers, how an event was ordered.
 */

export { type Chains, type FinalEvent, openChains } from './chains.ts'
export { type Block, type BlockHeader, type ChainId, chainIds, decodeBlock } from './core/block.ts'
export { type Dependencies, topologicalOrder } from './core/block-graph.ts'
export { type Checkpoint, checkpointDigest, decodeCheckpoint } from './core/checkpoint.ts'
export type { CommitSeen, Economy } from './core/economy.ts'
export {
  decodeEvent,
  type EventEnvelope,
  eventId,
  eventLimits,
  type SignedEvent,
  signEvent,
  verifyEvent
} from './core/event.ts'
export { type Evidence, encodeEvidence, readEvidence, type SignedHeader, verifyEvidence } from './core/evidence.ts'
export { type ExecutedEvent, Executor } from './core/executor.ts'
export { type Genesis, type GenesisFile, genesisOf, parseGenesis } from './core/genesis.ts'
export { type ApplyInput, type BlockDraft, type EventHandler, HandlerRegistry, plainBlock } from './core/handlers.ts'
export {
  datasetHandler,
  isReservedModelName,
  modelHandler,
  modelRegisterHandler,
  noteHandler,
  type PartRules,
  type PartVersionAsked,
  partHandler
} from './core/handlers-model.ts'
export {
  type Accused,
  accusedOf,
  encodeInvalidEvidence,
  faultProven,
  faultyPlace,
  type InvalidEvidence,
  readInvalidEvidence,
  type SignedBytes
} from './core/invalid-evidence.ts'
export { merkleLeaf, merklePath, merkleRoot, verifyMerklePath } from './core/merkle.ts'
export type { ParamIndex, PartVersion } from './core/param-index.ts'
export {
  newestOf,
  type PartChain,
  type PartUpdate,
  type PublishedUpdate,
  partOfVersion,
  partUpdatesMax,
  readPartChain,
  recordPartVersion,
  wasUpdate
} from './core/part-chain.ts'
export { decodeLink, encodeLink, followSets, type SetLink, setLinksMax } from './core/set-chain.ts'
export type { State, StateMemory, StateView } from './core/state.ts'
export {
  committeeOfSet,
  decodeSet,
  encodeSet,
  faultOfSet,
  memberTextMax,
  type ValidatorSet,
  validatorsMax
} from './core/validator-set.ts'
export {
  type Candidate,
  candidateKeys,
  currentSet,
  deleteCandidate,
  epochsKept,
  isSetChanging,
  keyTextOf,
  memberAt,
  type PendingChange,
  pendingChanges,
  readApprovals,
  readCandidate,
  readEpoch,
  setAfter,
  wantedSet,
  writeApprovals,
  writeCandidate,
  writeCandidateKeys,
  writePendingChanges,
  writeWantedSet
} from './core/validator-state.ts'
export { type EpochRecord, epochRecordOf, epochWrite } from './epoch-records.ts'
export { loadChains } from './load-chains.ts'
export { createPruner, type Pruner } from './pruner.ts'
export { openSnapshotFile, packSnapshot, type SnapshotFile } from './snapshot-file.ts'
export { type SnapshotManifest, snapshotLimits, totalBytesOf } from './snapshot-format.ts'
export { stageSnapshot, verifySnapshot } from './snapshot-install.ts'
export { createSnapshotOffline } from './snapshot-offline.ts'
export { openSnapshotShelf, type ShelvedSnapshot } from './snapshot-shelf.ts'
export { verifyChains } from './verify-chains.ts'
export { verifyProof } from './verify-proof.ts'
