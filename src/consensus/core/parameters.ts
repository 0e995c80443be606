/** What all nodes of a network agree on (in genesis) and what one node may bound for itself. */
export type ConsensusParameters = {
  /** Vertices this many rounds below the last commit are forgotten. */
  readonly gcDepthRounds: number
  readonly minimumRoundDelayMs: number
  /** Pace while only a checkpoint is waiting for signatures. */
  readonly gentleRoundDelayMs: number
  /** A round is left without the vertices of live members after this long. */
  readonly roundTimeoutMs: number
  /** With nothing to order, one round this often. */
  readonly heartbeatMs: number
  /** A member is live while its newest vertex is at most this many rounds old. */
  readonly liveRounds: number
  readonly eventsPerVertexMax: number
  readonly bodyBytesMax: number
  /** Vertices further above our round are dropped, not kept. */
  readonly roundsAheadMax: number
  readonly suspendedVerticesMax: number
  readonly suspendedBytesMax: number
  readonly verticesPerSlotMax: number
  readonly refsPerFetchMax: number
  readonly fetchTimeoutMs: number
  readonly requestsPerPeerMax: number
  readonly commitsPerSyncMax: number
  /** Behind by more rounds than this: catch up by certified commits. */
  readonly syncLagRounds: number
  readonly mempoolEventsMax: number
  readonly mempoolBytesMax: number
  /** Commits decided and not executed: beyond this nothing is proposed. */
  readonly unexecutedCommitsMax: number
  /** An epoch ends this many commits after execution declares it; nothing is decided further ahead of execution. */
  readonly epochNoticeCommits: number
  /** An epoch lasts at least this long, by commit time. */
  readonly epochMs: number
  /** Further behind than this, a node asks for a snapshot rather than for commits. */
  readonly stateSyncCommits: number
  /** How long the claims of others may wait to be shown, when a key asks what it has signed. */
  readonly recoveryConfirmMs: number
  /** A member that is later than this after the quorum of a round is not waited for, until it is twice as quick. */
  readonly lateMsMax: number
  /** Slots are given and taken by the last commits, this many. */
  readonly presenceCommits: number
  readonly checkpointCommitsMax: number
  readonly checkpointIntervalMs: number
}

export const defaultParameters: ConsensusParameters = Object.freeze({
  gcDepthRounds: 60,
  minimumRoundDelayMs: 4,
  gentleRoundDelayMs: 50,
  roundTimeoutMs: 250,
  heartbeatMs: 10_000,
  liveRounds: 4,
  eventsPerVertexMax: 1024,
  bodyBytesMax: 1024 * 1024,
  roundsAheadMax: 500,
  suspendedVerticesMax: 1024,
  suspendedBytesMax: 256 * 1024 * 1024,
  verticesPerSlotMax: 4,
  refsPerFetchMax: 64,
  fetchTimeoutMs: 2000,
  requestsPerPeerMax: 4,
  commitsPerSyncMax: 512,
  syncLagRounds: 30,
  mempoolEventsMax: 20_000,
  mempoolBytesMax: 64 * 1024 * 1024,
  unexecutedCommitsMax: 64,
  epochNoticeCommits: 64,
  epochMs: 10_000,
  stateSyncCommits: 5000,
  recoveryConfirmMs: 10_000,
  lateMsMax: 100,
  presenceCommits: 32,
  checkpointCommitsMax: 64,
  checkpointIntervalMs: 500
})

/** The only way the core learns of time. The real one reads clocks, the simulated one a counter. */
export interface Context {
  /** Never goes back; for waiting. */
  monotonicMs(): number
  /** Wall clock, may jump; only ever written into our own vertices. */
  wallMs(): number
}
