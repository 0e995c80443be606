import type { AnsweredLoad, Arithmetic } from '../../guardian/index.ts'

/** One answered call, as who asked knows it. */
export type AuditedCall = {
  /** Peer id of who answered. */
  readonly holder: string
  /** The id that was asked with; at most 64 characters, never used twice. */
  readonly request: string
  readonly model: string
  readonly layer: number
  /** In the order of the call: tensor CID, width, what was sent, what came back. */
  readonly loads: readonly AnsweredLoad[]
  readonly commitment: SignedCommitment
}

export type SignedCommitment = { readonly bytes: Uint8Array; readonly signature: Uint8Array }

/** `inconclusive`: nothing was found that could decide; not a fault of the holder. */
export type CallVerdict = 'right' | 'wrong' | 'inconclusive'

/** Rows that are given to an expert again, to see what it makes of them. */
export type Recheck = {
  readonly model: string
  readonly layer: number
  /** CID of the expert's tensor. */
  readonly weights: string
  readonly width: number
  /** [rows, width]. */
  readonly input: Float32Array
}

export type Recomputed = { readonly output: Float32Array; readonly arithmetic: Arithmetic }
