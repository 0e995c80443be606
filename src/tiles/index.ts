/**
 * tiles: tensors as files, as IPFS objects, and in the formats people bring and take.
 * In: .npy, .safetensors and .tblock streams, tensors computed here, CIDs to fetch from peers.
 * Out: one immutable file a tensor with the place of its data in it, CIDs, the original files again.
 * Never touches: consensus, what a tensor is computed with, the network other than through `fetchBlock`.
 */
export { type DataType, dataTypes, isDataType, type Quantisation } from './data-types.ts'
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
