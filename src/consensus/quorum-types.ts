import type { Network } from '../net/index.ts'
import type { Database } from '../storage/index.ts'
import type { Committee } from './core/committee.ts'
import type { PendingEvent } from './core/mempool.ts'
import type { ConsensusParameters } from './core/parameters.ts'
import type { ReplicaView } from './core/replica-types.ts'
import type { Vertex } from './core/vertex.ts'
import type { ExecutionPort } from './execution-port.ts'
import type { Signer } from './signer.ts'
import type { VertexStore } from './vertex-store.ts'
import type { SlotWitnesses } from './witnesses.ts'

export type QuorumLogger = {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}

/** Who this node is in an epoch, and the key it signs with there. */
export type Self = { readonly index: number; readonly signer: Signer }

/** Snapshots that this node offers, and how it gets one. */
export interface SnapshotPort {
  /** Commit of the newest snapshot offered; 0 for none. */
  readonly snapshotCommitIndex: number
  /** The first commit that is still here. */
  readonly oldestCommitIndex: number
  /** Fetches a snapshot from these peers and installs it under the stores. False when there was none to be had. */
  sync(peers: readonly string[]): Promise<boolean>
}

export type QuorumNeeds = {
  readonly genesisDigest: Uint8Array
  readonly genesisTimeMs: number
  readonly parameters: ConsensusParameters
  /** Undefined where this node follows and does not vote. */
  readonly selfOf: (committee: Committee) => Self | undefined
  readonly network: Network
  readonly database: Database
  readonly execution: ExecutionPort
  readonly snapshots: SnapshotPort
  readonly logger: QuorumLogger
  /** A validator signed two vertices for one slot. */
  readonly onEquivocation: (first: Vertex, second: Vertex) => void
  /** A member signed a vertex that no rule allows: it was refused, and proves itself. */
  readonly onInvalidVertex?: (vertex: Vertex, reason: string) => void
  /** The disk failed, memory ran ahead of it, or our key is used elsewhere: the node has to stop. */
  readonly onFatal: (error: unknown) => void
}

export type QuorumView = ReplicaView & {
  readonly epoch: number
  /** Own place among the members of this epoch. */
  readonly self: number | undefined
  readonly connectedValidators: number
  readonly members: readonly { readonly connected: boolean; readonly lastRound: number }[]
  readonly divergence: string | undefined
  /** The same, for programs. */
  readonly diverged: { readonly sequence: number; readonly ours: string; readonly theirs: string } | undefined
}

/** One node's place in the quorum, with disk, network and clocks. */
export interface Quorum {
  /** Registers its protocols; the network must not be started yet. */
  start(): Promise<void>
  stop(): Promise<void>
  view(): QuorumView
  /** Own place among the members of the present epoch. */
  readonly self: number | undefined
  /** Offers checked events. False when this node cannot take them. */
  submit(events: readonly PendingEvent[]): boolean
  hasPending(id: string): boolean
  /** Events that a restart found in our own uncommitted vertices. */
  restoredEvents(): readonly PendingEvent[]
  /** Who PREPAREd and who COMMITted a vertex, from what is on disk. */
  witnesses(vertexDigest: string): Promise<SlotWitnesses>
  readonly store: VertexStore
}
