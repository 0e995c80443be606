import type { Precision } from '../../experts/index.ts'

export type ImportRequest = {
  /** On the machine of the node. */
  readonly folder: string
  /** Undefined: made of the folder's name. */
  readonly name: string | undefined
  readonly precision: Precision
  readonly signal: AbortSignal
}

/** What is told while an import runs, in this order. */
export type ImportLine =
  | {
      readonly kind: 'plan'
      readonly model: string
      readonly precision: Precision
      readonly parts: number
      /** Parts that are here from before. */
      readonly partsHere: number
      readonly sourceBytes: number
      readonly partBytes: number
    }
  /** `weights`: parts are made and stored; `events`: they are put on chain. */
  | {
      readonly kind: 'progress'
      readonly phase: 'weights' | 'events'
      readonly partsDone: number
      readonly parts: number
      readonly bytesDone: number
      readonly bytes: number
    }
  | {
      readonly kind: 'done'
      readonly model: string
      readonly block: string
      readonly parts: number
      readonly partBytes: number
      readonly elapsedMs: number
    }
