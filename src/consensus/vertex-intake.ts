import { verifySignature } from '../codec/index.ts'
import type { Network } from '../net/index.ts'
import type { Committee } from './core/committee.ts'
import type { ConsensusParameters } from './core/parameters.ts'
import { decodeVertex, staticFault, type Vertex, type VertexHeader, vertexSigningBytes } from './core/vertex.ts'
import type { ExecutionPort } from './execution-port.ts'
import { VerifyingRoom } from './verifying-room.ts'

export type VertexIntakeNeeds = {
  readonly committee: () => Committee
  readonly genesisDigest: Uint8Array
  readonly parameters: ConsensusParameters
  readonly network: Network
  readonly execution: ExecutionPort
  /** Accepted: nobody needs it again. */
  readonly isKnown: (digest: string) => boolean
  /** Accepted, or kept until its ancestors are here: to be brought again only on request. */
  readonly isHeld: (digest: string) => boolean
  /** At and below the garbage-collection round: whoever sends it again must not cost us a signature check. */
  readonly isForgotten: (round: number) => boolean
  /** A member signed a vertex that no rule allows. */
  readonly onInvalidVertex?: ((vertex: Vertex, reason: string) => void) | undefined
}

const faultPoints = 20
const verifyingShare = { bytesMax: 64 * 1024 * 1024, bytesPerPeerMax: 4 * 1024 * 1024 }

/** Turns bytes of a peer into vertices whose form and signatures are checked, off the thread that decides. */
export class VertexIntake {
  readonly #needs: VertexIntakeNeeds
  readonly #verifying = new Map<string, Promise<void>>()
  readonly #room = new VerifyingRoom(verifyingShare)

  constructor(needs: VertexIntakeNeeds) {
    this.#needs = needs
  }

  /** Undefined when this peer may send more at once, else done when it may. */
  roomFor(peerId: string): Promise<void> | undefined {
    if (this.#room.isOpenTo(peerId)) return undefined
    return this.#room.enter(peerId, 1)?.then(() => this.#room.leave(peerId, 1))
  }

  /** Undefined for what does not decode, which costs the peer points. */
  decoded(peerId: string, bytes: Uint8Array): Vertex | undefined {
    try {
      return decodeVertex(bytes)
    } catch {
      this.#needs.network.penalise(peerId, faultPoints, 'vertex that does not decode')
      return undefined
    }
  }

  /** Whether somebody who was not asked may bring this. */
  isWelcome(header: Pick<VertexHeader, 'epoch' | 'round'>, digest: string): boolean {
    return this.#isOfUse(header, digest) && !this.#needs.isHeld(digest)
  }

  async verifiedBytes(peerId: string, bytes: Uint8Array): Promise<Vertex | undefined> {
    const vertex = this.decoded(peerId, bytes)
    if (vertex === undefined || !this.#isOfUse(vertex.header, vertex.digest)) return undefined
    return this.verified(peerId, vertex)
  }

  /** Done when none of these is being verified any more, and those that were have been taken in. */
  async settled(digests: readonly string[]): Promise<void> {
    const open = digests.map(digest => this.#verifying.get(digest)).filter(one => one !== undefined)
    if (open.length === 0) return
    await Promise.all(open)
    await new Promise(resolve => setImmediate(resolve))
  }

  /** Undefined for what is wrong, which costs the peer points, or has come from elsewhere meanwhile. */
  async verified(peerId: string, vertex: Vertex): Promise<Vertex | undefined> {
    const sizeBytes = vertex.headerBytes.length + vertex.body.length
    await this.#room.enter(peerId, sizeBytes)
    const done = Promise.withResolvers<void>()
    let isOurs = false
    try {
      if (!this.#isOfUse(vertex.header, vertex.digest)) return undefined
      this.#verifying.set(vertex.digest, done.promise)
      isOurs = true
      const committee = this.#needs.committee()
      const ofForm = staticFault(vertex, committee, this.#needs.parameters)
      const fault = ofForm ?? (await this.#signatureFault(vertex, committee))
      if (committee.epoch !== this.#needs.committee().epoch) return undefined
      if (fault === undefined) return vertex
      this.#needs.network.penalise(peerId, faultPoints, fault)
      if (await this.#isSignedByAuthor(vertex, committee)) this.#needs.onInvalidVertex?.(vertex, fault)
      return undefined
    } finally {
      if (isOurs) this.#verifying.delete(vertex.digest)
      done.resolve()
      this.#room.leave(peerId, sizeBytes)
    }
  }

  /** False for another epoch too: somebody has gone on before us, or not yet. */
  #isOfUse(header: Pick<VertexHeader, 'epoch' | 'round'>, digest: string): boolean {
    return (
      header.epoch === this.#needs.committee().epoch &&
      !this.#needs.isForgotten(header.round) &&
      !this.#needs.isKnown(digest) &&
      !this.#verifying.has(digest)
    )
  }

  /** False for what others can have made: it accuses nobody. */
  async #isSignedByAuthor({ header, digest, signature }: Vertex, committee: Committee): Promise<boolean> {
    const { publicKey } = committee.validators[header.author] ?? {}
    if (publicKey === undefined || header.epoch !== committee.epoch) return false
    return verifySignature(publicKey, vertexSigningBytes(this.#needs.genesisDigest, digest), signature)
  }

  async #signatureFault(vertex: Vertex, committee: Committee): Promise<string | undefined> {
    const { publicKey } = committee.validators[vertex.header.author]!
    if (!(await this.#isSignedByAuthor(vertex, committee))) return 'vertex signature'
    for (const vote of vertex.header.votes) {
      if (!(await verifySignature(publicKey, this.#needs.execution.checkpointMessage(vote.digest), vote.signature)))
        return 'vote signature'
    }
    return (await this.#needs.execution.checkEvents(vertex))
      ? undefined
      : 'an event in the vertex is not well-formed or not rightly signed'
  }
}
