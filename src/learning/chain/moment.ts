import type { Genesis, StateView } from '../../dag/index.ts'

/** When and why something happens: an event, or time that has come. */
export type Moment = {
  readonly state: StateView
  readonly genesis: Genesis
  /** Committed time. */
  readonly nowMs: number
  /** Digest of the event, hex; empty where time alone did it. */
  readonly event: string
}
