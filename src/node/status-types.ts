/** The parts of a node's status that say what the quorum survives, who is slow, and what has changed. Plain JSON, like all of `BlyanNode`. */

/** What the quorum can do now: make events final, order them without finality (genesis `degraded`), or nothing. */
export type QuorumMode = 'final' | 'degraded' | 'stopped'

export type MemberStatus = {
  readonly id: string
  readonly name: string
  readonly origin: string
  readonly region: string
  readonly weight: number
  readonly connected: boolean
  readonly lastRound: number
  /** Whether its vertices are proposals of their own now; it votes either way. */
  readonly hasSlot: boolean
  /** Share of the last rounds it was there in time, 0 to 1; null until there were some. */
  readonly presence: number | null
  /** Whether this node waits for its vertices before it leaves a round. */
  readonly waitedFor: boolean
  /** How long after the quorum of a round its own vertex comes here, averaged over the last ones. */
  readonly lateMs: number
  /** Proofs of signing twice that are on the chain. */
  readonly offences: number
}

/** What happens when everything of one origin, or of one region, is gone at once. */
export type OriginRisk = {
  readonly kind: 'origin' | 'region'
  readonly name: string
  readonly validators: readonly string[]
  readonly weight: number
  readonly stopsFinality: boolean
  readonly stopsOrdering: boolean
  /** It holds more than the faults tolerated: whoever controls it can stop the network or lie to it. */
  readonly exceedsFaults: boolean
}

export type SyncPhase = 'vertices' | 'commits' | 'snapshot'

/** How far behind and how fast, while a node catches up. */
export type SyncStatus = {
  readonly phase: SyncPhase
  readonly commit: number
  readonly targetCommit: number
  readonly commitsPerSecond: number
  /** Of the snapshot being fetched; zero in the other phases. */
  readonly bytesDone: number
  readonly bytesTotal: number
  readonly bytesPerSecond: number
  /** Time left at this rate; null while nothing moves. */
  readonly etaMs: number | null
}

export type TransitionKind =
  | 'state'
  | 'quorum-final'
  | 'quorum-degraded'
  | 'quorum-stopped'
  | 'member-connected'
  | 'member-lost'
  | 'slots-lost'
  | 'slots-regained'
  | 'offence'
  | 'diverged'
  | 'recovering'
  | 'recovered'
  | 'epoch-begun'
  | 'catch-up-begun'
  | 'catch-up-ended'
  | 'state-sync-begun'
  | 'state-sync-ended'

export type TransitionLine = { readonly at: string; readonly kind: TransitionKind; readonly text: string }

export type DivergenceStatus = {
  readonly sequence: number
  readonly ours: string
  readonly theirs: string
  /** Path of the diagnostic bundle, once it is written. */
  readonly bundle: string | null
}

/** A validator that does not know what its key signed last, and asks the others before it signs again. */
export type RecoveryStatus = { readonly waitsFor: readonly string[] }
