import { verifySignature } from '../codec/index.ts'
import type { Network } from '../net/index.ts'
import type { Committee } from './core/committee.ts'
import type { ConsensusParameters } from './core/parameters.ts'
import { decodeVertex, staticFault, type Vertex, vertexSigningBytes } from './core/vertex.ts'
import type { ExecutionPort } from './execution-port.ts'

export type VertexIntakeNeeds = {
  readonly committee: Committee
  readonly genesisDigest: Uint8Array
  readonly parameters: ConsensusParameters
  readonly network: Network
  readonly execution: ExecutionPort
  readonly isKnown: (digest: string) => boolean
  /** At and below the garbage-collection round: whoever sends it again must not cost us a signature check. */
  readonly isForgotten: (round: number) => boolean
}

const verifyingBytesMax = 64 * 1024 * 1024

/** Turns bytes of a peer into vertices whose form and signatures are checked, off the thread that decides. Bounded in bytes. */
export class VertexIntake {
  readonly #needs: VertexIntakeNeeds
  readonly #verifying = new Set<string>()
  #verifyingBytes = 0

  constructor(needs: VertexIntakeNeeds) {
    this.#needs = needs
  }

  /** Undefined for what is known, being checked, too much at once, or wrong; wrong ones cost the peer points. */
  async verified(peerId: string, bytes: Uint8Array): Promise<Vertex | undefined> {
    if (this.#verifyingBytes + bytes.length > verifyingBytesMax) return undefined
    let vertex: Vertex
    try {
      vertex = decodeVertex(bytes)
    } catch {
      this.#needs.network.penalise(peerId, 20, 'vertex that does not decode')
      return undefined
    }
    if (this.#needs.isForgotten(vertex.header.round)) return undefined
    if (this.#needs.isKnown(vertex.digest) || this.#verifying.has(vertex.digest)) return undefined
    this.#verifying.add(vertex.digest)
    this.#verifyingBytes += bytes.length
    try {
      const fault =
        staticFault(vertex, this.#needs.committee, this.#needs.parameters) ?? (await this.#signatureFault(vertex))
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
    if (
      !(await verifySignature(
        publicKey,
        vertexSigningBytes(this.#needs.genesisDigest, vertex.digest),
        vertex.signature
      ))
    )
      return 'vertex signature'
    for (const vote of vertex.header.votes) {
      if (!(await verifySignature(publicKey, this.#needs.execution.checkpointMessage(vote.digest), vote.signature)))
        return 'vote signature'
    }
    return (await this.#needs.execution.checkEvents(vertex))
      ? undefined
      : 'an event in the vertex is not well-formed or not rightly signed'
  }
}
