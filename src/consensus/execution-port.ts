import type { Write } from '../storage/index.ts'
import type { Commit } from './core/commit.ts'
import type { PendingEvent } from './core/mempool.ts'
import type { Vertex } from './core/vertex.ts'

export type CheckpointSummary = {
  readonly sequence: number
  readonly digest: string
  readonly commitIndex: number
  readonly commitDigest: string
}
export type Vote = { readonly author: number; readonly signature: Uint8Array }
export type CertifiedBytes = {
  readonly checkpoint: Uint8Array
  readonly votes: readonly Vote[]
  readonly summary: CheckpointSummary
}

export type CommitToExecute = { readonly commit: Commit; readonly digest: string; readonly vertices: readonly Vertex[] }

export type CommitExecuted = {
  /** Go into the same batch as the commit itself. */
  readonly writes: readonly Write[]
  readonly ordered: readonly string[]
  /** Came before their predecessors and were not executed. */
  readonly early: readonly string[]
  readonly eventsSinceCheckpoint: number
  readonly checkpoint: CheckpointSummary | undefined
  /** To be called once all of it is stored: only then is anything announced. */
  readonly announce: () => void
}

/** The seam between order and meaning: consensus hands over commits and never looks inside an event. */
export interface ExecutionPort {
  /** Whether every event of a vertex is well-formed and rightly signed; the answer is the same at every node. */
  checkEvents(vertex: Vertex): Promise<boolean>
  /** The events of a stored vertex, with their ids. */
  pendingEvents(vertex: Vertex): PendingEvent[]
  execute(commit: CommitToExecute): CommitExecuted
  /** The last checkpoint computed here, if a quorum has not signed it yet. */
  openCheckpoint(): { readonly checkpoint: CheckpointSummary | undefined; readonly eventsSinceCheckpoint: number }
  /** Bytes that a validator signs for a checkpoint. */
  checkpointMessage(digest: string): Uint8Array
  /** Throws ENCODING_INVALID. */
  readCheckpoint(bytes: Uint8Array): CheckpointSummary
  certificateWrite(sequence: number, votes: readonly Vote[]): Write
  noteCertified(sequence: number, votes: readonly Vote[], commitIndex?: number): void
  readonly certifiedSequence: number
  readonly certifiedCommitIndex: number
  /** The first certified checkpoint that covers this commit. */
  certifiedFrom(commitIndex: number): Promise<CertifiedBytes | undefined>
}
