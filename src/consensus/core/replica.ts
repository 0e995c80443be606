import { bytesToHex } from '../../codec/index.ts'
import type { CommitPoint } from './commit.ts'
import type { Committee } from './committee.ts'
import { Fetcher } from './fetcher.ts'
import type { Graph } from './graph.ts'
import { Mempool, type PendingEvent } from './mempool.ts'
import { type OrderedCommit, Ordering } from './ordering.ts'
import { Pacemaker, type Urgency } from './pacemaker.ts'
import type { ConsensusParameters, Context } from './parameters.ts'
import { type PeerProgress, PeerTable } from './peer-table.ts'
import { makeProposal } from './proposal.ts'
import { Recovery, type Witness } from './recovery.ts'
import type { Effect, ReplicaInput, ReplicaView, Restored } from './replica-types.ts'
import { type CertifiedCommits, CommitSync } from './sync.ts'
import { type CheckpointVote, refOf, type Vertex } from './vertex.ts'
import { VoteBook, type VoteOutcome } from './votes.ts'
import { VotesToSend } from './votes-to-send.ts'

/** The point before the first commit. */
export function genesisPoint(genesisDigest: Uint8Array, genesisTimeMs: number): CommitPoint {
  return { index: 0, round: 0, digest: bytesToHex(genesisDigest), timestampMs: genesisTimeMs }
}

const rebroadcastMs = 1000
const idleTickMs = 250
/** While nothing more may be decided, this many rounds carry what is left to say; then it is quiet. */
const heldRoundsMax = 8

/**
 * One node's whole part in one epoch of the quorum, with no clock, disk or network of its own: inputs come in as calls,
 * what is to be done goes out through `takeEffects`. The same class runs in the daemon and in the simulator.
 */
export class Replica {
  readonly #committee: Committee
  readonly #self: number | undefined
  readonly #parameters: ConsensusParameters
  readonly #context: Context
  readonly #ordering: Ordering
  readonly #pacemaker: Pacemaker
  readonly #mempool: Mempool
  readonly #fetcher: Fetcher
  readonly #sync: CommitSync
  readonly #votes: VoteBook
  readonly #peers: PeerTable
  readonly #equivocators = new Set<number>()
  /** While far behind: the newest vertex of each author, to find the frontier by once the certified commits are applied. */
  readonly #ahead = new Map<number, Vertex>()
  readonly #votesToSend = new VotesToSend()
  #effects: Effect[] = []
  #executedIndex: number
  #eventsSinceCheckpoint = 0
  #lastOwn: Vertex | undefined
  #lastOwnRound: number
  #lastOwnAtMs = Number.NEGATIVE_INFINITY
  #rebroadcastAtMs = Number.NEGATIVE_INFINITY
  #recovery: Recovery | undefined
  /** Commits of our checkpoints that no quorum has signed yet, by sequence. */
  readonly #uncertified = new Map<number, number>()
  #certifiedIndex: number
  /** The epoch ends with this commit; undefined until execution declares it. */
  #epochClosesAt: number | undefined
  #isSigning = false
  #isHalted = false
  #hasEnded = false

  constructor(input: ReplicaInput) {
    const { parameters, restored } = input
    const { committee } = input.epoch
    this.#committee = committee
    this.#self = input.self
    this.#parameters = parameters
    this.#context = input.context
    this.#ordering = new Ordering(input.epoch, parameters, restored.point)
    this.#pacemaker = new Pacemaker(committee, parameters, this.#graph)
    this.#mempool = new Mempool(parameters)
    this.#fetcher = new Fetcher(parameters)
    this.#sync = new CommitSync(parameters, committee.epoch)
    this.#peers = new PeerTable(committee)
    this.#votes = new VoteBook(committee, restored.certifiedSequence)
    this.#executedIndex = this.point.index
    this.#certifiedIndex = restored.certifiedCommitIndex
    this.#lastOwnRound = restored.floorRound
    if (input.isRecovering === true && input.self !== undefined)
      this.#recovery = new Recovery(committee, input.self, parameters.recoveryConfirmMs)
    this.#restore(restored)
  }

  get point(): CommitPoint {
    return this.#ordering.point
  }

  get #graph(): Graph {
    return this.#ordering.graph
  }

  /** Our newest vertex that is stored. */
  get lastOwn(): { readonly epoch: number; readonly round: number; readonly digest: string } | undefined {
    const { header, digest } = this.#lastOwn ?? {}
    return header === undefined ? undefined : { epoch: header.epoch, round: header.round, digest: digest! }
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
    const syncing = { commitIndex: this.point.index, targetCommitIndex: this.#peers.targetCommitIndex(this.point) }
    return {
      round: Math.max(this.#graph.quorumRound, this.#lastOwnRound),
      finalRound: this.point.round,
      commits: this.point.index,
      pending: this.#mempool.size,
      syncing: this.#isFarBehind() ? syncing : undefined,
      waitedFor: this.#pacemaker.waitedFor(this.#attention),
      slots: this.#ordering.slots.slots,
      presence: this.#ordering.slots.presence,
      lateMs: this.#pacemaker.lateMs,
      epochClosed: this.#isClosed,
      recoveringFrom: this.#recovery?.waitingFor ?? [],
      memory: {
        vertices: this.#graph.size,
        suspended: this.#graph.suspendedCount,
        wanted: this.#fetcher.size,
        pendingEvents: this.#mempool.size
      },
      halted: this.#isHalted
    }
  }

  highestRoundOf(author: number): number {
    return this.#graph.highestRoundOf(author)
  }

  /** What we tell peers of ourselves, but for what the stores know. */
  progress(): Pick<PeerProgress, 'epoch' | 'round' | 'commitIndex'> {
    return { epoch: this.#committee.epoch, round: this.#graph.quorumRound, commitIndex: this.point.index }
  }

  /** The newest vertex of every author: what a peer that has just connected needs to find the frontier. */
  tips(): Vertex[] {
    return this.#graph.tips()
  }

  vertex(digest: string): Vertex | undefined {
    return this.#graph.get(digest)
  }

  /** Whether a vertex need not be brought again: accepted, or kept until it can be. */
  holds(digest: string): boolean {
    return this.#graph.holds(digest) || [...this.#ahead.values()].some(vertex => vertex.digest === digest)
  }

  /** The accepted vertices of a slot; more than one when its author lies. */
  slot(round: number, author: number): readonly Vertex[] {
    return this.#graph.slot(round, author).map(node => node.vertex)
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
    this.#peers.connected(peer, validator)
    this.#advance()
  }

  peerDisconnected(peer: string): void {
    this.#peers.disconnected(peer)
    this.#fetcher.peerGone(peer)
    this.#advance()
  }

  peerProgress(peer: string, progress: PeerProgress): void {
    const { epoch } = this.#committee
    const isNewHere = (this.#peers.entries.get(peer)?.progress.epoch ?? epoch) < epoch && progress.epoch === epoch
    this.#peers.progress(peer, progress)
    if (isNewHere) this.#effects.push({ kind: 'greet', peer })
    this.#advance()
  }

  /** A fetch of vertices ended; what it brought came through `receive`. */
  fetchEnded(peer: string, digests: readonly string[]): void {
    this.#fetcher.finished(peer, digests)
    this.#advance()
  }

  commitsReceived(answer: CertifiedCommits | undefined): string | undefined {
    const { certificate } = answer ?? {}
    let fault: string | undefined
    if (this.#isClosed && certificate?.commitIndex === this.point.index) {
      const isTheEnd = certificate.commitDigest === this.point.digest && certificate.isOrderOnly !== true
      if (isTheEnd) this.#votes.skipTo(certificate.sequence, certificate.digest)
      else fault = 'another end of the epoch'
    } else if (certificate !== undefined && certificate.commitIndex <= this.point.index) {
      if (certificate.isOrderOnly !== true) this.#noteVote(this.#votes.confirm(certificate))
    } else fault = answer === undefined ? 'no answer' : this.#sync.receive(this.point, answer)
    if (fault !== undefined) this.#sync.failed()
    this.#advance()
    return fault
  }

  /** No snapshot could be installed; had it been, this replica would be gone. */
  snapshotFailed(): void {
    this.#sync.snapshotFailed(this.#context.monotonicMs())
    this.#advance()
  }

  /** A peer's answer on what our key has signed. */
  witnessReceived(peer: string, witness: Witness): void {
    const validator = this.#peers.validatorOf(peer)
    if (validator !== undefined) this.#recovery?.answer(validator, witness, this.#context.monotonicMs())
    this.#advance()
  }

  /** The shell has signed and stored our vertex; `undefined` when it may not be signed. */
  signed(vertex: Vertex | undefined): void {
    this.#isSigning = false
    if (vertex === undefined) {
      this.#mempool.requeue(round => round === this.#lastOwnRound)
    } else {
      this.#lastOwn = vertex
      this.#rebroadcastAtMs = this.#context.monotonicMs()
      this.#effects.push({ kind: 'broadcast', vertex, again: false })
      this.#noteAccepted(this.#ordering.add(vertex).accepted)
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
      epochClosesAt?: number | undefined
    }
  ): void {
    this.#executedIndex = commitIndex
    this.#epochClosesAt = outcome.epochClosesAt
    this.#mempool.remove(outcome.ordered)
    this.#mempool.early(outcome.early ?? [])
    this.#eventsSinceCheckpoint = outcome.eventsSinceCheckpoint
    if (outcome.checkpoint !== undefined) {
      const { sequence, digest, vote } = outcome.checkpoint
      this.#uncertified.set(sequence, commitIndex)
      this.#noteVote(this.#votes.addOwn(sequence, digest))
      if (vote !== undefined) {
        this.#votesToSend.add(vote)
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
      this.#effects.push({ kind: 'broadcast', vertex: this.#lastOwn, again: true })
    }
    this.#advance()
  }

  #restore(restored: Restored): void {
    this.#ordering.restore(restored.gcRound, restored.committed, restored.recentCommits)
    const vertices = [...restored.vertices].sort((a, b) => a.header.round - b.header.round)
    for (const vertex of vertices) {
      for (const vote of vertex.header.votes) this.#noteVote(this.#votes.add(vertex.header.author, vote))
      for (const ref of this.#ordering.add(vertex).missing) this.#fetcher.want(ref, undefined)
      if (vertex.header.author === this.#self && vertex.header.round >= (this.#lastOwn?.header.round ?? 0))
        this.#lastOwn = vertex
    }
    this.#lastOwnRound = Math.max(this.#lastOwnRound, this.#lastOwn?.header.round ?? 0)
    for (const { event, round } of restored.ownEvents) this.#mempool.restore(event, round)
    for (const event of restored.waitingEvents) this.#mempool.add(event)
    this.#pacemaker.noteProgress(this.#context.monotonicMs())
  }

  #receiveOne(from: string | undefined, vertex: Vertex): void {
    if (vertex.header.epoch !== this.#committee.epoch) return
    this.#fetcher.forget(refOf(vertex))
    if (this.#isSignedByAnother(vertex)) {
      this.#haltFor({ kind: 'doppelganger', vertex })
      return
    }
    this.#sync.offer(vertex)
    for (const vote of vertex.header.votes) this.#noteVote(this.#votes.add(vertex.header.author, vote))
    if (
      !this.#graph.isMissing(refOf(vertex)) &&
      vertex.header.round > this.#graph.quorumRound + this.#parameters.syncLagRounds &&
      this.#isFarBehind()
    ) {
      this.#ahead.set(vertex.header.author, vertex)
      return
    }
    const { accepted, missing } = this.#ordering.add(vertex)
    for (const ref of missing) this.#fetcher.want(ref, from)
    this.#noteAccepted(accepted)
  }

  #noteAccepted(accepted: readonly Vertex[]): void {
    if (accepted.length === 0) return
    for (const vertex of accepted) this.#fetcher.forget(refOf(vertex))
    const others = accepted.filter(vertex => vertex !== this.#lastOwn)
    if (others.length > 0) this.#effects.push({ kind: 'store', vertices: others })
    for (const vertex of others) this.#noteTwin(vertex)
    this.#pacemaker.noteProgress(this.#context.monotonicMs(), accepted)
  }

  #noteTwin(second: Vertex): void {
    const { round, author } = second.header
    const slot = this.#graph.slot(round, author)
    if (slot.length < 2 || this.#equivocators.has(author)) return
    this.#equivocators.add(author)
    const { vertex: first } = slot.find(node => node.vertex.digest !== second.digest)!
    this.#effects.push({ kind: 'equivocation', first, second })
  }

  /** A vertex of our key that we have not signed: above all we know of, or beside one of ours. */
  #isSignedByAnother({ digest, header }: Vertex): boolean {
    if (header.author !== this.#self || this.#recovery !== undefined) return false
    if (header.round > this.#lastOwnRound) return true
    return this.#graph.slot(header.round, header.author).some(node => node.vertex.digest !== digest)
  }

  #haltFor(effect: Effect): void {
    if (this.#isHalted) return
    this.#isHalted = true
    this.#effects.push(effect)
  }

  #noteVote(outcome: VoteOutcome): void {
    if (outcome.kind === 'ordered') this.#effects.push(outcome)
    if (outcome.kind === 'certified') this.#effects.push({ kind: 'certified', certificate: outcome.certificate })
    if (outcome.kind === 'diverged') this.#haltFor(outcome)
  }

  /** Everything that may follow from a change: commits, catching up, fetching, proposing. */
  #advance(): void {
    const nowMs = this.#context.monotonicMs()
    this.#noteCertified()
    this.#decide()
    this.#catchUp(nowMs)
    this.#recover(nowMs)
    this.#endEpoch()
    for (const plan of this.#fetcher.plan(nowMs, this.#peers.ids)) {
      this.#effects.push({
        kind: 'fetchVertices',
        peer: plan.peer,
        digests: plan.digests,
        // Most of what lies lower is here already: what of it is not is asked for by name.
        aboveRound: Math.max(this.#graph.gcRound, this.#graph.quorumRound)
      })
    }
    this.#propose(nowMs)
  }

  /** Never further ahead of execution than the notice of an epoch's end: nobody decides past it unknowing. */
  get #mayDecide(): boolean {
    return !this.#isHeld && this.point.index - this.#executedIndex < this.#parameters.epochNoticeCommits
  }

  /**
   * Nothing more is decided for now: the epoch is over, or order runs away from what a quorum has signed. Whoever was away
   * catches up from certificate to certificate in one answer, or from vertex to vertex within the rounds that are kept:
   * neither may be out of reach. It takes more than the faulty to come here, so nothing is promised until one is back.
   */
  get #isHeld(): boolean {
    if (this.#isClosed) return true
    const { orderingWeight, quorumWeight } = this.#committee
    const reach = Math.min(this.#parameters.commitsPerSyncMax, this.#parameters.roundsAheadMax)
    const uncertified = this.point.index - this.#certifiedIndex
    return orderingWeight === quorumWeight && uncertified >= Math.floor(reach * 0.8)
  }

  get #isClosed(): boolean {
    return this.#epochClosesAt !== undefined && this.point.index >= this.#epochClosesAt
  }

  #decide(): void {
    if (this.#sync.isActive || this.#isHalted) return
    while (this.#mayDecide) {
      const next = this.#ordering.next()
      if (next === undefined) return
      this.#committed(next)
    }
  }

  #committed({ freed, ...ordered }: OrderedCommit): void {
    this.#effects.push({ kind: 'commit', ...ordered })
    const { gcRound } = this.#graph
    this.#fetcher.keepOnly(ref => ref.round > gcRound && (this.#graph.isMissing(ref) || this.#sync.wants(ref.digest)))
    this.#mempool.requeue(round => round <= gcRound)
    this.#noteAccepted(freed)
  }

  #catchUp(nowMs: number): void {
    if (!this.#isHalted) this.#askToCatchUp(nowMs)
    if (!this.#sync.isActive) return
    const get = (digest: string): Vertex | undefined => this.#sync.fetched(digest) ?? this.#graph.get(digest)
    for (let ready = this.#sync.takeReady(get); ready !== undefined; ready = this.#sync.takeReady(get)) {
      const fetched = ready.vertices.filter(vertex => !this.#graph.has(vertex.digest))
      if (fetched.length > 0) this.#effects.push({ kind: 'store', vertices: fetched })
      if (ready.reached !== undefined) {
        const { sequence, digest, isOrderOnly } = ready.reached
        if (isOrderOnly === true) this.#votes.expect(sequence, digest)
        else this.#votes.skipTo(sequence, digest)
      }
      if (ready.reached !== undefined && ready.reached.isOrderOnly !== true) this.#certifiedIndex = ready.commit.index
      this.#committed(this.#ordering.applyCertified(ready.commit, ready.digest, ready.vertices))
      this.#pacemaker.noteProgress(nowMs)
    }
    if (!this.#isFarBehind()) {
      const ahead = [...this.#ahead.values()]
      this.#ahead.clear()
      for (const vertex of ahead) this.#receiveOne(undefined, vertex)
    }
    for (const ref of this.#sync.missing(digest => get(digest) !== undefined)) this.#fetcher.want(ref, undefined)
  }

  #askToCatchUp(nowMs: number): void {
    const plan = this.#sync.plan(nowMs, this.point, this.#graph.quorumRound, this.#peers)
    // Closed, only the certificate of the last commit is missing; it may be with those who have gone on.
    const fromIndex = this.#isClosed ? this.point.index : this.point.index + 1
    if (plan?.kind === 'commits') this.#effects.push({ kind: 'fetchCommits', peer: plan.peer, fromIndex })
    if (plan?.kind === 'snapshot') this.#effects.push({ kind: 'stateSync', peers: plan.peers })
    // Whoever was away has signed what it caught up with, and cannot say so while all are quiet: it has the certificate.
    const isHeld = plan === undefined && this.#isHeld
    const peer = isHeld ? this.#sync.peerToCertify(nowMs, this.#certifiedIndex, this.#peers) : undefined
    if (peer !== undefined) this.#effects.push({ kind: 'fetchCommits', peer, fromIndex: this.#certifiedIndex + 1 })
  }

  #recover(nowMs: number): void {
    if (this.#recovery === undefined || this.#isFarBehind()) return
    for (const peer of this.#recovery.toAsk(nowMs, this.#peers.validators()))
      this.#effects.push({ kind: 'askWitness', peer })
    const floor = this.#recovery.floor(nowMs, this.#graph.highestRound)
    if (floor === undefined) return
    this.#recovery = undefined
    this.#lastOwnRound = Math.max(this.#lastOwnRound, floor)
    this.#effects.push({ kind: 'recovered', round: this.#lastOwnRound })
  }

  #noteCertified(): void {
    for (const [sequence, commitIndex] of this.#uncertified) {
      if (sequence > this.#votes.certifiedSequence) continue
      this.#certifiedIndex = Math.max(this.#certifiedIndex, commitIndex)
      this.#uncertified.delete(sequence)
    }
  }

  /** Everything of the epoch is executed, and its last checkpoint is the newest that is certified. */
  #endEpoch(): void {
    if (this.#hasEnded || !this.#isClosed || this.#executedIndex < this.point.index) return
    if (this.#votes.ownSequence > this.#votes.certifiedSequence) return
    this.#hasEnded = true
    this.#effects.push({ kind: 'epochEnded' })
  }

  /** At work on certified commits, or more validators than may lie say that they are far ahead. */
  #isFarBehind(): boolean {
    if (this.#sync.isActive) return true
    return this.#peers.isSaidByMoreThanFaulty(progress =>
      this.#sync.isFarBehind(this.point, this.#graph.quorumRound, progress)
    )
  }

  get #attention(): {
    self: number
    isConnected: (author: number) => boolean
    hasSlot: (author: number) => boolean
  } {
    return {
      self: this.#self ?? -1,
      isConnected: author => this.#peers.isConnected(author),
      hasSlot: author => this.#ordering.slots.hasSlot(author)
    }
  }

  /** A signature can come from whoever is connected, or is heard of through others. */
  #isThere(author: number): boolean {
    if (author === this.#self || this.#peers.isConnected(author)) return true
    return this.#graph.highestRoundOf(author) + this.#parameters.liveRounds >= this.#graph.quorumRound
  }

  #urgency(): Urgency {
    if (this.#mempool.waitingCount > 0 || this.#ordering.openCount > 0) return 'events'
    if (this.#epochClosesAt !== undefined) return 'events'
    const isCheckpointOpen =
      this.#eventsSinceCheckpoint > 0 ||
      !this.#votesToSend.isEmpty ||
      [...this.#committee.validators.keys()].some(
        author => this.#isThere(author) && !this.#votes.hasSignedNewest(author)
      )
    return isCheckpointOpen ? 'checkpoint' : 'idle'
  }

  #propose(nowMs: number): void {
    if (this.#self === undefined || this.#isSigning || this.#isHalted || this.#hasEnded) return
    if (this.#recovery !== undefined || this.#isFarBehind()) return
    if (this.point.index - this.#executedIndex > this.#parameters.unexecutedCommitsMax) return
    const hasSaidAll = this.#votesToSend.isEmpty && this.#graph.quorumRound >= this.point.round + heldRoundsMax
    if (this.#isHeld && hasSaidAll) return
    const round = this.#pacemaker.roundToPropose({
      nowMs,
      urgency: this.#urgency(),
      lastOwnRound: this.#lastOwnRound,
      lastOwnAtMs: this.#lastOwnAtMs,
      decidedRound: this.#ordering.decidedRound,
      ...this.#attention
    })
    if (round === undefined) return
    const proposal = makeProposal({
      committee: this.#committee,
      graph: this.#graph,
      self: this.#self,
      lastOwn: this.#lastOwn,
      round,
      timestampMs: this.#context.wallMs(),
      // What an epoch's last rounds would carry is never ordered: it waits for the next one.
      events: this.#isHeld ? [] : this.#mempool.take(round),
      votes: this.#votesToSend.take()
    })
    this.#isSigning = true
    this.#lastOwnRound = round
    this.#lastOwnAtMs = nowMs
    this.#effects.push({ kind: 'sign', ...proposal })
  }
}
