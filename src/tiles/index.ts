/**
 * tiles: tensors as files, as IPFS objects, and in the formats people bring and take.
 * In: .npy, .safetensors and .tblock streams, tensors computed here, CIDs to fetch from peers.
 * Out: one immutable file a tensor with the place of its data in it, CIDs, the original files again.
 * Never touches: consensus, what a tensor is computed with, the network other than through `fetchBlock`.
 */

export { type DataType, dataTypes, isDataType, type Quantisation } from './data-types.ts'
export { fetchWithin } from './fetch-within.ts'
export {
  type Aggregation,
  type AggregationInput,
  type AggregationRules,
  aggregate,
  aggregationInputsMax,
  defaultAggregationRules
} from './maths/aggregation.ts'
export { chunkElements } from './maths/chunks.ts'
export {
  type CodecName,
  codecNames,
  type DeltaCodec,
  type EncodedTile,
  isCodecName,
  type WarmStart
} from './maths/codecs/codec.ts'
export { codecById, codecForTile, codecNamed, defaultCodec } from './maths/codecs/codec-list.ts'
export { type ChainCost, compactionLimits, mustCompact } from './maths/compaction.ts'
export {
  type DeltaFile,
  type DeltaFileHeader,
  type DeltaFrame,
  type ExpectedDelta,
  openDeltaFile,
  packDeltaFile,
  readDeltaHeader
} from './maths/delta-file.ts'
export {
  type EncodedWithFeedback,
  encodeWithFeedback,
  type Feedback,
  packFeedback,
  unpackFeedback
} from './maths/error-feedback.ts'
export type { OuterRule, OuterState } from './maths/outer-step.ts'
export { flatLayouts, type MatrixBlock, type TileLayout, tileElements, tileLayouts } from './maths/tile-layout.ts'
export {
  addDecoded,
  applyFrames,
  makeUpdate,
  type PartUpdateMade,
  type UpdateFrame,
  type UpdateRequest
} from './maths/update.ts'
export { digestOfValues } from './maths/value-digest.ts'
export { parseSafetensorsHeader, type SafetensorsEntry, safetensorsHeaderSizeBytesMax } from './safetensors.ts'
export { checkSpotProof, makeSpotProof, type SpotProof, spotDigest, spotLimits } from './spot-proof.ts'
export { leafSizeBytes } from './tensor-block.ts'
export type { TensorVerdict } from './tensor-checks.ts'
export { tileSizeBytes } from './tensor-dag.ts'
export type { ExportFormat, TensorExport } from './tensor-export.ts'
export type { FetchBlock, FetchOptions } from './tensor-fetch.ts'
export type { StoredObject, TensorInfo } from './tensor-info.ts'
export {
  cidOfTensor,
  createTensorStore,
  defaultTensorLimits,
  type StreamInput,
  type TensorInput,
  type TensorLimits,
  type TensorStore,
  type TensorStoreNeeds
} from './tensor-store.ts'
export { type DiskFreeing, deltaTensorNames, type Freed, roundsKept, versionsKept } from './versions/disk-freeing.ts'
export { createFeedbackStore, type FeedbackStore } from './versions/feedback-store.ts'
export { partTensor, readPartValues, readTensorData } from './versions/part-data.ts'
export {
  createPartVersions,
  type PartVersions,
  type PartVersionsNeeds,
  planVersion,
  type VersionPlan
} from './versions/part-versions.ts'
export { type AcceptedDelta, isSameResult, type Replayed, type ReplayRequest, replayUpdate } from './versions/replay.ts'
