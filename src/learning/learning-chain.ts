import type { Genesis, PartVersion, StateView } from '../dag/index.ts'
import { describeError, isBlyanError } from '../errors/index.ts'

/** What the parts of learning see of the chains, and how they speak to them. */
export interface LearningChain {
  readonly genesis: Genesis
  /** To be read at once: it goes on changing. */
  readonly state: StateView
  /** Own account, as text. */
  readonly account: string
  /** Newest version of a part, by its name on chain. */
  newest(part: string): PartVersion | undefined
  /** Committed time, as far as it can be told between commits; own clocks may be wrong by hours. */
  nowMs(): number
  /** Resolves once the event is final. Throws the code it was refused with, or NOT_FINAL_IN_TIME. */
  submit(type: string, json: unknown): Promise<{ readonly eventId: string }>
  /** Resolves when something may have changed: after an event of learning, or a moment. */
  changed(signal?: AbortSignal): Promise<void>
}

export type LearningLogger = {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** Why an event was refused, before or after it had its place; undefined for what is no refusal. */
export function refusalOf(error: unknown): string | undefined {
  if (!isBlyanError(error)) return undefined
  return error.code === 'EVENT_REFUSED' ? String(error.payload.code) : error.code
}

/** What is logged of a failure: the refusal itself where an event was refused. */
export function codeOf(error: unknown): string {
  return refusalOf(error) ?? describeError(error).message
}
