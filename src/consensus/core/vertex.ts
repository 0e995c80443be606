import {
  bytesToHex,
  type CanonicalValue,
  concatBytes,
  decodeCanonical,
  encodeCanonical,
  hexToBytes,
  readDigest,
  readNatural,
  sha256
} from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { Committee, EpochStart } from './committee.ts'
import type { ConsensusParameters } from './parameters.ts'

/** Names one vertex. `digest` is the SHA-256 of its header, in hex. */
export type VertexRef = { readonly round: number; readonly author: number; readonly digest: string }

/** A validator's signature on a checkpoint it has executed, carried by its vertices. */
export type CheckpointVote = { readonly sequence: number; readonly digest: string; readonly signature: Uint8Array }

/** What a validator signs once per round. The body (events) is bound by its digest. */
export type VertexHeader = {
  readonly epoch: number
  readonly round: number
  readonly author: number
  readonly timestampMs: number
  /** Own previous vertex first; at most one per author. */
  readonly parents: readonly VertexRef[]
  readonly eventCount: number
  /** SHA-256 of the body, hex. */
  readonly bodyDigest: string
  readonly votes: readonly CheckpointVote[]
}

export type Vertex = {
  readonly digest: string
  readonly header: VertexHeader
  readonly headerBytes: Uint8Array
  /** 64 bytes over `vertexSigningBytes`; empty for the base vertices of an epoch. */
  readonly signature: Uint8Array
  /** Events, each a 4-byte big-endian length and a signed event. */
  readonly body: Uint8Array
}

export const votesPerVertexMax = 8
const headerBytesMax = 64 * 1024
const signatureBytes = 64
const version = 1

export function refOf(vertex: Vertex): VertexRef {
  return { round: vertex.header.round, author: vertex.header.author, digest: vertex.digest }
}

/** A reference as one word. The digest alone does not do: a liar can put it beside another round or author. */
export function nameOf(ref: VertexRef): string {
  return `${ref.round}/${ref.author}/${ref.digest}`
}

export function encodeHeader(header: VertexHeader): Uint8Array {
  return encodeCanonical([
    version,
    header.epoch,
    header.round,
    header.author,
    header.timestampMs,
    header.parents.map(parent => [parent.round, parent.author, hexToBytes(parent.digest)!]),
    header.eventCount,
    hexToBytes(header.bodyDigest)!,
    header.votes.map(vote => [vote.sequence, hexToBytes(vote.digest)!, vote.signature])
  ])
}

/** Throws ENCODING_INVALID. */
export function decodeHeader(bytes: Uint8Array): VertexHeader {
  const fields = listOf(decodeCanonical(bytes, { sizeBytesMax: headerBytesMax }), 9, 9)
  if (fields[0] !== version) throw invalid('vertex version')
  return {
    epoch: readNatural(fields[1], 'vertex'),
    round: readNatural(fields[2], 'vertex'),
    author: readNatural(fields[3], 'vertex'),
    timestampMs: readNatural(fields[4], 'vertex'),
    parents: listOf(fields[5], 0, 1024).map(parent => {
      const [round, author, digest] = listOf(parent, 3, 3)
      return {
        round: readNatural(round, 'vertex'),
        author: readNatural(author, 'vertex'),
        digest: readDigest(digest, 'vertex')
      }
    }),
    eventCount: readNatural(fields[6], 'vertex'),
    bodyDigest: readDigest(fields[7], 'vertex'),
    votes: listOf(fields[8], 0, votesPerVertexMax).map(vote => {
      const [sequence, digest, signature] = listOf(vote, 3, 3)
      if (!(signature instanceof Uint8Array) || signature.length !== signatureBytes) throw invalid('vote signature')
      return { sequence: readNatural(sequence, 'vertex'), digest: readDigest(digest, 'vertex'), signature }
    })
  }
}

/** Wire form: 4-byte big-endian header length, header, 64-byte signature, body. */
export function encodeVertex(vertex: Vertex): Uint8Array {
  const lengthPrefix = new Uint8Array(4)
  new DataView(lengthPrefix.buffer).setUint32(0, vertex.headerBytes.length)
  return concatBytes(lengthPrefix, vertex.headerBytes, vertex.signature, vertex.body)
}

/**
 * Reads a vertex and checks that its body is the one its header names; the signature is for the caller to check.
 * The parts are views of `bytes`. Throws ENCODING_INVALID.
 */
export function decodeVertex(bytes: Uint8Array): Vertex {
  if (bytes.length < 4 + signatureBytes) throw invalid('vertex too short')
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  const bodyStart = 4 + headerLength + signatureBytes
  if (headerLength > headerBytesMax || bodyStart > bytes.length) throw invalid('vertex header length')
  const headerBytes = bytes.subarray(4, 4 + headerLength)
  const body = bytes.subarray(bodyStart)
  const header = decodeHeader(headerBytes)
  if (bytesToHex(sha256(body)) !== header.bodyDigest) throw invalid('body is not the one the header names')
  return {
    digest: bytesToHex(sha256(headerBytes)),
    header,
    headerBytes,
    signature: bytes.subarray(4 + headerLength, bodyStart),
    body
  }
}

/** Domain-separated bytes of a vertex signature: no other network, and nothing but a vertex, can reuse it. */
export function vertexSigningBytes(genesisDigest: Uint8Array, digest: string): Uint8Array {
  return concatBytes(new TextEncoder().encode('blyan/vertex/1'), genesisDigest, hexToBytes(digest)!)
}

export function encodeBody(events: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(events.reduce((sizeBytes, event) => sizeBytes + 4 + event.length, 0))
  const view = new DataView(body.buffer)
  let offset = 0
  for (const event of events) {
    view.setUint32(offset, event.length)
    body.set(event, offset + 4)
    offset += 4 + event.length
  }
  return body
}

/** Views of the signed events of a body, in order. Throws ENCODING_INVALID when lengths do not add up. */
export function eventsOfBody(body: Uint8Array): Uint8Array[] {
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const events: Uint8Array[] = []
  for (let offset = 0; offset < body.length; ) {
    if (offset + 4 > body.length) throw invalid('body ends inside a length')
    const end = offset + 4 + view.getUint32(offset)
    if (end > body.length) throw invalid('body ends inside an event')
    events.push(body.subarray(offset + 4, end))
    offset = end
  }
  return events
}

/** What an epoch begins with: one unsigned vertex per validator, known to all from its digest, never sent. */
export function baseVertices({ committee, digest, timestampMs }: EpochStart): Vertex[] {
  const body = new Uint8Array(0)
  const bodyDigest = bytesToHex(sha256(digest))
  return committee.validators.map((_, author) => {
    const header: VertexHeader = {
      epoch: committee.epoch,
      round: committee.baseRound,
      author,
      timestampMs,
      parents: [],
      eventCount: 0,
      bodyDigest,
      votes: []
    }
    const headerBytes = encodeHeader(header)
    return { digest: bytesToHex(sha256(headerBytes)), header, headerBytes, signature: new Uint8Array(0), body }
  })
}

/**
 * The rules of a vertex that need no other vertex. A vertex that fails at one honest node fails at all:
 * nothing local (clock, load, state) enters here. Returns the reason, or undefined when all hold.
 */
export function staticFault(vertex: Vertex, committee: Committee, parameters: ConsensusParameters): string | undefined {
  const { header, body } = vertex
  const count = committee.validators.length
  if (header.epoch !== committee.epoch) return 'another epoch'
  if (header.author >= count) return 'author is no member'
  if (header.round <= committee.baseRound) return 'the first round of an epoch is never sent'
  if (header.eventCount > parameters.eventsPerVertexMax || body.length > parameters.bodyBytesMax)
    return 'body over its limit'
  if (header.parents.length === 0 || header.parents.length > count) return 'number of parents'
  const seen = new Set<number>()
  let weight = 0
  for (const [place, parent] of header.parents.entries()) {
    if (parent.author >= count) return 'parent of no member'
    if (seen.has(parent.author)) return 'two parents of one author'
    if (parent.author === header.author && place !== 0) return 'own parent is not the first'
    if (parent.round >= header.round) return 'parent is not older'
    seen.add(parent.author)
    if (parent.round === header.round - 1) weight += committee.validators[parent.author]!.weight
  }
  if (weight < committee.orderingWeight) return 'no quorum of parents in the round before'
  return undefined
}

function listOf(value: CanonicalValue | undefined, lengthMin: number, lengthMax: number): readonly CanonicalValue[] {
  if (!Array.isArray(value) || value.length < lengthMin || value.length > lengthMax) throw invalid('list length')
  return value
}

function invalid(reason: string): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason })
}
