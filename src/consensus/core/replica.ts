import { bytesToHex } from '../../codec/index.ts'
import {
  type Commit,
  type CommitPoint,
  commitDigest,
  commitOf,
  commitTimestampMs,
  encodeCommit,
  linearise
} from './commit.ts'
import { type Committee, faultsTolerated, WeightCounter } from './committee.ts'
import { Decider } from './decide.ts'
import { Fetcher } from './fetcher.ts'
import { Graph } from './graph.ts'
import { Mempool, type PendingEvent } from './mempool.ts'
import { Pacemaker, type Urgency } from './pacemaker.ts'
import type { ConsensusParameters, Context } from './parameters.ts'
import { makeProposal } from './proposal.ts'
import type { Effect, ReplicaInput, ReplicaView, Restored } from './replica-types.ts'
import { type CertifiedCommits, CommitSync, type PeerProgress } from './sync.ts'
import { type CheckpointVote, genesisVertices, refOf, type Vertex, votesPerVertexMax } from './vertex.ts'
import { VoteBook, type VoteOutcome } from './votes.ts'

/** The point before the first commit. */
export function genesisPoint(genesisDigest: Uint8Array, genesisTimeMs: number): CommitPoint {
  return { index: 0, round: 0, digest: bytesToHex(genesisDigest), timestampMs: genesisTimeMs }
}

const rebroadcastMs = 1000
const idleTickMs = 250

/**
 * One node's whole part in the quorum, with no clock, disk or network of its own: inputs come in as calls, what is to be
 * done goes out through `takeEffects`. The same class runs in the daemon and in the simulator.
 */
export class Replica {
  readonly #committee: Committee
  readonly #self: number | undefined
  readonly #parameters: ConsensusParameters
  readonly #context: Context
  readonly #graph: Graph
  readonly #decider: Decider
  readonly #pacemaker: Pacemaker
  readonly #mempool: Mempool
  readonly #fetcher: Fetcher
  readonly #sync: CommitSync
  readonly #votes: VoteBook
  readonly #peers = new Map<string, { validator: number | undefined; progress: PeerProgress }>()
  readonly #committed = new Map<string, number>()
  /** Vertices fetched for certified commits, until these are applied. */
  readonly #fetchedForSync = new Map<string, Vertex>()
  /** While far behind: the newest vertex of each author, to find the frontier by once the certified commits are applied. */
  readonly #ahead = new Map<number, Vertex>()
  readonly #votesToSend: CheckpointVote[] = []
  #effects: Effect[] = []
  #point: CommitPoint
  #decidedRound: number
  #executedIndex: number
  #payloadVertices = 0
  #eventsSinceCheckpoint = 0
  #lastOwn: Vertex | undefined
  #lastOwnRound: number
  #lastOwnAtMs = Number.NEGATIVE_INFINITY
  #rebroadcastAtMs = Number.NEGATIVE_INFINITY
  #isSigning = false
  #isHalted = false

  constructor(input: ReplicaInput) {
    const { committee, parameters, restored } = input
    this.#committee = committee
    this.#self = input.self
    this.#parameters = parameters
    this.#context = input.context
    this.#graph = new Graph(committee, parameters, genesisVertices(committee, input.genesisDigest, input.genesisTimeMs))
    this.#decider = new Decider(committee, this.#graph)
    this.#pacemaker = new Pacemaker(committee, parameters, this.#graph)
    this.#mempool = new Mempool(parameters)
    this.#fetcher = new Fetcher(parameters)
    this.#sync = new CommitSync(parameters)
    this.#votes = new VoteBook(committee, restored?.certifiedSequence ?? 0)
    this.#point = restored?.point ?? genesisPoint(input.genesisDigest, input.genesisTimeMs)
    this.#decidedRound = this.#point.round
    this.#executedIndex = this.#point.index
    this.#lastOwnRound = restored?.floorRound ?? 0
    if (restored !== undefined) this.#restore(restored)
  }

  get point(): CommitPoint {
    return this.#point
  }

  get gcRound(): number {
    return this.#graph.gcRound
  }

  takeEffects(): Effect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  view(): ReplicaView {
    const target = Math.max(0, ...[...this.#peers.values()].map(peer => peer.progress.certifiedCommitIndex))
    return {
      round: Math.max(this.#graph.quorumRound, this.#lastOwnRound),
      finalRound: this.#point.round,
      commits: this.#point.index,
      pending: this.#mempool.size,
      syncing: this.#isFarBehind() ? { commitIndex: this.#point.index, targetCommitIndex: target } : undefined,
      liveMembers: this.#pacemaker.liveMembers(this.#self ?? -1, author => this.#isConnected(author)),
      memory: { vertices: this.#graph.size, suspended: this.#graph.suspendedCount, wanted: this.#fetcher.size },
      halted: this.#isHalted
    }
  }

  highestRoundOf(author: number): number {
    return this.#graph.highestRoundOf(author)
  }

  progress(certifiedCommitIndex: number): PeerProgress {
    return { round: this.#graph.quorumRound, commitIndex: this.#point.index, certifiedCommitIndex }
  }

  /** The newest vertex of every author: what a peer that has just connected needs to find the frontier. */
  tips(): Vertex[] {
    return this.#graph.tips()
  }

  vertex(digest: string): Vertex | undefined {
    return this.#graph.get(digest)
  }

  ancestors(digests: readonly string[], aboveRound: number, countMax: number): Vertex[] {
    return this.#graph.ancestors(digests, aboveRound, countMax)
  }

  /** Offers an event of ours (checked before). False when the pool is full or the node may not propose. */
  submit(events: readonly PendingEvent[]): boolean {
    if (this.#self === undefined || this.#isHalted) return false
    for (const event of events) if (!this.#mempool.add(event)) return false
    this.#advance()
    return true
  }

  pendingEvents(): PendingEvent[] {
    return this.#mempool.list()
  }

  hasPending(id: string): boolean {
    return this.#mempool.has(id)
  }

  /** Vertices that came from a peer; static rules and signatures were checked before. */
  receive(from: string | undefined, vertices: readonly Vertex[]): void {
    for (const vertex of vertices) this.#receiveOne(from, vertex)
    this.#advance()
  }

  peerConnected(peer: string, validator: number | undefined): void {
    this.#peers.set(peer, { validator, progress: { round: 0, commitIndex: 0, certifiedCommitIndex: 0 } })
    this.#advance()
  }

  peerDisconnected(peer: string): void {
    this.#peers.delete(peer)
    this.#fetcher.peerGone(peer)
    this.#advance()
  }

  peerProgress(peer: string, progress: PeerProgress): void {
    const entry = this.#peers.get(peer)
    if (entry !== undefined) entry.progress = progress
    this.#advance()
  }

  /** A fetch of vertices ended; what it brought came through `receive`. */
  fetchEnded(peer: string, digests: readonly string[]): void {
    this.#fetcher.finished(peer, digests)
    this.#advance()
  }

  commitsReceived(answer: CertifiedCommits | undefined): string | undefined {
    const fault = answer === undefined ? 'no answer' : this.#sync.receive(this.#point, answer)
    if (fault !== undefined) this.#sync.failed()
    this.#advance()
    return fault
  }

  /** The shell has signed and stored our vertex; `undefined` when it may not be signed. */
  signed(vertex: Vertex | undefined): void {
    this.#isSigning = false
    if (vertex === undefined) {
      this.#mempool.requeue(round => round === this.#lastOwnRound)
    } else {
      this.#lastOwn = vertex
      this.#rebroadcastAtMs = this.#context.monotonicMs()
      this.#effects.push({ kind: 'broadcast', vertex })
      this.#noteAccepted(this.#graph.add(vertex).accepted)
    }
    this.#advance()
  }

  /**
   * A commit is executed and stored. `ordered` are the ids that need no second place in the order, `early` those that do.
   * `checkpoint` is what was computed after it, with our own vote if we may sign.
   */
  executed(
    commitIndex: number,
    outcome: {
      ordered: readonly string[]
      early?: readonly string[]
      eventsSinceCheckpoint: number
      checkpoint?: { sequence: number; digest: string; vote?: CheckpointVote }
    }
  ): void {
    this.#executedIndex = commitIndex
    this.#mempool.remove(outcome.ordered)
    this.#mempool.early(outcome.early ?? [])
    this.#eventsSinceCheckpoint = outcome.eventsSinceCheckpoint
    if (outcome.checkpoint !== undefined) {
      const { sequence, digest, vote } = outcome.checkpoint
      this.#noteVote(this.#votes.addOwn(sequence, digest))
      if (vote !== undefined) {
        this.#votesToSend.push(vote)
        this.#noteVote(this.#votes.add(this.#self!, vote))
      }
    }
    this.#advance()
  }

  /** How soon `tick` should be called again. */
  get tickWithinMs(): number {
    return this.#urgency() !== 'idle' || this.#fetcher.size > 0 || this.#sync.isActive
      ? this.#parameters.minimumRoundDelayMs
      : idleTickMs
  }

  tick(): void {
    const nowMs = this.#context.monotonicMs()
    const isStuck = this.#urgency() !== 'idle' && nowMs - this.#rebroadcastAtMs >= rebroadcastMs
    if (isStuck && this.#lastOwn !== undefined) {
      this.#rebroadcastAtMs = nowMs
      this.#effects.push({ kind: 'broadcast', vertex: this.#lastOwn })
    }
    this.#advance()
  }

  #restore(restored: Restored): void {
    this.#graph.collectGarbage(restored.gcRound)
    const committed = new Set(restored.committed)
    const vertices = [...restored.vertices].sort((a, b) => a.header.round - b.header.round)
    for (const vertex of vertices) {
      for (const vote of vertex.header.votes) this.#noteVote(this.#votes.add(vertex.header.author, vote))
      if (committed.has(vertex.digest)) {
        this.#committed.set(vertex.digest, vertex.header.round)
        this.#graph.addCommitted(vertex)
      } else {
        const { accepted, missing } = this.#graph.add(vertex)
        for (const ref of missing) this.#fetcher.want(ref, undefined)
        for (const one of accepted) if (one.header.eventCount > 0) this.#payloadVertices++
      }
      if (vertex.header.author === this.#self && vertex.header.round >= (this.#lastOwn?.header.round ?? 0))
        this.#lastOwn = vertex
    }
    this.#lastOwnRound = Math.max(this.#lastOwnRound, this.#lastOwn?.header.round ?? 0)
    for (const { event, round } of restored.ownEvents) this.#mempool.restore(event, round)
    this.#pacemaker.noteProgress(this.#context.monotonicMs())
  }

  #receiveOne(from: string | undefined, vertex: Vertex): void {
    this.#fetcher.forget(refOf(vertex))
    if (this.#sync.wants(vertex.digest)) this.#fetchedForSync.set(vertex.digest, vertex)
    for (const vote of vertex.header.votes) this.#noteVote(this.#votes.add(vertex.header.author, vote))
    if (
      !this.#graph.isMissing(refOf(vertex)) &&
      vertex.header.round > this.#graph.quorumRound + this.#parameters.syncLagRounds &&
      this.#isFarBehind()
    ) {
      this.#ahead.set(vertex.header.author, vertex)
      return
    }
    const { accepted, missing } = this.#graph.add(vertex)
    for (const ref of missing) this.#fetcher.want(ref, from)
    this.#noteAccepted(accepted)
  }

  #noteAccepted(accepted: readonly Vertex[]): void {
    if (accepted.length === 0) return
    for (const vertex of accepted) {
      this.#fetcher.forget(refOf(vertex))
      if (vertex.header.eventCount > 0 && !this.#committed.has(vertex.digest)) this.#payloadVertices++
    }
    const others = accepted.filter(vertex => vertex.header.author !== this.#self)
    if (others.length > 0) this.#effects.push({ kind: 'store', vertices: others })
    this.#pacemaker.noteProgress(this.#context.monotonicMs())
  }

  #noteVote(outcome: VoteOutcome): void {
    if (outcome.kind === 'certified') this.#effects.push({ kind: 'certified', certificate: outcome.certificate })
    if (outcome.kind === 'diverged' && !this.#isHalted) {
      this.#isHalted = true
      this.#effects.push({ ...outcome, kind: 'diverged' })
    }
  }

  /** Everything that may follow from a change: commits, catching up, fetching, proposing. */
  #advance(): void {
    const nowMs = this.#context.monotonicMs()
    this.#decide()
    this.#catchUp(nowMs)
    for (const plan of this.#fetcher.plan(nowMs, [...this.#peers.keys()])) {
      this.#effects.push({
        kind: 'fetchVertices',
        peer: plan.peer,
        digests: plan.digests,
        aboveRound: Math.max(this.#graph.gcRound, this.#point.round - this.#parameters.gcDepthRounds)
      })
    }
    this.#propose(nowMs)
  }

  #decide(): void {
    if (this.#sync.isActive || this.#isHalted) return
    let decided = this.#decider.decidedAfter(this.#decidedRound)
    while (decided.length > 0) {
      const { round, finals } = decided[0]!
      this.#decidedRound = round
      if (finals.length > 0) {
        const ordered = linearise(this.#graph, finals, digest => this.#committed.has(digest))
        const timestampMs = commitTimestampMs(this.#graph, this.#committee, finals, this.#point.timestampMs)
        const commit = commitOf(this.#point, round, timestampMs, ordered)
        const commitBytes = encodeCommit(commit)
        this.#applyCommit(commit, commitBytes, commitDigest(commitBytes), ordered)
      }
      // A commit moves the garbage-collection round, which can set suspended vertices free: ask anew.
      decided =
        decided.length > 1 && finals.length === 0 ? decided.slice(1) : this.#decider.decidedAfter(this.#decidedRound)
    }
  }

  #applyCommit(commit: Commit, commitBytes: Uint8Array, digest: string, vertices: readonly Vertex[]): void {
    for (const vertex of vertices) {
      this.#committed.set(vertex.digest, vertex.header.round)
      if (vertex.header.eventCount > 0 && this.#graph.has(vertex.digest)) this.#payloadVertices--
    }
    this.#point = { index: commit.index, round: commit.round, digest, timestampMs: commit.timestampMs }
    this.#effects.push({ kind: 'commit', commit, commitBytes, digest, vertices })
    this.#collectGarbage(commit.round - this.#parameters.gcDepthRounds)
  }

  #collectGarbage(gcRound: number): void {
    if (gcRound <= this.#graph.gcRound) return
    for (let round = this.#graph.gcRound + 1; round <= gcRound; round++) {
      for (const ref of this.#graph.refs(round)) {
        if (!this.#committed.has(ref.digest) && this.#graph.get(ref.digest)!.header.eventCount > 0)
          this.#payloadVertices--
      }
    }
    const freed = this.#graph.collectGarbage(gcRound)
    for (const [committed, round] of this.#committed) if (round <= gcRound) this.#committed.delete(committed)
    this.#decider.forget(this.#decidedRound)
    this.#fetcher.keepOnly(ref => ref.round > gcRound && (this.#graph.isMissing(ref) || this.#sync.wants(ref.digest)))
    this.#mempool.requeue(round => round <= gcRound)
    this.#noteAccepted(freed)
  }

  #catchUp(nowMs: number): void {
    const peer = this.#sync.peerToAsk(nowMs, this.#point, this.#graph.quorumRound, this.#peers)
    if (peer !== undefined) this.#effects.push({ kind: 'fetchCommits', peer, fromIndex: this.#point.index + 1 })
    if (!this.#sync.isActive) return
    const get = (digest: string): Vertex | undefined => this.#fetchedForSync.get(digest) ?? this.#graph.get(digest)
    for (let ready = this.#sync.takeReady(get); ready !== undefined; ready = this.#sync.takeReady(get)) {
      const fetched = ready.vertices.filter(vertex => !this.#graph.has(vertex.digest))
      if (fetched.length > 0) this.#effects.push({ kind: 'store', vertices: fetched })
      for (const vertex of ready.vertices) this.#fetchedForSync.delete(vertex.digest)
      if (ready.reached !== undefined) this.#votes.skipTo(ready.reached.sequence, ready.reached.digest)
      this.#applyCertified(ready.commit, ready.digest, ready.vertices)
    }
    if (!this.#isFarBehind()) {
      const ahead = [...this.#ahead.values()]
      this.#ahead.clear()
      for (const vertex of ahead) this.#receiveOne(undefined, vertex)
    }
    for (const ref of this.#sync.missing(digest => get(digest) !== undefined)) this.#fetcher.want(ref, undefined)
  }

  #applyCertified(commit: Commit, digest: string, vertices: readonly Vertex[]): void {
    for (const vertex of vertices) {
      const added = this.#graph.addCommitted(vertex)
      for (const one of added) if (one.header.eventCount > 0) this.#payloadVertices++
    }
    this.#decidedRound = Math.max(this.#decidedRound, commit.round)
    this.#applyCommit(commit, encodeCommit(commit), digest, vertices)
    this.#pacemaker.noteProgress(this.#context.monotonicMs())
  }

  /** At work on certified commits, or more validators than may lie say that they are far ahead. */
  #isFarBehind(): boolean {
    if (this.#sync.isActive) return true
    const ahead = new WeightCounter(this.#committee)
    for (const { validator, progress } of this.#peers.values()) {
      if (validator !== undefined && this.#sync.isFarBehind(this.#point, this.#graph.quorumRound, progress))
        ahead.add(validator)
    }
    return ahead.weight > faultsTolerated(this.#committee)
  }

  #isConnected(author: number): boolean {
    for (const peer of this.#peers.values()) if (peer.validator === author) return true
    return false
  }

  #urgency(): Urgency {
    if (this.#mempool.waitingCount > 0 || this.#payloadVertices > 0) return 'events'
    const isCheckpointOpen =
      this.#eventsSinceCheckpoint > 0 ||
      this.#votes.ownSequence > this.#votes.certifiedSequence ||
      this.#votesToSend.length > 0
    return isCheckpointOpen ? 'checkpoint' : 'idle'
  }

  #propose(nowMs: number): void {
    if (this.#self === undefined || this.#isSigning || this.#isHalted || this.#isFarBehind()) return
    if (this.#point.index - this.#executedIndex > this.#parameters.unexecutedCommitsMax) return
    const round = this.#pacemaker.roundToPropose({
      nowMs,
      urgency: this.#urgency(),
      self: this.#self,
      lastOwnRound: this.#lastOwnRound,
      lastOwnAtMs: this.#lastOwnAtMs,
      isConnected: author => this.#isConnected(author)
    })
    if (round === undefined) return
    const proposal = makeProposal({
      committee: this.#committee,
      graph: this.#graph,
      self: this.#self,
      lastOwn: this.#lastOwn,
      round,
      timestampMs: this.#context.wallMs(),
      events: this.#mempool.take(round),
      votes: this.#votesToSend.splice(0, votesPerVertexMax)
    })
    this.#isSigning = true
    this.#lastOwnRound = round
    this.#lastOwnAtMs = nowMs
    this.#effects.push({ kind: 'sign', ...proposal })
  }
}
