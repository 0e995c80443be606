import { bytesToHex, sha256 } from '../../src/codec/index.ts'
import { encodeBody, encodeHeader, type VertexHeader, type VertexRef } from '../../src/consensus/core/vertex.ts'
import { eventsOfBody, type Vertex } from '../../src/consensus/index.ts'
import { checkpointMessage, type Keyring, vertexMessage } from './keyring.ts'
import type { Random } from './random.ts'
import { malformedMark } from './vertex-verdicts.ts'

/** Vertices that no honest node makes, signed with the one key that the liar has. */
export class LiarVertices {
  readonly #random: Random
  readonly #keyring: Keyring
  readonly #key: string
  #made = 0

  constructor(random: Random, keyring: Keyring, key: string) {
    this.#random = random
    this.#keyring = keyring
    this.#key = key
  }

  make(header: VertexHeader, body: Uint8Array): Vertex {
    const bound = { ...header, bodyDigest: bytesToHex(sha256(body)), eventCount: eventsOfBody(body).length }
    const headerBytes = encodeHeader(bound)
    const digest = bytesToHex(sha256(headerBytes))
    return {
      digest,
      header: bound,
      headerBytes,
      signature: this.#keyring.sign(this.#key, vertexMessage(digest)),
      body
    }
  }

  /** Another vertex for the same slot. */
  twin({ header, body }: Pick<Vertex, 'header' | 'body'>): Vertex {
    const how = this.#random.integer(0, 3)
    if (how === 0) return this.make({ ...header, timestampMs: header.timestampMs + 1 + this.#made++ }, body)
    if (how === 1) return this.make(header, encodeBody([this.#event()]))
    if (how === 2) return this.make({ ...header, votes: [this.wrongVote(header)] }, body)
    return this.make({ ...header, parents: this.fewer(header) }, encodeBody([this.#event()]))
  }

  fewer(header: VertexHeader): VertexRef[] {
    const [own, ...others] = header.parents
    return own === undefined ? [] : [own, ...this.#random.some(others, 0.8)]
  }

  wrongVote(header: VertexHeader): VertexHeader['votes'][number] {
    const digest = this.#digest()
    const sequence = (header.votes[0]?.sequence ?? 1) + this.#random.pick([0, 0, 1, 2, 1000])
    return { sequence, digest, signature: this.#keyring.sign(this.#key, checkpointMessage(digest)) }
  }

  /** With parents that nobody has ever made, in any round. */
  unknownParents(header: VertexHeader, round: number): Vertex {
    const parents = header.parents.map(({ author }) => ({ author, round: round - 1, digest: this.#digest() }))
    return this.make({ ...header, round, parents }, encodeBody([this.#event()]))
  }

  /** True digests beside another author or round than their own. */
  misnamedParents(header: VertexHeader): Vertex {
    const digests = this.#random.shuffled(header.parents.map(parent => parent.digest))
    const parents = header.parents.map((parent, place) => ({
      ...parent,
      digest: digests[place]!,
      round: this.#random.chance(0.2) ? Math.max(0, parent.round - 1) : parent.round
    }))
    return this.make({ ...header, parents }, encodeBody([this.#event()]))
  }

  malformed(header: VertexHeader): Vertex {
    const how = this.#random.integer(0, 3)
    const good = this.make(header, encodeBody([this.#event()]))
    if (how === 0) return this.make(header, encodeBody([Buffer.from(`${malformedMark}${this.#made++}`)]))
    if (how === 1) return { ...good, body: encodeBody([this.#event()]) }
    if (how === 2) return { ...good, digest: this.#digest() }
    return { ...good, headerBytes: good.headerBytes.subarray(1) }
  }

  /** In the name of somebody whose key the liar does not have. */
  forged(header: VertexHeader, author: number): Vertex {
    const others = header.parents.filter(parent => parent.author !== author)
    return this.make({ ...header, author, parents: others }, encodeBody([this.#event()]))
  }

  /** An event that honest nodes have seen, one too early, or one of its own. */
  eventsLike(others: readonly Vertex[]): Uint8Array {
    const known = others.flatMap(vertex => eventsOfBody(vertex.body))
    const events = this.#random.some(known, 0.5).slice(0, 1)
    return encodeBody(this.#random.chance(0.5) ? events : [...events, this.#event()].slice(0, 1))
  }

  #event(): Uint8Array {
    return Buffer.from(
      this.#random.chance(0.2) ? `chain0.${this.#random.integer(50, 99)}` : `lie ${this.#key} ${this.#made++}`
    )
  }

  #digest(): string {
    return bytesToHex(sha256(Buffer.from(`nothing ${this.#key} ${this.#random.next()}`)))
  }
}
