import type { Committee } from '../../src/consensus/core/committee.ts'
import { staticFault } from '../../src/consensus/core/vertex.ts'
import {
  type ConsensusParameters,
  decodeVertex,
  encodeVertex,
  eventsOfBody,
  type Vertex
} from '../../src/consensus/index.ts'
import { checkpointMessage, type Keyring, vertexMessage } from './keyring.ts'

/** Events that begin so are not well-formed, as at the real node those with a wrong signature. */
export const malformedMark = '!'

/**
 * What a node checks before a vertex reaches the core, in the same order as src/consensus/vertex-intake.ts: form, static
 * rules, signatures, events. The answer is the same at every node, so it is found once.
 */
export class VertexVerdicts {
  readonly #keyring: Keyring
  readonly #parameters: ConsensusParameters
  readonly #byCommittee = new WeakMap<Committee, WeakMap<Vertex, string>>()

  constructor(keyring: Keyring, parameters: ConsensusParameters) {
    this.#keyring = keyring
    this.#parameters = parameters
  }

  isSound(vertex: Vertex, committee: Committee): boolean {
    return this.fault(vertex, committee) === ''
  }

  fault(vertex: Vertex, committee: Committee): string {
    let known = this.#byCommittee.get(committee)
    if (known === undefined) {
      known = new WeakMap()
      this.#byCommittee.set(committee, known)
    }
    let fault = known.get(vertex)
    if (fault === undefined) {
      fault = this.#find(vertex, committee)
      known.set(vertex, fault)
    }
    return fault
  }

  #find(vertex: Vertex, committee: Committee): string {
    try {
      const decoded = decodeVertex(encodeVertex(vertex))
      if (decoded.digest !== vertex.digest) return 'digest'
    } catch {
      return 'form'
    }
    const fault = staticFault(vertex, committee, this.#parameters)
    if (fault !== undefined) return fault
    const { name } = committee.validators[vertex.header.author]!
    if (!this.#keyring.verify(name, vertexMessage(vertex.digest), vertex.signature)) return 'vertex signature'
    for (const vote of vertex.header.votes)
      if (!this.#keyring.verify(name, checkpointMessage(vote.digest), vote.signature)) return 'vote signature'
    const ids = eventsOfBody(vertex.body).map(bytes => Buffer.from(bytes).toString())
    if (ids.length !== vertex.header.eventCount) return 'number of events'
    return ids.some(id => id.startsWith(malformedMark)) ? 'an event is not well-formed' : ''
  }
}

export function eventIds(vertex: Vertex): string[] {
  return vertex.header.eventCount === 0 ? [] : eventsOfBody(vertex.body).map(bytes => Buffer.from(bytes).toString())
}
