import type { Commit, Vertex } from '../../consensus/index.ts'
import type { State, StateMemory, StateView } from './state.ts'
import type { ValidatorSet } from './validator-set.ts'

/** A commit whose events have just been executed. */
export type CommitSeen = {
  readonly commit: Commit
  /** In order, as they are executed. */
  readonly vertices: readonly Vertex[]
  /** The set that the commit belongs to. */
  readonly set: ValidatorSet
}

/**
 * What a network's economy does between events: by committed time alone, alike at every node. None of it refuses:
 * what it throws stops the node.
 */
export interface Economy {
  /** Writes what genesis gives, into an empty state. */
  begin(state: StateView): void
  /** Whether a checkpoint shall be made now, because something happened without an event. */
  afterCommit(state: StateView, seen: CommitSeen): boolean
  /** Told of each checkpoint before the next commit is executed; what it writes is part of the next one. */
  afterCheckpoint(state: StateView, checkpoint: { readonly sequence: number; readonly digest: string }): void
  /** Throws LEDGER_NOT_CONSERVED when what changed since `before` made or lost coins. */
  requireConserved(state: State, before: StateMemory): void
  /** The same of everything there is. */
  requireConservedInFull(state: State): void
}
