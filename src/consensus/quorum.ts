import { concatBytes, verifySignature } from '../codec/index.ts'
import { isBlyanError } from '../errors/index.ts'
import { type Network, networkLimits, protocolIds } from '../net/index.ts'
import type { Database } from '../storage/index.ts'
import { type Committee, WeightCounter } from './core/committee.ts'
import type { PendingEvent } from './core/mempool.ts'
import type { ConsensusParameters } from './core/parameters.ts'
import { type Effect, Replica, type ReplicaView } from './core/replica.ts'
import type { CertifiedCommits } from './core/sync.ts'
import { decodeVertex, encodeVertex, staticFault, type Vertex, vertexSigningBytes } from './core/vertex.ts'
import type { ExecutionPort, Vote } from './execution-port.ts'
import { QuorumPeers } from './peers.ts'
import { restoreReplica } from './restore.ts'
import type { Signer } from './signer.ts'
import { createVertexStore, type VertexStore } from './vertex-store.ts'
import { decodeCommitsRequest, decodeCommitsResponse, decodeProgress, decodeVerticesRequest, encodeCommitsRequest, encodeCommitsResponse, encodeProgress, encodeVerticesRequest, feedFrame } from './wire.ts'
import { Journal } from './journal.ts'

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
  /** Who PREPAREd and who COMMITted a vertex, from what is on disk. */
  witnesses(vertexDigest: string): Promise<SlotWitnesses>
  readonly store: VertexStore
}

export function createQuorum(needs: QuorumNeeds): Quorum {
  return new NodeQuorum(needs)
}

const progressEveryMs = 1000
const quietProgressEveryMs = 30_000
const verifyingBytesMax = 64 * 1024 * 1024

class NodeQuorum implements Quorum {
  readonly store: VertexStore
  readonly #needs: QuorumNeeds
  readonly #peers: QuorumPeers
  readonly #journal: Journal
  #replica: Replica | undefined
  #timer: NodeJS.Timeout | undefined
  #isPumping = false
  #isStopped = false
  #verifying = new Map<string, number>()
  #verifyingBytes = 0
  #progressSentAtMs = 0
  #progressSent = ''
  #divergence: string | undefined

  constructor(needs: QuorumNeeds) {
    this.#needs = needs
    this.store = createVertexStore(needs.database)
    this.#peers = new QuorumPeers(needs.network, needs.committee, needs.self !== undefined)
    this.#journal = new Journal({
      database: needs.database,
      store: this.store,
      execution: needs.execution,
      onExecuted: (commit, outcome) => this.#executed(commit, outcome),
      onFailed: needs.onFatal
    })
  }

  async start(): Promise<void> {
    const { network, self } = this.#needs
    this.#replica = await restoreReplica({ ...this.#needs, store: this.store, self: self?.index, floorRound: self?.signer.floor.round ?? 0, certifiedSequence: this.#needs.execution.certifiedSequence })
    network.onPeer((peerId, isThere) => (isThere ? this.#peerConnected(peerId) : this.#peerDisconnected(peerId)))
    network.onFeed((peerId, frame) => this.#feedFrame(peerId, frame))
    network.serve(protocolIds.vertices, (_, request) => this.#serveVertices(request))
    network.serve(protocolIds.commits, (_, request) => this.#serveCommits(request))
    network.serve(protocolIds.relay, async peerId => this.#serveRelay(peerId))
    const open = this.#needs.execution.openCheckpoint()
    this.#replica.executed(this.#replica.point.index, { ordered: [], ...this.#vote(open.checkpoint), eventsSinceCheckpoint: open.eventsSinceCheckpoint })
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
      members: this.#needs.committee.validators.map((_, author) => ({ connected: author === self || this.#peers.isConnected(author), lastRound: replica.highestRoundOf(author) })),
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

  async witnesses(vertexDigest: string): Promise<SlotWitnesses> {
    const vertex = this.#replica!.vertex(vertexDigest) ?? (await this.store.vertex(vertexDigest))
    if (vertex === undefined) return { prepared: [], committed: [] }
    const { round } = vertex.header
    const prepared = new Map<string, number>()
    const committed = new Set<number>()
    for await (const later of this.store.rounds(round + 1, round + 2)) {
      if (later.header.round === round + 1) {
        if (later.header.parents.some(parent => parent.digest === vertexDigest)) prepared.set(later.digest, later.header.author)
        continue
      }
      const weight = new WeightCounter(this.#needs.committee)
      for (const parent of later.header.parents) if (prepared.has(parent.digest)) weight.add(parent.author)
      if (weight.isQuorum) committed.add(later.header.author)
    }
    return { prepared: [...new Set(prepared.values())].sort((a, b) => a - b), committed: [...committed].sort((a, b) => a - b) }
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
        this.#journal.execute({ commit: effect.commit, digest: effect.digest, vertices: effect.vertices }, effect.commitBytes)
        break
      case 'certified':
        this.#certified(effect.certificate.sequence, effect.certificate.votes)
        break
      case 'diverged':
        this.#divergence = `checkpoint ${effect.sequence} is ${effect.ours} here and ${effect.theirs} elsewhere`
        this.#needs.logger.error({ sequence: effect.sequence, ours: effect.ours, theirs: effect.theirs }, 'our state differs from what other validators signed: execution and signing stop, reads go on')
        break
      case 'fetchVertices':
        void this.#fetchVertices(effect.peer, effect.digests, effect.aboveRound)
        break
      case 'fetchCommits':
        void this.#fetchCommits(effect.peer, effect.fromIndex)
        break
    }
  }

  /** Stored first, then the floor, then shown: whatever is lost in between, nothing else is ever signed for the round. */
  async #sign(effect: Extract<Effect, { kind: 'sign' }>): Promise<void> {
    const { signer } = this.#needs.self!
    let vertex: Vertex | undefined
    try {
      const signature = signer.signVertex({ epoch: effect.header.epoch, round: effect.header.round, digest: effect.digest }, vertexSigningBytes(this.#needs.genesisDigest, effect.digest))
      const signed = { digest: effect.digest, header: effect.header, headerBytes: effect.headerBytes, signature, body: effect.body }
      await this.#journal.keepOwn(signed)
      signer.keep()
      vertex = signed
    } catch (error) {
      if (!isBlyanError(error, 'SIGN_BELOW_FLOOR') && !isBlyanError(error, 'SIGN_TWICE')) return this.#needs.onFatal(error)
      this.#needs.logger.warn({ code: error.code, round: effect.header.round }, error.message)
    }
    if (this.#isStopped) return
    this.#replica!.signed(vertex)
    this.#pump()
  }

  #vote(checkpoint: { sequence: number; digest: string } | undefined): { checkpoint?: { sequence: number; digest: string; vote?: { sequence: number; digest: string; signature: Uint8Array } } } {
    if (checkpoint === undefined) return {}
    const { sequence, digest } = checkpoint
    const signature = this.#needs.self?.signer.signCheckpoint({ sequence, digest }, this.#needs.execution.checkpointMessage(digest))
    return { checkpoint: { sequence, digest, ...(signature === undefined ? {} : { vote: { sequence, digest, signature } }) } }
  }

  #executed(commitIndex: number, outcome: { ordered: readonly string[]; early: readonly string[]; eventsSinceCheckpoint: number; checkpoint: { sequence: number; digest: string } | undefined }): void {
    if (this.#isStopped) return
    this.#replica!.executed(commitIndex, { ordered: outcome.ordered, early: outcome.early, eventsSinceCheckpoint: outcome.eventsSinceCheckpoint, ...this.#vote(outcome.checkpoint) })
    this.#pump()
  }

  #certified(sequence: number, votes: readonly Vote[]): void {
    this.#journal.addWrite(this.#needs.execution.certificateWrite(sequence, votes))
    this.#needs.execution.noteCertified(sequence, votes)
  }

  #peerConnected(peerId: string): void {
    const validator = this.#peers.connected(peerId)
    for (const tip of this.#replica!.tips()) this.#peers.pushTo(peerId, vertexFrame(tip))
    this.#peers.pushTo(peerId, encodeProgress(this.#progress()))
    this.#replica!.peerConnected(peerId, validator)
    this.#pump()
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
    const vertex = await this.#verified(peerId, bytes)
    if (vertex === undefined || this.#isStopped) return
    this.#replica!.receive(peerId, [vertex])
    this.#pump()
  }

  /** Undefined for what is known, being checked, too much at once, or wrong; wrong ones cost the peer points. */
  async #verified(peerId: string, bytes: Uint8Array): Promise<Vertex | undefined> {
    if (this.#verifyingBytes + bytes.length > verifyingBytesMax) return undefined
    let vertex: Vertex
    try {
      vertex = decodeVertex(bytes)
    } catch {
      this.#needs.network.penalise(peerId, 20, 'vertex that does not decode')
      return undefined
    }
    if (this.#replica!.vertex(vertex.digest) !== undefined || this.#verifying.has(vertex.digest)) return undefined
    this.#verifying.set(vertex.digest, bytes.length)
    this.#verifyingBytes += bytes.length
    try {
      const fault = staticFault(vertex, this.#needs.committee, this.#needs.parameters) ?? (await this.#signatureFault(vertex))
      if (fault === undefined) return vertex
      this.#needs.network.penalise(peerId, 20, fault)
      return undefined
    } finally {
      this.#verifying.delete(vertex.digest)
      this.#verifyingBytes -= bytes.length
    }
  }

  async #signatureFault(vertex: Vertex): Promise<string | undefined> {
    const { publicKey } = this.#needs.committee.validators[vertex.header.author]!
    if (!(await verifySignature(publicKey, vertexSigningBytes(this.#needs.genesisDigest, vertex.digest), vertex.signature))) return 'vertex signature'
    for (const vote of vertex.header.votes) {
      if (!(await verifySignature(publicKey, this.#needs.execution.checkpointMessage(vote.digest), vote.signature))) return 'vote signature'
    }
    return (await this.#needs.execution.checkEvents(vertex)) ? undefined : 'an event in the vertex is not well-formed or not rightly signed'
  }

  async #fetchVertices(peer: string, digests: readonly string[], aboveRound: number): Promise<void> {
    try {
      const response = await this.#needs.network.request(peer, protocolIds.vertices, encodeVerticesRequest({ aboveRound, digests }), this.#needs.parameters.fetchTimeoutMs)
      const vertices = await Promise.all(splitFrames(response).map(bytes => this.#verified(peer, bytes)))
      // Parents before children: nothing is suspended that need not be.
      const found = vertices.filter(vertex => vertex !== undefined).sort((a, b) => a.header.round - b.header.round)
      if (!this.#isStopped) this.#replica!.receive(peer, found)
    } catch (error) {
      this.#needs.logger.debug({ peer, reason: String(error) }, 'fetch of vertices failed')
    }
    if (this.#isStopped) return
    this.#replica!.fetchEnded(peer, digests)
    this.#pump()
  }

  async #serveVertices(request: Uint8Array): Promise<Uint8Array> {
    const { aboveRound, digests } = decodeVerticesRequest(request, this.#needs.parameters.refsPerFetchMax)
    const frames: Uint8Array[] = []
    let sizeBytes = 0
    const take = (bytes: Uint8Array): boolean => {
      if (sizeBytes + bytes.length + 4 > networkLimits.responseBytesMax) return false
      frames.push(bytes)
      sizeBytes += bytes.length + 4
      return true
    }
    const near = this.#replica!.ancestors(digests, aboveRound, this.#needs.parameters.refsPerFetchMax)
    for (const vertex of near) if (!take(encodeVertex(vertex))) return joinFrames(frames)
    const inMemory = new Set(near.map(vertex => vertex.digest))
    for (const digest of digests) {
      if (inMemory.has(digest)) continue
      const bytes = await this.store.vertexBytes(digest)
      if (bytes !== undefined && !take(bytes)) break
    }
    return joinFrames(frames)
  }

  async #fetchCommits(peer: string, fromIndex: number): Promise<void> {
    let answer: CertifiedCommits | undefined
    try {
      const bytes = await this.#needs.network.request(peer, protocolIds.commits, encodeCommitsRequest(fromIndex), this.#needs.parameters.fetchTimeoutMs)
      const response = decodeCommitsResponse(bytes, networkLimits.responseBytesMax)
      if (response.checkpoint.length > 0) answer = await this.#certifiedCommits(response.commits, response.checkpoint, response.votes)
      const fault = this.#isStopped ? undefined : this.#replica!.commitsReceived(answer)
      if (answer !== undefined && fault !== undefined) this.#needs.network.penalise(peer, 10, fault)
    } catch (error) {
      this.#needs.logger.debug({ peer, reason: String(error) }, 'fetch of commits failed')
      if (!this.#isStopped) this.#replica!.commitsReceived(undefined)
    }
    this.#pump()
  }

  async #certifiedCommits(commits: readonly Uint8Array[], checkpoint: Uint8Array, votes: readonly Vote[]): Promise<CertifiedCommits | undefined> {
    const summary = this.#needs.execution.readCheckpoint(checkpoint)
    const weight = new WeightCounter(this.#needs.committee)
    for (const vote of votes) {
      const validator = this.#needs.committee.validators[vote.author]
      if (validator !== undefined && (await verifySignature(validator.publicKey, this.#needs.execution.checkpointMessage(summary.digest), vote.signature))) weight.add(vote.author)
    }
    if (!weight.isQuorum) return undefined
    this.#journal.addWrite(this.#needs.execution.certificateWrite(summary.sequence, votes))
    this.#needs.execution.noteCertified(summary.sequence, votes, summary.commitIndex)
    return { commits, certificate: summary }
  }

  async #serveCommits(request: Uint8Array): Promise<Uint8Array> {
    const fromIndex = decodeCommitsRequest(request)
    const nothing = encodeCommitsResponse({ commits: [], checkpoint: new Uint8Array(0), votes: [] })
    const certified = await this.#needs.execution.certifiedFrom(fromIndex)
    if (certified === undefined || certified.summary.commitIndex - fromIndex >= this.#needs.parameters.commitsPerSyncMax) return nothing
    const commits: Uint8Array[] = []
    for (let index = fromIndex; index <= certified.summary.commitIndex; index++) {
      const bytes = await this.store.commitBytes(index)
      if (bytes === undefined) return nothing
      commits.push(bytes)
    }
    return encodeCommitsResponse({ commits, checkpoint: certified.checkpoint, votes: certified.votes })
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

function joinFrames(frames: readonly Uint8Array[]): Uint8Array {
  return concatBytes(
    ...frames.flatMap(frame => {
      const length = new Uint8Array(4)
      new DataView(length.buffer).setUint32(0, frame.length)
      return [length, frame]
    })
  )
}

function splitFrames(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const frames: Uint8Array[] = []
  for (let offset = 0; offset + 4 <= bytes.length; ) {
    const end = offset + 4 + view.getUint32(offset)
    if (end > bytes.length) break
    frames.push(bytes.subarray(offset + 4, end))
    offset = end
  }
  return frames
}

