import { BlyanError } from '../errors/index.ts'
import { protocolIds } from '../net/index.ts'
import { CatchUp } from './catch-up.ts'
import type { Committee, EpochStart } from './core/committee.ts'
import type { PendingEvent } from './core/mempool.ts'
import type { PeerProgress } from './core/peer-table.ts'
import type { Replica } from './core/replica.ts'
import type { Effect } from './core/replica-types.ts'
import type { CommitExecuted, Vote } from './execution-port.ts'
import { FeedIntake } from './feed-intake.ts'
import { Journal } from './journal.ts'
import { OwnVertices } from './own-vertices.ts'
import { QuorumPeers } from './peers.ts'
import { ProgressTeller } from './progress-teller.ts'
import type { Quorum, QuorumNeeds, QuorumView, Self } from './quorum-types.ts'
import { restoreReplica } from './restore.ts'
import { VertexIntake } from './vertex-intake.ts'
import { createVertexStore, type VertexStore } from './vertex-store.ts'
import { encodeProgress } from './wire.ts'
import { type SlotWitnesses, witnessesOf } from './witnesses.ts'

export function createQuorum(needs: QuorumNeeds): Quorum {
  return new NodeQuorum(needs)
}

const timerSlackMs = 1

class NodeQuorum implements Quorum {
  readonly store: VertexStore
  readonly #needs: QuorumNeeds
  readonly #peers: QuorumPeers
  readonly #journal: Journal
  readonly #own: OwnVertices
  readonly #intake: VertexIntake
  readonly #catchUp: CatchUp
  readonly #progressTeller: ProgressTeller
  readonly #feedIntake: FeedIntake
  #epoch: EpochStart
  #self: Self | undefined
  #replica: Replica | undefined
  #timer: NodeJS.Timeout | undefined
  #tickAtMs = 0
  #isPumping = false
  #isStopped = false
  #divergence: string | undefined
  #diverged: QuorumView['diverged']

  constructor(needs: QuorumNeeds) {
    const { network, execution } = needs
    this.#needs = needs
    this.#epoch = execution.epoch
    this.#self = needs.selfOf(this.#epoch.committee)
    this.store = createVertexStore(needs.database)
    const committee = (): Committee => this.#epoch.committee
    this.#peers = new QuorumPeers({
      network,
      committee,
      isValidator: () => this.#self !== undefined,
      onFeedOpened: peerId => this.#greet(peerId)
    })
    this.#progressTeller = new ProgressTeller(this.#peers)
    this.#journal = new Journal({
      database: needs.database,
      store: this.store,
      execution,
      onExecuted: (commit, outcome) => this.#executed(commit, outcome),
      onFailed: needs.onFatal
    })
    this.#own = new OwnVertices({ ...needs, journal: this.#journal })
    this.#intake = new VertexIntake({
      ...needs,
      committee,
      isKnown: digest => this.#replica!.vertex(digest) !== undefined,
      isHeld: digest => this.#replica!.holds(digest),
      isForgotten: round => round <= this.#replica!.gcRound
    })
    this.#catchUp = new CatchUp({
      ...needs,
      committee,
      intake: this.#intake,
      store: this.store,
      replica: () => this.#replica!,
      ownSignedRound: epoch => {
        const floor = this.#self?.signer.floor
        return floor?.epoch === epoch ? floor.round : 0
      },
      self: () => this.self,
      isStopped: () => this.#isStopped,
      onCertificate: (sequence, votes) => this.#journal.addWrite(execution.certificateWrite(sequence, votes)),
      pump: () => this.#pump()
    })
    this.#feedIntake = new FeedIntake({
      network,
      peers: this.#peers,
      intake: this.#intake,
      catchUp: this.#catchUp,
      replica: () => this.#replica!,
      isStopped: () => this.#isStopped,
      pump: () => this.#pump()
    })
  }

  get self(): number | undefined {
    return this.#self?.index
  }

  async start(): Promise<void> {
    const { network } = this.#needs
    await this.#begin()
    network.onPeer((peerId, isThere) => (isThere ? this.#peerConnected(peerId) : this.#peerDisconnected(peerId)))
    network.onFeed((peerId, frame) => this.#feedIntake.take(peerId, frame))
    this.#catchUp.register()
    network.serve(protocolIds.relay, async peerId => this.#serveRelay(peerId))
    this.#loop()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#peers.close()
    await this.#journal.close()
  }

  view(): QuorumView {
    const replica = this.#replica!
    return {
      ...replica.view(),
      epoch: this.#epoch.committee.epoch,
      self: this.self,
      connectedValidators: this.#peers.validatorsConnected + (this.self === undefined ? 0 : 1),
      members: this.#epoch.committee.validators.map((_, author) => ({
        connected: author === this.self || this.#peers.isConnected(author),
        lastRound: replica.highestRoundOf(author)
      })),
      divergence: this.#divergence,
      diverged: this.#diverged
    }
  }

  submit(events: readonly PendingEvent[]): boolean {
    const accepted = this.#replica!.submit(events)
    this.#pump()
    return accepted
  }

  hasPending(id: string): boolean {
    return this.#replica!.hasPending(id)
  }

  restoredEvents(): readonly PendingEvent[] {
    return this.#replica!.pendingEvents()
  }

  async witnesses(vertexDigest: string): Promise<SlotWitnesses> {
    const vertex = this.#replica!.vertex(vertexDigest) ?? (await this.store.vertex(vertexDigest))
    const committee = vertex === undefined ? undefined : this.#needs.execution.committeeOf(vertex.header.epoch)
    if (vertex === undefined || committee === undefined) return { prepared: [], committed: [] }
    return witnessesOf(vertex, committee, this.store)
  }

  /** Makes the replica of the present epoch from the stores; what the one before had still to bring in goes along. */
  async #begin(): Promise<void> {
    const { execution, selfOf } = this.#needs
    const epoch = execution.epoch
    const self = selfOf(epoch.committee)
    const replica = await restoreReplica({
      ...this.#needs,
      epoch,
      store: this.store,
      self: self?.index,
      selfIn: other => {
        const committee = execution.committeeOf(other)
        return committee === undefined ? undefined : selfOf(committee)?.index
      },
      floor: self?.signer.floor
    })
    // Stored and not shown when the process ended: it is shown now, and must stay the only one, whatever becomes of the store.
    if (replica.lastOwn !== undefined) self?.signer.cover(replica.lastOwn)
    const waiting = this.#replica?.pendingEvents() ?? []
    this.#epoch = epoch
    this.#self = self
    this.#replica = replica
    this.#peers.epochBegan()
    for (const peerId of this.#peers.ids) replica.peerConnected(peerId, this.#peers.validatorOf(peerId))
    const open = execution.openCheckpoint()
    replica.executed(replica.point.index, {
      ordered: [],
      ...this.#own.vote(self?.signer, open.checkpoint),
      eventsSinceCheckpoint: open.eventsSinceCheckpoint,
      epochClosesAt: execution.epochClosesAt
    })
    for (const event of waiting) replica.submit([event])
  }

  /** An epoch has begun, or a snapshot lies under the stores: everything in memory is made anew. */
  async #beginAgain(): Promise<void> {
    try {
      await this.#journal.settled()
      if (this.#isStopped) return
      await this.#begin()
      for (const peerId of this.#peers.ids) this.#greet(peerId)
      const { epoch, validators } = this.#epoch.committee
      this.#needs.logger.info(
        { epoch, validators: validators.length, self: this.self ?? null, commit: this.#replica!.point.index },
        'the quorum goes on with a new replica'
      )
      this.#pump()
    } catch (error) {
      this.#needs.onFatal(error)
    }
  }

  async #stateSync(peers: readonly string[]): Promise<void> {
    const replica = this.#replica!
    try {
      await this.#journal.settled()
      if (await this.#needs.snapshots.sync(peers)) return await this.#beginAgain()
    } catch (error) {
      this.#needs.logger.warn({ reason: String(error) }, 'no snapshot could be installed: going on with commits')
    }
    replica.snapshotFailed()
    this.#pump()
  }

  #loop(): void {
    if (this.#isStopped) return
    this.#timer = undefined
    this.#replica!.tick()
    this.#progressTeller.tell(this.#progress())
    this.#pump()
  }

  /** What has come in meanwhile may be due sooner than the timer that runs. */
  #tickSoon(): void {
    const delayMs = this.#replica!.tickWithinMs
    const atMs = performance.now() + delayMs
    if (this.#timer !== undefined && this.#tickAtMs <= atMs + timerSlackMs) return
    clearTimeout(this.#timer)
    this.#tickAtMs = atMs
    this.#timer = setTimeout(() => this.#loop(), delayMs)
  }

  /** Performs what the replica asks for, in order, until it asks for nothing more. */
  #pump(): void {
    if (this.#isPumping || this.#isStopped) return
    this.#isPumping = true
    try {
      for (let effects = this.#replica!.takeEffects(); effects.length > 0; effects = this.#replica!.takeEffects()) {
        for (const effect of effects) this.#perform(effect)
      }
    } finally {
      this.#isPumping = false
    }
    this.#tickSoon()
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'store':
        this.#journal.add(effect.vertices)
        for (const vertex of effect.vertices) this.#peers.pushRelayed(vertex)
        break
      case 'sign':
        void this.#sign(effect)
        break
      case 'broadcast':
        this.#peers.pushOwnVertex(effect.vertex, effect.again)
        break
      case 'commit':
        this.#journal.execute(
          { commit: effect.commit, digest: effect.digest, vertices: effect.vertices },
          effect.commitBytes
        )
        break
      case 'greet':
        this.#greet(effect.peer)
        break
      case 'ordered': {
        const { sequence, votes } = effect.certificate
        this.#journal.addWrite(this.#needs.execution.noteOrdered(sequence, votes))
        break
      }
      case 'certified':
        this.#certified(effect.certificate.sequence, effect.certificate.votes)
        break
      case 'diverged':
        this.#diverged = { sequence: effect.sequence, ours: effect.ours, theirs: effect.theirs }
        this.#divergence = `checkpoint ${effect.sequence} is ${effect.ours} here and ${effect.theirs} elsewhere`
        this.#needs.logger.error(
          { sequence: effect.sequence, ours: effect.ours, theirs: effect.theirs },
          'our state differs from what other validators signed: execution and signing stop, reads go on'
        )
        break
      case 'equivocation':
        this.#peers.cutOff(effect.first.header.author)
        this.#needs.onEquivocation(effect.first, effect.second)
        break
      case 'doppelganger':
        this.#needs.onFatal(new BlyanError('VALIDATOR_KEY_IN_USE', { round: effect.vertex.header.round }))
        break
      case 'epochEnded':
        void this.#beginAgain()
        break
      case 'stateSync':
        void this.#stateSync(effect.peers)
        break
      case 'askWitness':
        void this.#catchUp.askWitness(effect.peer)
        break
      case 'recovered':
        this.#recovered(effect.round)
        break
      case 'fetchVertices':
        void this.#catchUp.fetchVertices(effect.peer, effect.digests, effect.aboveRound)
        break
      case 'fetchCommits':
        void this.#catchUp.fetchCommits(effect.peer, effect.fromIndex)
        break
    }
  }

  async #sign(effect: Extract<Effect, { kind: 'sign' }>): Promise<void> {
    const replica = this.#replica!
    try {
      const vertex = await this.#own.sign(this.#self!.signer, effect)
      if (this.#isStopped) return
      replica.signed(vertex)
      this.#pump()
    } catch (error) {
      this.#needs.onFatal(error)
    }
  }

  #recovered(round: number): void {
    const { execution, logger } = this.#needs
    try {
      this.#self!.signer.resumeAbove({
        epoch: this.#epoch.committee.epoch,
        round,
        checkpointSequence: execution.certifiedSequence
      })
      logger.info({ round }, 'the quorum said what this key may have signed: signing goes on above that')
    } catch (error) {
      this.#needs.onFatal(error)
    }
  }

  #executed(commitIndex: number, outcome: CommitExecuted): void {
    if (this.#isStopped) return
    this.#replica!.executed(commitIndex, { ...outcome, ...this.#own.vote(this.#self?.signer, outcome.checkpoint) })
    this.#pump()
  }

  #certified(sequence: number, votes: readonly Vote[]): void {
    this.#journal.addWrite(this.#needs.execution.certificateWrite(sequence, votes))
    this.#needs.execution.noteCertified(sequence, votes)
  }

  #peerConnected(peerId: string): void {
    this.#replica!.peerConnected(peerId, this.#peers.connected(peerId))
    this.#pump()
  }

  /** Where the frontier is: the newest vertex of everybody, and how far we are. */
  #greet(peerId: string): void {
    this.#peers.announceTo(peerId, this.#replica!.tips())
    this.#peers.pushTo(peerId, encodeProgress(this.#progress()))
  }

  #peerDisconnected(peerId: string): void {
    this.#peers.disconnected(peerId)
    this.#replica!.peerDisconnected(peerId)
    this.#pump()
  }

  #progress(): PeerProgress {
    const { execution, snapshots } = this.#needs
    return {
      ...this.#replica!.progress(),
      certifiedCommitIndex: execution.servedCommitIndex,
      oldestCommitIndex: snapshots.oldestCommitIndex,
      snapshotCommitIndex: snapshots.snapshotCommitIndex
    }
  }

  #serveRelay(peerId: string): Uint8Array {
    if (!this.#peers.addRelay(peerId)) throw new Error('relaying to enough peers already')
    this.#peers.announceTo(peerId, this.#replica!.tips())
    return Uint8Array.of(1)
  }
}
