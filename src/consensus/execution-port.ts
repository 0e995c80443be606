import type { Write } from '../storage/index.ts'
import type { Commit } from './core/commit.ts'
import type { Committee, EpochStart } from './core/committee.ts'
import type { PendingEvent } from './core/mempool.ts'
import type { Vertex } from './core/vertex.ts'

export type CheckpointSummary = {
  /** The epoch whose members sign it. */
  readonly epoch: number
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
  /** Index of the commit that ends the epoch, once execution has declared it. */
  readonly epochClosesAt: number | undefined
  /** To be called once all of it is stored: only then is anything announced. */
  readonly announce: () => void
}

/** The seam between order and meaning: consensus hands over commits and never looks inside an event. */
export interface ExecutionPort {
  /** What the epoch of the last certified boundary checkpoint began with; genesis before there is one. */
  readonly epoch: EpochStart
  /** Index of the commit that ends the epoch, once declared; undefined again when the next epoch has begun. */
  readonly epochClosesAt: number | undefined
  /** The members of an epoch that is known here. */
  committeeOf(epoch: number): Committee | undefined
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
  /** Notes a checkpoint that only those who order have signed, and gives what keeps it. It is for catching up, not final. */
  noteOrdered(sequence: number, votes: readonly Vote[]): Write
  /** The last commit that can be handed to those who catch up. */
  readonly servedCommitIndex: number
  readonly certifiedSequence: number
  readonly certifiedCommitIndex: number
  /** The first certified checkpoint that covers this commit; where none does, the newest of those that order it. */
  certifiedFrom(commitIndex: number): Promise<CertifiedBytes | undefined>
}
