import { BlyanError, type ErrorCode, errorTable, isBlyanError } from '../../errors/index.ts'
import type { Frame } from './frame-channel.ts'
import { asMap, textField } from './frame-fields.ts'

/**
 * What the daemon and its engine process say to each other.
 * Daemon: `{ id, operation, ... }`, and `{ id, operation: 'cancel' }` for an open id. Engine: first `{ ready: true }`, then
 * `{ id, event }` any number of times and `{ id, result }` or `{ id, error: { code, payload } }` once.
 * What is asked about a training names it in `training`, a number of the daemon's choice.
 * For experts that are elsewhere the engine asks: `{ call, model, layer, experts, rowCounts, lengths, values, requestOfRow,
 * requests, isPrompt }` or `{ call, cancelled: true }`; the daemon answers with `{ id: 0, operation: 'answerCall', call, lengths,
 * values }` or `{ ..., error }`. Values are fp32 and numbers of rows u32, little-endian.
 */
export type EngineOperation =
  | 'loadModel'
  | 'replacePart'
  | 'dropPart'
  | 'setElsewhere'
  | 'evaluate'
  | 'evaluateTokens'
  | 'generate'
  | 'generateTokens'
  | 'runExperts'
  | 'release'
  | 'status'
  | TrainingOperation

export type TrainingOperation =
  | 'openTraining'
  | 'trainStep'
  | 'stopStep'
  | 'readDelta'
  | 'rebaseTraining'
  | 'stageChanges'
  | 'dropChanges'
  | 'scoreTraining'
  | 'saveTraining'
  | 'closeTraining'

/** What the engine process is told of `EngineLimits`. */
export type EngineBounds = {
  readonly answersMax: number
  readonly answersWaitingMax: number
  readonly keyValueBytesMax: number
  readonly expertRowsWaitingMax: number
  readonly mappedSessionsMax: number
  readonly trainingBytesMax: number
}

/** An execution provider of ONNX Runtime. */
export type Provider = 'cuda' | 'webgpu' | 'cpu'

export type ExecutableSettings = {
  readonly folder: string
  readonly bytesMax: number
  /** Smaller experts are prepacked as quickly as an executable is opened. */
  readonly fromBytes: number
}

/** Told to the child on its command line, as JSON. */
export type EngineProcessTask =
  | {
      readonly task: 'serve'
      readonly tensorFolder: string
      readonly provider: Provider
      readonly threads: number
      readonly frameBytesMax: number
      readonly bounds: EngineBounds
      readonly expertMemoryBytesMax?: number
      readonly executables?: ExecutableSettings | undefined
    }
  | { readonly task: 'probe'; readonly provider: Provider; readonly threads: number }

/** The file descriptor of the channel in the engine process. */
export const channelDescriptor = 3

export function errorToFrame(operation: string, error: unknown): Frame {
  const reason = error instanceof Error ? error.message : String(error)
  const known = isBlyanError(error)
    ? error
    : new BlyanError('ENGINE_FAULT', { operation, reason: reason.slice(0, 2000) })
  const payload = Object.entries(known.payload).filter(([, value]) => value !== undefined)
  return { code: known.code, payload: Object.fromEntries(payload) as Frame }
}

export function errorFromFrame(operation: string, frame: Frame): BlyanError {
  const code = textField(frame, 'code')
  if (!Object.hasOwn(errorTable, code)) return new BlyanError('ENGINE_FAULT', { operation, reason: code })
  const payload = Object.entries(asMap(frame.payload, 'payload')).map(([name, value]) => [name, String(value)])
  return new BlyanError(code as ErrorCode, Object.fromEntries(payload))
}
