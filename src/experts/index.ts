/**
 * experts: the mixture-of-experts model and the engines that compute with it.
 * In: an architecture record, tensor files (path, offset, length), bytes or tokens to score or to continue, rows for experts.
 * Out: genesis parameters, losses, answers as they are made, results of experts, what this machine can compute on.
 * Never touches: the network, chains, tensor files' contents outside the engine process; ONNX Runtime is loaded only there.
 */

export { type DeviceProbe, type DeviceProbeNeeds, type ProviderReason, probeDevice } from './devices/device-probe.ts'
export { writeCompressedPart } from './engine/compressed-part.ts'
export { createEngine } from './engine/engine.ts'
export type { EngineLogger } from './engine/engine-child.ts'
export { defaultEngineLimits } from './engine/engine-limits.ts'
export type { Provider } from './engine/engine-protocol.ts'
export type {
  CallExperts,
  Engine,
  EngineLimits,
  EngineNeeds,
  EnginePriority,
  EngineStatus,
  Evaluation,
  ExpertLoadRequest,
  ExpertUse,
  GenerateRequest,
  GenerateTokensRequest,
  LoadModelRequest,
  ModelLoad,
  ModelStatus,
  RemoteExpertCall,
  Sampling,
  TokenEvaluation
} from './engine/engine-types.ts'
export type { PartFile } from './engine/part-file.ts'
export { openFileSource } from './engine/tile-source.ts'
export type {
  OpenTrainingRequest,
  ScoreRequest,
  Training,
  TrainingSettings,
  TrainingStep,
  TrainRequest
} from './engine/training-types.ts'
export {
  type Architecture,
  type ArchitectureV1,
  type ArchitectureV2,
  genesisArchitecture,
  type ModelShape,
  type Precision,
  type RouterRule,
  shapeOf
} from './model/architecture.ts'
export { type GenesisPart, genesisParts, littleEndianBytes } from './model/genesis.ts'
export { parseArchitecture } from './model/parse-architecture.ts'
export {
  type BlockType,
  cutOutputsMax,
  cutsOf,
  describeModel,
  type MatrixCut,
  type PartDescription,
  type PartSlice,
  packPart,
  sliceOf,
  unpackSlice
} from './model/part-layout.ts'
export {
  callSlices,
  cutSlice,
  describeSlice,
  joinSlices,
  planSlices,
  type SlicePlan,
  sliceArchitecture,
  slicesMax
} from './model/slicing.ts'
