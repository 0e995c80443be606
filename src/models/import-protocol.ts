import type { ErrorCode } from '../errors/index.ts'
import type { ArchitectureV2 } from '../experts/index.ts'
import type { CheckpointHead } from './checkpoint-head.ts'

/** What an import works with: nothing of it is weights. */
export type ImportPlan = {
  readonly architecture: ArchitectureV2
  readonly tokenizer: Uint8Array | null
  readonly fingerprint: string
  /** By part, in the order of the architecture. */
  readonly sourceBytes: readonly number[]
}

export type WorkerInput = { readonly folder: string; readonly head: CheckpointHead }

export type ToWorker =
  /** Numbers of parts, to be read in this order. */
  | { readonly kind: 'read'; readonly parts: readonly number[] }
  /** So many bytes were taken over: as many more may be sent. */
  | { readonly kind: 'taken'; readonly bytes: number }

export type FromWorker =
  | { readonly kind: 'plan'; readonly plan: ImportPlan }
  | { readonly kind: 'chunk'; readonly part: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'end'; readonly part: number }
  | {
      readonly kind: 'failed'
      readonly code: ErrorCode | null
      readonly payload: Record<string, string | number | boolean>
      readonly message: string
    }

/** Pieces that the worker may be ahead of who takes them; one piece may be larger. */
export const aheadBytesMax = 32 * 1024 * 1024
