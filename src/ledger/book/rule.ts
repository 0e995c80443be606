import type { CommitSeen, EventHandler, Genesis, StateView } from '../../dag/index.ts'

/** What a rule sees between events. */
export type RuleInput = {
  readonly state: StateView
  readonly genesis: Genesis
  /** Time of the commit: the only clock there is. */
  readonly nowMs: number
}

/** A period that ends now. */
export type Period = {
  /** 1 for the first. */
  readonly number: number
  readonly sinceMs: number
  readonly untilMs: number
}

/**
 * One part of the economy: its events, and what it does between events. None of its functions but the handlers may
 * refuse: whatever they find in the state was let in by a handler.
 */
export type LedgerRule = {
  readonly name: string
  readonly handlers: readonly EventHandler[]
  /** Writes what genesis gives. */
  begin?(input: RuleInput): void
  /** After the events of every commit: keep it cheap. */
  afterCommit?(input: RuleInput, seen: CommitSeen): void
  afterCheckpoint?(state: StateView, checkpoint: { readonly sequence: number; readonly digest: string }): void
  /** By kind of agenda item. */
  readonly due?: Readonly<Record<string, (input: RuleInput, id: string) => void>>
  /** Kinds after which a checkpoint is made at once: others wait for what became of it. */
  readonly urgent?: readonly string[]
  /** At the end of each period, in the order of the rules. */
  settle?(input: RuleInput, period: Period): void
}
