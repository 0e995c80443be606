import { concatBytes, verifySignature } from '../codec/index.ts'
import { isBlyanError } from '../errors/index.ts'
import { type Network, networkLimits, protocolIds } from '../net/index.ts'
import { type Committee, WeightCounter } from './core/committee.ts'
import type { ConsensusParameters } from './core/parameters.ts'
import type { Replica } from './core/replica.ts'
import type { CertifiedCommits } from './core/sync.ts'
import { encodeVertex } from './core/vertex.ts'
import type { ExecutionPort, Vote } from './execution-port.ts'
import type { VertexIntake } from './vertex-intake.ts'
import type { VertexStore } from './vertex-store.ts'
import {
  decodeCommitsRequest,
  decodeCommitsResponse,
  decodeVerticesRequest,
  encodeCommitsRequest,
  encodeCommitsResponse,
  encodeVerticesRequest
} from './wire.ts'

export type CatchUpNeeds = {
  readonly committee: Committee
  readonly parameters: ConsensusParameters
  readonly network: Network
  readonly execution: ExecutionPort
  readonly intake: VertexIntake
  readonly store: VertexStore
  readonly replica: () => Replica
  readonly isStopped: () => boolean
  readonly onCertificate: (sequence: number, votes: readonly Vote[]) => void
  readonly logger: { debug(fields: object, text: string): void }
  /** Performs what the replica asks for after an answer. */
  readonly pump: () => void
}

/** A peer that promises commits and has none must not be asked again as fast as it answers. */
const fruitlessPauseMs = 250

/** Both sides of fetching: asks peers for vertices and certified commits, and answers when they ask. */
export class CatchUp {
  readonly #needs: CatchUpNeeds

  constructor(needs: CatchUpNeeds) {
    this.#needs = needs
  }

  register(): void {
    this.#needs.network.serve(protocolIds.vertices, (_, request) => this.#serveVertices(request))
    this.#needs.network.serve(protocolIds.commits, (_, request) => this.#serveCommits(request))
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
      const vertices = await Promise.all(frames.map(bytes => this.#needs.intake.verified(peer, bytes)))
      // Parents before children: nothing is suspended that need not be.
      const found = vertices.filter(vertex => vertex !== undefined).sort((a, b) => a.header.round - b.header.round)
      if (!this.#needs.isStopped()) this.#needs.replica().receive(peer, found)
    } catch (error) {
      this.#needs.logger.debug({ peer, reason: String(error) }, 'fetch of vertices failed')
    }
    if (this.#needs.isStopped()) return
    this.#needs.replica().fetchEnded(peer, digests)
    this.#needs.pump()
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
      if (answer === undefined) await pause(fruitlessPauseMs)
      const fault = this.#needs.isStopped() ? undefined : this.#needs.replica().commitsReceived(answer)
      if (answer !== undefined && fault !== undefined) this.#needs.network.penalise(peer, 10, fault)
    } catch (error) {
      this.#needs.logger.debug({ peer, reason: String(error) }, 'fetch of commits failed')
      if (isBlyanError(error, 'ENCODING_INVALID')) this.#needs.network.penalise(peer, 10, error.code)
      await pause(fruitlessPauseMs)
      if (!this.#needs.isStopped()) this.#needs.replica().commitsReceived(undefined)
    }
    this.#needs.pump()
  }

  async #certifiedCommits(
    commits: readonly Uint8Array[],
    checkpoint: Uint8Array,
    votes: readonly Vote[]
  ): Promise<CertifiedCommits | undefined> {
    const summary = this.#needs.execution.readCheckpoint(checkpoint)
    const weight = new WeightCounter(this.#needs.committee)
    // Only what was checked is kept: one false signature more would spoil every proof made from the certificate.
    const checked = new Map<number, Vote>()
    for (const vote of votes.slice(0, this.#needs.committee.validators.length)) {
      const validator = this.#needs.committee.validators[vote.author]
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
    if (!weight.isQuorum) return undefined
    const certificate = [...checked.values()]
    this.#needs.onCertificate(summary.sequence, certificate)
    this.#needs.execution.noteCertified(summary.sequence, certificate, summary.commitIndex)
    return { commits, certificate: summary }
  }

  async #serveCommits(request: Uint8Array): Promise<Uint8Array> {
    const fromIndex = decodeCommitsRequest(request)
    const nothing = encodeCommitsResponse({ commits: [], checkpoint: new Uint8Array(0), votes: [] })
    const certified = await this.#needs.execution.certifiedFrom(fromIndex)
    if (
      certified === undefined ||
      certified.summary.commitIndex - fromIndex >= this.#needs.parameters.commitsPerSyncMax
    )
      return nothing
    const commits: Uint8Array[] = []
    for (let index = fromIndex; index <= certified.summary.commitIndex; index++) {
      const bytes = await this.#needs.store.commitBytes(index)
      if (bytes === undefined) return nothing
      commits.push(bytes)
    }
    return encodeCommitsResponse({ commits, checkpoint: certified.checkpoint, votes: certified.votes })
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, delayMs))
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
function splitFrames(bytes: Uint8Array, framesMax: number): Uint8Array[] {
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
