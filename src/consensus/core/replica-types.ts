import type { Commit, CommitPoint } from './commit.ts'
import type { Committee } from './committee.ts'
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
  | { readonly kind: 'broadcast'; readonly vertex: Vertex }
  | {
      readonly kind: 'fetchVertices'
      readonly peer: string
      readonly digests: readonly string[]
      readonly aboveRound: number
    }
  | { readonly kind: 'fetchCommits'; readonly peer: string; readonly fromIndex: number }
  /** Execute next, in this order; then answer with `executed`. */
  | {
      readonly kind: 'commit'
      readonly commit: Commit
      readonly commitBytes: Uint8Array
      readonly digest: string
      readonly vertices: readonly Vertex[]
    }
  | { readonly kind: 'certified'; readonly certificate: CertifiedCheckpoint }
  | { readonly kind: 'diverged'; readonly sequence: number; readonly ours: string; readonly theirs: string }

/** What was on disk: the last commit, the committed vertices above its garbage-collection round, and all vertices kept. */
export type Restored = {
  readonly point: CommitPoint
  readonly gcRound: number
  readonly committed: readonly string[]
  readonly vertices: readonly Vertex[]
  /** The signer floor: nothing is proposed at or below it. */
  readonly floorRound: number
  /** Events of our own stored vertices that are in no commit, with the round of their vertex. */
  readonly ownEvents: readonly { readonly event: PendingEvent; readonly round: number }[]
  readonly certifiedSequence: number
}

export type ReplicaInput = {
  readonly committee: Committee
  /** Own index in the committee; undefined for a node that only follows. */
  readonly self: number | undefined
  readonly parameters: ConsensusParameters
  readonly context: Context
  readonly genesisDigest: Uint8Array
  readonly genesisTimeMs: number
  readonly restored?: Restored
}

export type ReplicaView = {
  readonly round: number
  readonly finalRound: number
  readonly commits: number
  readonly pending: number
  readonly syncing: { readonly commitIndex: number; readonly targetCommitIndex: number } | undefined
  readonly liveMembers: readonly number[]
  readonly memory: { readonly vertices: number; readonly suspended: number; readonly wanted: number }
  readonly halted: boolean
}
