import { concatBytes } from '../codec/index.ts'
import { isBlyanError } from '../errors/index.ts'
import { type Network, protocolIds } from '../net/index.ts'
import type { Database } from '../storage/index.ts'
import { CatchUp } from './catch-up.ts'
import { type Committee, WeightCounter } from './core/committee.ts'
import type { PendingEvent } from './core/mempool.ts'
import type { ConsensusParameters } from './core/parameters.ts'
import type { Replica } from './core/replica.ts'
import type { Effect, ReplicaView } from './core/replica-types.ts'
import { encodeVertex, type Vertex, vertexSigningBytes } from './core/vertex.ts'
import type { ExecutionPort, Vote } from './execution-port.ts'
import { Journal } from './journal.ts'
import { QuorumPeers } from './peers.ts'
import { restoreReplica } from './restore.ts'
import type { Signer } from './signer.ts'
import { VertexIntake } from './vertex-intake.ts'
import { createVertexStore, type VertexStore } from './vertex-store.ts'
import { decodeProgress, encodeProgress, feedFrame } from './wire.ts'

export type QuorumLogger = {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}

export type QuorumNeeds = {
  readonly committee: Committee
  readonly genesisDigest: Uint8Array
  readonly genesisTimeMs: number
  readonly parameters: ConsensusParameters
  /** Missing for a node that follows and does not vote. */
  readonly self: { readonly index: number; readonly signer: Signer } | undefined
  readonly network: Network
  readonly database: Database
  readonly execution: ExecutionPort
  readonly logger: QuorumLogger
  /** The disk failed or memory ran ahead of it: the node has to stop. */
  readonly onFatal: (error: unknown) => void
}

export type QuorumView = ReplicaView & {
  readonly connectedValidators: number
  readonly members: readonly { readonly connected: boolean; readonly lastRound: number }[]
  readonly divergence: string | undefined
}

export type SlotWitnesses = { readonly prepared: readonly number[]; readonly committed: readonly number[] }

/** One node's place in the quorum, with disk, network and clocks. */
export interface Quorum {
  /** Registers its protocols; the network must not be started yet. */
  start(): Promise<void>
  stop(): Promise<void>
  view(): QuorumView
  /** Offers checked events. False when this node cannot take them. */
  submit(events: readonly PendingEvent[]): boolean
  hasPending(id: string): boolean
  /** Events that a restart found in our own uncommitted vertices. */
  restoredEvents(): readonly PendingEvent[]
  /** Who PREPAREd and who COMMITted a vertex, from what is on disk. */
  witnesses(vertexDigest: string): Promise<SlotWitnesses>
  readonly store: VertexStore
}

export function createQuorum(needs: QuorumNeeds): Quorum {
  return new NodeQuorum(needs)
}

const progressEveryMs = 1000
const quietProgressEveryMs = 30_000

class NodeQuorum implements Quorum {
  readonly store: VertexStore
  readonly #needs: QuorumNeeds
  readonly #peers: QuorumPeers
  readonly #journal: Journal
  readonly #intake: VertexIntake
  readonly #catchUp: CatchUp
  #replica: Replica | undefined
  #timer: NodeJS.Timeout | undefined
  #isPumping = false
  #isStopped = false
  #progressSentAtMs = 0
  #progressSent = ''
  #divergence: string | undefined

  constructor(needs: QuorumNeeds) {
    this.#needs = needs
    this.store = createVertexStore(needs.database)
    this.#peers = new QuorumPeers(needs.network, needs.committee, needs.self !== undefined, peerId =>
      this.#greet(peerId)
    )
    this.#journal = new Journal({
      database: needs.database,
      store: this.store,
      execution: needs.execution,
      onExecuted: (commit, outcome) => this.#executed(commit, outcome),
      onFailed: needs.onFatal
    })
    this.#intake = new VertexIntake({
      ...needs,
      isKnown: digest => this.#replica!.vertex(digest) !== undefined,
      isForgotten: round => round <= this.#replica!.gcRound
    })
    this.#catchUp = new CatchUp({
      ...needs,
      intake: this.#intake,
      store: this.store,
      replica: () => this.#replica!,
      isStopped: () => this.#isStopped,
      onCertificate: (sequence, votes) => this.#journal.addWrite(needs.execution.certificateWrite(sequence, votes)),
      pump: () => this.#pump()
    })
  }

  async start(): Promise<void> {
    const { network, self } = this.#needs
    this.#replica = await restoreReplica({
      ...this.#needs,
      store: this.store,
      self: self?.index,
      floorRound: self?.signer.floor.round ?? 0,
      certifiedSequence: this.#needs.execution.certifiedSequence
    })
    network.onPeer((peerId, isThere) => (isThere ? this.#peerConnected(peerId) : this.#peerDisconnected(peerId)))
    network.onFeed((peerId, frame) => this.#feedFrame(peerId, frame))
    this.#catchUp.register()
    network.serve(protocolIds.relay, async peerId => this.#serveRelay(peerId))
    const open = this.#needs.execution.openCheckpoint()
    this.#replica.executed(this.#replica.point.index, {
      ordered: [],
      ...this.#vote(open.checkpoint),
      eventsSinceCheckpoint: open.eventsSinceCheckpoint
    })
    this.#loop()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#peers.close()
    await this.#journal.close()
    this.#needs.self?.signer.close()
  }

  view(): QuorumView {
    const replica = this.#replica!
    const self = this.#needs.self?.index
    return {
      ...replica.view(),
      connectedValidators: this.#peers.validatorsConnected + (self === undefined ? 0 : 1),
      members: this.#needs.committee.validators.map((_, author) => ({
        connected: author === self || this.#peers.isConnected(author),
        lastRound: replica.highestRoundOf(author)
      })),
      divergence: this.#divergence
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
    if (vertex === undefined) return { prepared: [], committed: [] }
    const { round } = vertex.header
    const prepared = new Map<string, number>()
    const committed = new Set<number>()
    for await (const later of this.store.rounds(round + 1, round + 2)) {
      if (later.header.round === round + 1) {
        if (later.header.parents.some(parent => parent.digest === vertexDigest))
          prepared.set(later.digest, later.header.author)
        continue
      }
      const weight = new WeightCounter(this.#needs.committee)
      for (const parent of later.header.parents) if (prepared.has(parent.digest)) weight.add(parent.author)
      if (weight.isQuorum) committed.add(later.header.author)
    }
    return {
      prepared: [...new Set(prepared.values())].sort((a, b) => a - b),
      committed: [...committed].sort((a, b) => a - b)
    }
  }

  #loop(): void {
    if (this.#isStopped) return
    this.#replica!.tick()
    this.#pump()
    this.#tellProgress()
    this.#timer = setTimeout(() => this.#loop(), this.#replica!.tickWithinMs)
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
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'store':
        this.#journal.add(effect.vertices)
        for (const vertex of effect.vertices) this.#peers.pushRelayed(() => vertexFrame(vertex))
        break
      case 'sign':
        void this.#sign(effect)
        break
      case 'broadcast':
        this.#peers.pushOwnVertex(vertexFrame(effect.vertex))
        break
      case 'commit':
        this.#journal.execute(
          { commit: effect.commit, digest: effect.digest, vertices: effect.vertices },
          effect.commitBytes
        )
        break
      case 'certified':
        this.#certified(effect.certificate.sequence, effect.certificate.votes)
        break
      case 'diverged':
        this.#divergence = `checkpoint ${effect.sequence} is ${effect.ours} here and ${effect.theirs} elsewhere`
        this.#needs.logger.error(
          { sequence: effect.sequence, ours: effect.ours, theirs: effect.theirs },
          'our state differs from what other validators signed: execution and signing stop, reads go on'
        )
        break
      case 'fetchVertices':
        void this.#catchUp.fetchVertices(effect.peer, effect.digests, effect.aboveRound)
        break
      case 'fetchCommits':
        void this.#catchUp.fetchCommits(effect.peer, effect.fromIndex)
        break
    }
  }

  /** Stored first, then the floor, then shown: whatever is lost in between, nothing else is ever signed for the round. */
  async #sign(effect: Extract<Effect, { kind: 'sign' }>): Promise<void> {
    const { signer } = this.#needs.self!
    let vertex: Vertex | undefined
    try {
      const signature = signer.signVertex(
        { epoch: effect.header.epoch, round: effect.header.round, digest: effect.digest },
        vertexSigningBytes(this.#needs.genesisDigest, effect.digest)
      )
      const signed = {
        digest: effect.digest,
        header: effect.header,
        headerBytes: effect.headerBytes,
        signature,
        body: effect.body
      }
      await this.#journal.keepOwn(signed)
      signer.keep()
      vertex = signed
    } catch (error) {
      if (!isBlyanError(error, 'SIGN_BELOW_FLOOR') && !isBlyanError(error, 'SIGN_TWICE'))
        return this.#needs.onFatal(error)
      this.#needs.logger.warn({ code: error.code, round: effect.header.round }, error.message)
    }
    if (this.#isStopped) return
    this.#replica!.signed(vertex)
    this.#pump()
  }

  #vote(checkpoint: { sequence: number; digest: string } | undefined): {
    checkpoint?: {
      sequence: number
      digest: string
      vote?: { sequence: number; digest: string; signature: Uint8Array }
    }
  } {
    if (checkpoint === undefined) return {}
    const { sequence, digest } = checkpoint
    const signature = this.#needs.self?.signer.signCheckpoint(
      { sequence, digest },
      this.#needs.execution.checkpointMessage(digest)
    )
    return {
      checkpoint: { sequence, digest, ...(signature === undefined ? {} : { vote: { sequence, digest, signature } }) }
    }
  }

  #executed(
    commitIndex: number,
    outcome: {
      ordered: readonly string[]
      early: readonly string[]
      eventsSinceCheckpoint: number
      checkpoint: { sequence: number; digest: string } | undefined
    }
  ): void {
    if (this.#isStopped) return
    this.#replica!.executed(commitIndex, {
      ordered: outcome.ordered,
      early: outcome.early,
      eventsSinceCheckpoint: outcome.eventsSinceCheckpoint,
      ...this.#vote(outcome.checkpoint)
    })
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
    for (const tip of this.#replica!.tips()) this.#peers.pushTo(peerId, vertexFrame(tip))
    this.#peers.pushTo(peerId, encodeProgress(this.#progress()))
  }

  #peerDisconnected(peerId: string): void {
    this.#peers.disconnected(peerId)
    this.#replica!.peerDisconnected(peerId)
    this.#pump()
  }

  #progress(): { round: number; commitIndex: number; certifiedCommitIndex: number } {
    return this.#replica!.progress(this.#needs.execution.certifiedCommitIndex)
  }

  #tellProgress(): void {
    const nowMs = performance.now()
    const progress = this.#progress()
    const isNews = String(progress.certifiedCommitIndex) !== this.#progressSent
    if (nowMs - this.#progressSentAtMs < (isNews ? progressEveryMs : quietProgressEveryMs)) return
    this.#progressSentAtMs = nowMs
    this.#progressSent = String(progress.certifiedCommitIndex)
    this.#peers.pushToAll(encodeProgress(progress))
    this.#peers.chooseRelay()
  }

  #feedFrame(peerId: string, frame: Uint8Array): void {
    try {
      if (frame[0] === feedFrame.vertex) this.#take(peerId, frame.subarray(1)).catch(() => {})
      else if (frame[0] === feedFrame.progress) {
        this.#replica!.peerProgress(peerId, decodeProgress(frame.subarray(1)))
        this.#pump()
      } else this.#needs.network.penalise(peerId, 5, 'unknown feed frame')
    } catch (error) {
      this.#needs.network.penalise(peerId, 10, isBlyanError(error) ? error.code : 'bad feed frame')
    }
  }

  async #take(peerId: string, bytes: Uint8Array): Promise<void> {
    const vertex = await this.#intake.verified(peerId, bytes)
    if (vertex === undefined || this.#isStopped) return
    this.#replica!.receive(peerId, [vertex])
    this.#pump()
  }

  #serveRelay(peerId: string): Uint8Array {
    if (!this.#peers.addRelay(peerId)) throw new Error('relaying to enough peers already')
    for (const tip of this.#replica!.tips()) this.#peers.pushTo(peerId, vertexFrame(tip))
    return Uint8Array.of(1)
  }
}

function vertexFrame(vertex: Vertex): Uint8Array {
  return concatBytes(Uint8Array.of(feedFrame.vertex), encodeVertex(vertex))
}
