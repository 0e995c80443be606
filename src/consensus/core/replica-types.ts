import type { Commit, CommitPoint } from './commit.ts'
import type { EpochStart } from './committee.ts'
import type { PendingEvent } from './mempool.ts'
import type { ConsensusParameters, Context } from './parameters.ts'
import type { Vertex, VertexHeader } from './vertex.ts'
import type { CertifiedCheckpoint } from './votes.ts'

/** What the shell has to do, in this order. */
export type Effect =
  /** Make durable and sign, then answer with `signed`. Nothing else is proposed meanwhile. */
  | {
      readonly kind: 'sign'
      readonly header: VertexHeader
      readonly headerBytes: Uint8Array
      readonly digest: string
      readonly body: Uint8Array
    }
  /** Accepted vertices of others; durable before our next signature. */
  | { readonly kind: 'store'; readonly vertices: readonly Vertex[] }
  /** `again`: sent before, nothing has moved since. */
  | { readonly kind: 'broadcast'; readonly vertex: Vertex; readonly again: boolean }
  /** This peer has come into our epoch: what we sent before, it dropped. */
  | { readonly kind: 'greet'; readonly peer: string }
  | {
      readonly kind: 'fetchVertices'
      readonly peer: string
      readonly digests: readonly string[]
      readonly aboveRound: number
    }
  | { readonly kind: 'fetchCommits'; readonly peer: string; readonly fromIndex: number }
  /** Install a snapshot from these peers, then build a new replica; or answer with `snapshotFailed`. */
  | { readonly kind: 'stateSync'; readonly peers: readonly string[] }
  /** Ask what this peer saw of our key; answer with `witnessReceived`. */
  | { readonly kind: 'askWitness'; readonly peer: string }
  /** The floor was found by asking: make it durable before anything is signed. */
  | { readonly kind: 'recovered'; readonly round: number }
  /** Execute next, in this order; then answer with `executed`. */
  | {
      readonly kind: 'commit'
      readonly commit: Commit
      readonly commitBytes: Uint8Array
      readonly digest: string
      readonly vertices: readonly Vertex[]
    }
  | { readonly kind: 'certified'; readonly certificate: CertifiedCheckpoint }
  /** Signed by those who order, where that is no quorum: to be kept for those who catch up. */
  | { readonly kind: 'ordered'; readonly certificate: CertifiedCheckpoint }
  | { readonly kind: 'diverged'; readonly sequence: number; readonly ours: string; readonly theirs: string }
  /** Two vertices of one slot, both signed by their author: once for each author. */
  | { readonly kind: 'equivocation'; readonly first: Vertex; readonly second: Vertex }
  /** Somebody else signs with our key. Nothing more is proposed. */
  | { readonly kind: 'doppelganger'; readonly vertex: Vertex }
  /** The checkpoint that ends the epoch is certified: build a new replica for the next one. */
  | { readonly kind: 'epochEnded' }

/** What was on disk: the last commit, the committed vertices above its garbage-collection round, and all vertices kept. */
export type Restored = {
  readonly point: CommitPoint
  readonly gcRound: number
  readonly committed: readonly { readonly digest: string; readonly round: number }[]
  /** The last commits of this epoch, oldest first: slots hang on them. */
  readonly recentCommits: readonly Commit[]
  readonly vertices: readonly Vertex[]
  /** The signer floor: nothing is proposed at or below it. */
  readonly floorRound: number
  /** Events of our own stored vertices that are in no commit, with the round of their vertex. */
  readonly ownEvents: readonly { readonly event: PendingEvent; readonly round: number }[]
  /** Events of our own vertices of earlier epochs that are in no commit: they wait again. */
  readonly waitingEvents: readonly PendingEvent[]
  readonly certifiedSequence: number
  /** Commit of the newest checkpoint that a quorum has signed. */
  readonly certifiedCommitIndex: number
}

export type ReplicaInput = {
  readonly epoch: EpochStart
  /** Own index in the committee; undefined for a node that only follows. */
  readonly self: number | undefined
  readonly parameters: ConsensusParameters
  readonly context: Context
  /** Our floor is lost: ask the others before anything is signed. */
  readonly isRecovering?: boolean
  readonly restored: Restored
}

export type ReplicaView = {
  readonly round: number
  readonly finalRound: number
  readonly commits: number
  readonly pending: number
  readonly syncing: { readonly commitIndex: number; readonly targetCommitIndex: number } | undefined
  /** Members whose vertices this node waits for. */
  readonly waitedFor: readonly number[]
  /** By member: whether it has a slot, its share of the last rounds, and how late its vertices are here. */
  readonly slots: readonly boolean[]
  readonly presence: readonly number[]
  readonly lateMs: readonly number[]
  /** The last commit of the epoch is decided; its checkpoint waits for signatures. */
  readonly epochClosed: boolean
  /** Members that have still to say what they saw of our key; empty when nothing was lost. */
  readonly recoveringFrom: readonly number[]
  readonly memory: {
    readonly vertices: number
    readonly suspended: number
    readonly wanted: number
    readonly pendingEvents: number
  }
  readonly halted: boolean
}
