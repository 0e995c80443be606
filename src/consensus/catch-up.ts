import { concatBytes, verifySignature } from '../codec/index.ts'
import { isBlyanError } from '../errors/index.ts'
import { type Network, networkLimits, protocolIds } from '../net/index.ts'
import { type Committee, WeightCounter } from './core/committee.ts'
import type { ConsensusParameters } from './core/parameters.ts'
import type { Replica } from './core/replica.ts'
import type { CertifiedCommits } from './core/sync.ts'
import { encodeVertex, type VertexRef } from './core/vertex.ts'
import type { CertifiedBytes, ExecutionPort, Vote } from './execution-port.ts'
import type { VertexIntake } from './vertex-intake.ts'
import type { VertexStore } from './vertex-store.ts'
import {
  decodeCommitsRequest,
  decodeCommitsResponse,
  decodeVerticesRequest,
  decodeWitness,
  decodeWitnessRequest,
  encodeCommitsRequest,
  encodeCommitsResponse,
  encodeVerticesRequest,
  encodeWitness,
  encodeWitnessRequest
} from './wire.ts'

export type CatchUpNeeds = {
  readonly committee: () => Committee
  readonly parameters: ConsensusParameters
  readonly network: Network
  readonly execution: ExecutionPort
  readonly intake: VertexIntake
  readonly store: VertexStore
  readonly replica: () => Replica
  /** The highest round this node has signed in an epoch. */
  readonly ownSignedRound: (epoch: number) => number
  readonly self: () => number | undefined
  readonly isStopped: () => boolean
  readonly onCertificate: (sequence: number, votes: readonly Vote[]) => void
  readonly logger: { debug(fields: object, text: string): void }
  /** Performs what the replica asks for after an answer. */
  readonly pump: () => void
}

/** Names kept of what one peer has shown; a newcomer needs the newest of every author. */
const announcedPerPeerMax = 256

/** Both sides of fetching: asks peers for vertices and certified commits, and answers when they ask. */
export class CatchUp {
  readonly #needs: CatchUpNeeds
  /** By peer: what it has shown and we lack, until it is fetched. */
  readonly #announced = new Map<string, Set<string>>()
  /** Fetched from somebody already. */
  readonly #fetching = new Set<string>()

  constructor(needs: CatchUpNeeds) {
    this.#needs = needs
  }

  register(): void {
    this.#needs.network.serve(protocolIds.vertices, (_, request) => this.#serveVertices(request))
    this.#needs.network.serve(protocolIds.commits, (_, request) => this.#serveCommits(request))
    this.#needs.network.serve(protocolIds.witness, async (_, request) => this.#serveWitness(request))
  }

  async fetchVertices(peer: string, digests: readonly string[], aboveRound: number): Promise<void> {
    try {
      const response = await this.#needs.network.request(
        peer,
        protocolIds.vertices,
        encodeVerticesRequest({ aboveRound, digests }),
        this.#needs.parameters.fetchTimeoutMs
      )
      const frames = splitFrames(response, 2 * this.#needs.parameters.refsPerFetchMax)
      const vertices = await Promise.all(frames.map(bytes => this.#needs.intake.verifiedBytes(peer, bytes)))
      // Parents before children: nothing is suspended that need not be.
      const found = vertices.filter(vertex => vertex !== undefined).sort((a, b) => a.header.round - b.header.round)
      if (!this.#needs.isStopped()) this.#needs.replica().receive(peer, found)
      await this.#needs.intake.settled(digests)
    } catch (error) {
      this.#needs.logger.debug({ peer, reason: String(error) }, 'fetch of vertices failed')
    }
    if (this.#needs.isStopped()) return
    this.#needs.replica().fetchEnded(peer, digests)
    this.#needs.pump()
  }

  /** A peer names vertices that it has. What is not here is fetched from it, each vertex from one peer at a time. */
  announced(peer: string, epoch: number, refs: readonly VertexRef[]): void {
    if (epoch !== this.#needs.committee().epoch) return
    const wanted = this.#announced.get(peer) ?? new Set<string>()
    for (const { round, digest } of refs) {
      if (wanted.size >= announcedPerPeerMax) break
      if (!this.#fetching.has(digest) && this.#needs.intake.isWelcome({ epoch, round }, digest)) wanted.add(digest)
    }
    if (wanted.size === 0 || this.#announced.has(peer)) return
    this.#announced.set(peer, wanted)
    void this.#fetchAnnounced(peer, wanted)
  }

  async #fetchAnnounced(peer: string, wanted: Set<string>): Promise<void> {
    while (wanted.size > 0 && !this.#needs.isStopped()) {
      const digests = [...wanted].slice(0, this.#needs.parameters.refsPerFetchMax)
      for (const digest of digests) this.#fetching.add(digest)
      // Above all rounds: only what was named, none of its ancestors.
      await this.fetchVertices(peer, digests, Number.MAX_SAFE_INTEGER)
      for (const digest of digests) {
        this.#fetching.delete(digest)
        wanted.delete(digest)
      }
    }
    this.#announced.delete(peer)
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
    const near = this.#needs.replica().ancestors(digests, aboveRound, this.#needs.parameters.refsPerFetchMax)
    for (const vertex of near) if (!take(encodeVertex(vertex))) return joinFrames(frames)
    const inMemory = new Set(near.map(vertex => vertex.digest))
    for (const digest of digests) {
      if (inMemory.has(digest)) continue
      const bytes = await this.#needs.store.vertexBytes(digest)
      if (bytes !== undefined && !take(bytes)) break
    }
    return joinFrames(frames)
  }

  async fetchCommits(peer: string, fromIndex: number): Promise<void> {
    let answer: CertifiedCommits | undefined
    try {
      const bytes = await this.#needs.network.request(
        peer,
        protocolIds.commits,
        encodeCommitsRequest(fromIndex),
        this.#needs.parameters.fetchTimeoutMs
      )
      const response = decodeCommitsResponse(bytes, networkLimits.responseBytesMax)
      if (response.checkpoint.length > 0)
        answer = await this.#certifiedCommits(response.commits, response.checkpoint, response.votes)
      const fault = this.#needs.isStopped() ? undefined : this.#needs.replica().commitsReceived(answer)
      if (answer !== undefined && fault !== undefined) this.#needs.network.penalise(peer, 10, fault)
    } catch (error) {
      this.#needs.logger.debug({ peer, reason: String(error) }, 'fetch of commits failed')
      if (isBlyanError(error, 'ENCODING_INVALID')) this.#needs.network.penalise(peer, 10, error.code)
      if (!this.#needs.isStopped()) this.#needs.replica().commitsReceived(undefined)
    }
    this.#needs.pump()
  }

  /** Asks a validator what it saw of our key. */
  async askWitness(peer: string): Promise<void> {
    const author = this.#needs.self()
    const { epoch } = this.#needs.committee()
    if (author === undefined) return
    try {
      const request = encodeWitnessRequest({ epoch, author })
      const { fetchTimeoutMs } = this.#needs.parameters
      const bytes = await this.#needs.network.request(peer, protocolIds.witness, request, fetchTimeoutMs)
      const witness = decodeWitness(bytes)
      if (this.#needs.isStopped() || witness.epoch !== epoch || epoch !== this.#needs.committee().epoch) return
      this.#needs.replica().witnessReceived(peer, witness)
    } catch (error) {
      this.#needs.logger.debug({ peer, reason: String(error) }, 'no witness')
    }
    this.#needs.pump()
  }

  #serveWitness(request: Uint8Array): Uint8Array {
    const { epoch, author } = decodeWitnessRequest(request)
    const committee = this.#needs.committee()
    const isKnown = epoch === committee.epoch && author < committee.validators.length
    return encodeWitness({
      epoch: committee.epoch,
      seenRound: isKnown ? this.#needs.replica().highestRoundOf(author) : 0,
      ownRound: isKnown ? this.#needs.ownSignedRound(epoch) : 0
    })
  }

  async #certifiedCommits(
    commits: readonly Uint8Array[],
    checkpoint: Uint8Array,
    votes: readonly Vote[]
  ): Promise<CertifiedCommits | undefined> {
    const summary = this.#needs.execution.readCheckpoint(checkpoint)
    // Sets of two epochs share members: the certificate of the next one could pass for one of ours.
    if (summary.epoch !== this.#needs.committee().epoch) return undefined
    const weight = new WeightCounter(this.#needs.committee())
    // Only what was checked is kept: one false signature more would spoil every proof made from the certificate.
    const checked = new Map<number, Vote>()
    for (const vote of votes.slice(0, this.#needs.committee().validators.length)) {
      const validator = this.#needs.committee().validators[vote.author]
      if (
        validator !== undefined &&
        !checked.has(vote.author) &&
        (await verifySignature(
          validator.publicKey,
          this.#needs.execution.checkpointMessage(summary.digest),
          vote.signature
        ))
      ) {
        weight.add(vote.author)
        checked.set(vote.author, vote)
      }
    }
    if (!weight.isOrderingQuorum) return undefined
    if (!weight.isQuorum) return { commits, certificate: { ...summary, isOrderOnly: true } }
    const certificate = [...checked.values()]
    this.#needs.onCertificate(summary.sequence, certificate)
    this.#needs.execution.noteCertified(summary.sequence, certificate, summary.commitIndex)
    return { commits, certificate: summary }
  }

  /**
   * The last certified checkpoint that one answer reaches, within an epoch: many have few commits, and each ask costs a
   * round trip. Every checkpointCommitsMax (128 at most) commits there is a checkpoint, so there is none only where many
   * in a row were never certified. A part without a certificate would be safe for nobody: a snapshot leads across.
   */
  async #lastCertified(fromIndex: number): Promise<CertifiedBytes | undefined> {
    const { execution, parameters } = this.#needs
    let last: CertifiedBytes | undefined
    for (let index = fromIndex; ; index = last.summary.commitIndex + 1) {
      const next = await execution.certifiedFrom(index)
      const isWithin = next !== undefined && next.summary.commitIndex - fromIndex < parameters.commitsPerSyncMax
      if (!isWithin || (last !== undefined && next.summary.epoch !== last.summary.epoch)) return last
      last = next
    }
  }

  async #serveCommits(request: Uint8Array): Promise<Uint8Array> {
    const fromIndex = decodeCommitsRequest(request)
    const nothing = encodeCommitsResponse({ commits: [], checkpoint: new Uint8Array(0), votes: [] })
    const certified = await this.#lastCertified(fromIndex)
    if (certified === undefined) return nothing
    const commits: Uint8Array[] = []
    for (let index = fromIndex; index <= certified.summary.commitIndex; index++) {
      const bytes = await this.#needs.store.commitBytes(index)
      if (bytes === undefined) return nothing
      commits.push(bytes)
    }
    return encodeCommitsResponse({ commits, checkpoint: certified.checkpoint, votes: certified.votes })
  }
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

/** At most `framesMax`: a response can hold millions of empty ones. */
export function splitFrames(bytes: Uint8Array, framesMax: number): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const frames: Uint8Array[] = []
  for (let offset = 0; offset + 4 <= bytes.length && frames.length < framesMax; ) {
    const end = offset + 4 + view.getUint32(offset)
    if (end > bytes.length) break
    frames.push(bytes.subarray(offset + 4, end))
    offset = end
  }
  return frames
}
