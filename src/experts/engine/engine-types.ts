import type { Architecture } from '../model/architecture.ts'
import type { EngineLogger } from './engine-child.ts'
import type { Provider } from './engine-protocol.ts'
import type { PartFile } from './part-file.ts'
import type { OpenTrainingRequest, Training } from './training-types.ts'

export type LinkLimits = {
  readonly frameBytesMax: number
  readonly openRequestsMax: number
  /** How long a request may go without a sign of life from the engine. */
  readonly requestTimeoutMs: number
  readonly startTimeoutMs: number
  /** Restarts within `restartWindowMs` before the engine is given up. */
  readonly restartsMax: number
  readonly restartWindowMs: number
  /** Pause before the first restart; doubles with each restart in the window, up to 30 times itself. */
  readonly backOffMs: number
}

export type LinkState = 'stopped' | 'starting' | 'running' | 'failed'

export type EngineLimits = LinkLimits & {
  readonly evaluateBytesMax: number
  readonly evaluateTokensMax: number
  readonly promptBytesMax: number
  readonly generateTokensMax: number
  /** Answers of one model that are computed together, step by step. */
  readonly answersMax: number
  /** Answers of one model that wait for a place; more are refused with ENGINE_BUSY. */
  readonly answersWaitingMax: number
  /** Keys and values of all answers of one model. */
  readonly keyValueBytesMax: number
  /** Rows that wait for experts of one model, of all callers of `runExperts`; more are refused with ENGINE_BUSY. */
  readonly expertRowsWaitingMax: number
  /** What prepacked copies of a model's weights may take where `loadModel` does not say. */
  readonly memoryBytesMax: number
  /** Sessions of one model over mapped weights; those unused longest are closed first. */
  readonly mappedSessionsMax: number
  /** An expert that is larger is read and computed tile by tile within so much memory. */
  readonly expertMemoryBytesMax: number
  /** Values, moments, gradients and activations of all open trainings; more are refused with TRAINING_TOO_LARGE. */
  readonly trainingBytesMax: number
}

export type EngineNeeds = {
  /** Every part file lies in here. */
  readonly tensorFolder: string
  readonly threads: number
  /** What `probeDevice` found; `cpu` unless given. */
  readonly device?: Provider
  /**
   * Where hot experts are kept as executables: optimised graphs with prepacked weights that are mapped, so that they are
   * fast again at once after a restart. Without it none are made. Experts below `fromBytes`, 4 MiB unless given, have none.
   */
  readonly executables?: { readonly folder: string; readonly bytesMax: number; readonly fromBytes?: number }
  readonly logger: EngineLogger
  readonly limits?: Partial<EngineLimits>
}

/** Experts of one layer that are asked of others, for the rows of one step of one or more answers. */
export type RemoteExpertCall = {
  readonly model: string
  readonly layer: number
  /** `rows` [N, width], normed; `requestOfRow` gives for each row the index into `requests` of the answer it belongs to. */
  readonly loads: readonly {
    readonly expert: number
    readonly rows: Float32Array
    readonly requestOfRow: Uint32Array
  }[]
  readonly requests: readonly string[]
  /** Whether rows of a prompt are among them. */
  readonly isPrompt: boolean
  /** Aborted when no answer needs it any more. */
  readonly signal: AbortSignal
}

/**
 * Resolves to one [N, width] a load, in the order of the loads. Runs in the daemon. Rejecting fails the answers named in
 * `requests` with that error, a BlyanError with its own code; other answers go on.
 */
export type CallExperts = (call: RemoteExpertCall) => Promise<readonly Float32Array[]>

export type LoadModelRequest = {
  /** A name of the caller's choice; takes the place of one so named. */
  readonly model: string
  readonly architecture: Architecture
  /** Names are the short ones of `describeModel`; experts may be missing. */
  readonly parts: readonly PartFile[]
  /** Asked for experts that are missing or that `setElsewhere` names. Without it they fail with PART_NOT_LOADED. */
  readonly callExperts?: CallExperts
  /** What prepacked copies of hot weights may take; 0 keeps all weights mapped only. */
  readonly memoryBytesMax?: number
}

export type ModelLoad = { readonly parts: number; readonly mappedBytes: number; readonly elapsedMs: number }

export type Evaluation = {
  /** Mean over `scoredBytes`; Infinity when the model's numbers are not finite. */
  readonly lossNatsPerByte: number
  readonly scoredBytes: number
  readonly elapsedMs: number
}

export type TokenEvaluation = {
  /** Mean over `scoredTokens`; Infinity when the model's numbers are not finite. */
  readonly lossNatsPerToken: number
  readonly scoredTokens: number
  readonly elapsedMs: number
}

export type GenerateRequest = {
  readonly model: string
  /** At least one byte; only the newest `contextTokens` are read. */
  readonly prompt: Uint8Array
  readonly tokensMax: number
  /** 0 takes the likeliest byte each time. */
  readonly temperature: number
  readonly seed: string
  readonly signal?: AbortSignal
}

export type Sampling = {
  /** 0 takes the likeliest token each time. */
  readonly temperature: number
  /** Above 0, at most 1: only the likeliest tokens that together have this share are drawn from. */
  readonly topP: number
  readonly seed: string
}

export type GenerateTokensRequest = {
  readonly model: string
  /** At least one and at most `contextTokens`. */
  readonly tokens: Uint32Array
  /** Fewer are made when a stop token is chosen or the context is full. */
  readonly tokensMax: number
  /** A chosen one ends the answer and is yielded as its last token. */
  readonly stopTokens: readonly number[]
  readonly sampling: Sampling
  /** Names the answer in `RemoteExpertCall.requests`. */
  readonly requestId: string
  readonly signal?: AbortSignal
}

/** Rows of one expert: `rows` [N, width], already normed, must not change until the answer is there. */
export type ExpertLoadRequest = { readonly name: string; readonly rows: Float32Array }

/** Background work lets answers go first, between two graphs. */
export type EnginePriority = 'answer' | 'background'

export type ModelStatus = {
  readonly model: string
  readonly parts: number
  readonly mappedBytes: number
  /** Private copies of hot weights, and what they may take. */
  readonly prepackedBytes: number
  readonly memoryBytesMax: number
  /** `hits`: graphs that ran prepacked; `misses`: that ran over mapped weights; `evictions`: copies given up for hotter ones. */
  readonly cache: { readonly hits: number; readonly misses: number; readonly evictions: number }
  readonly sessions: { readonly mapped: number; readonly prepacked: number }
  /** Experts that were used since the model was loaded, here or elsewhere, most rows first, at most 4096. */
  readonly experts: readonly ExpertUse[]
  readonly answers: { readonly running: number; readonly waiting: number; readonly keyValueBytes: number }
  /** Rows that wait for experts, of callers of `runExperts`. */
  readonly expertRowsWaiting: number
}

export type ExpertUse = {
  readonly name: string
  /** Graph runs, or calls to others, and rows in them. */
  readonly calls: number
  readonly rows: number
  /** Rows of `rows` that others computed. */
  readonly rowsElsewhere: number
}

export type EngineStatus = {
  readonly state: LinkState
  readonly device: Provider
  readonly threads: number
  readonly restarts: number
  readonly processId: number | null
  /** Of the engine process, mapped pages that were touched included; 0 while none runs. */
  readonly residentBytes: number
  readonly models: readonly ModelStatus[]
}

/**
 * Computes with parts that lie in files, in a process of its own. All methods but `status` may throw ENGINE_LOST (the
 * process died; asking again works once it is back, models are loaded again by themselves), ENGINE_TIMEOUT, ENGINE_BUSY,
 * ENGINE_FAILED, ENGINE_STOPPED, ENGINE_FAULT and ENGINE_REQUEST_INVALID; those that name a model MODEL_NOT_LOADED, those that
 * compute PART_NOT_LOADED, those that take part files PART_FILE_INVALID and PART_UNKNOWN. After a loss every method may
 * throw PART_FILE_INVALID, whose payload `part` names a file that no longer holds its tensor: `replacePart` with a good
 * one, or `dropPart`, and the model works again.
 */
export interface Engine {
  start(): Promise<void>
  /** Ends the process and forgets no model: `start` brings them back on demand. */
  stop(): Promise<void>
  loadModel(request: LoadModelRequest): Promise<ModelLoad>
  /** Puts one part in the place of the one of its name, or adds it. Requests that run keep the old one until they end. */
  replacePart(request: { readonly model: string; readonly part: PartFile }): Promise<ModelLoad>
  /** Lets go of a part; its file may be removed once this resolved. Answers that run ask others for it from then on. */
  dropPart(request: { readonly model: string; readonly name: string }): Promise<ModelLoad>
  /** From the next step on these experts are asked of `callExperts` although they are here; replaces the list before. */
  setElsewhere(request: { readonly model: string; readonly experts: readonly string[] }): Promise<void>
  /** Next-byte loss over `bytes`, in windows of `contextTokens`; `replacement` stands in for the part of its name, this once. */
  evaluate(request: {
    readonly model: string
    readonly bytes: Uint8Array
    readonly replacement?: PartFile
    readonly signal?: AbortSignal
  }): Promise<Evaluation>
  /** The same over tokens. Background work, as `evaluate` is. */
  evaluateTokens(request: {
    readonly model: string
    readonly tokens: Uint32Array
    readonly replacement?: PartFile
    readonly signal?: AbortSignal
  }): Promise<TokenEvaluation>
  /** Yields the bytes of an answer as they are made, one or more at a time. Leaving the loop cancels the rest. */
  generate(request: GenerateRequest): AsyncIterable<Uint8Array>
  /** Yields the tokens of an answer as they are made, computed together with all other answers. Leaving the loop cancels. */
  generateTokens(request: GenerateTokensRequest): AsyncIterable<{ readonly tokens: Uint32Array }>
  /** One [N, width] a load, in order, not yet weighted; rows of concurrent callers run through an expert together. */
  runExperts(request: {
    readonly model: string
    readonly loads: readonly ExpertLoadRequest[]
    readonly priority: EnginePriority
    readonly signal?: AbortSignal
  }): Promise<readonly Float32Array[]>
  /** One expert on `tokens` [N, width] (normed rows) -> a new [N, width], not yet weighted. */
  runExpert(request: {
    readonly model: string
    readonly name: string
    readonly tokens: Float32Array
    readonly signal?: AbortSignal
  }): Promise<Float32Array>
  release(request: { readonly model: string }): Promise<void>
  /**
   * Opens a training beside whatever models are loaded. Throws PART_NOT_LOADED when a part is missing, TRAINING_UNSUPPORTED,
   * TRAINING_TOO_LARGE, TRAINING_CHECKPOINT_INVALID.
   */
  openTraining(request: OpenTrainingRequest): Promise<Training>
  status(): Promise<EngineStatus>
}
