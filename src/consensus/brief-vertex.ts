import {
  bytesToHex,
  decodeCanonical,
  encodeCanonical,
  hexToBytes,
  readDigest,
  readNatural,
  sha256
} from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { encodeHeader, type Vertex, type VertexHeader, type VertexRef } from './core/vertex.ts'

/**
 * A vertex without events, told to who has its parents. The digests of its parents are most of such a vertex, and of the
 * round just before a reader has one vertex of each author: a bit for each author says it all. The digest tells whether
 * the reader put together the right one.
 */
export type BriefVertex = {
  readonly epoch: number
  readonly round: number
  readonly author: number
  readonly timestampMs: number
  /** One bit for each author, lowest first: its vertex of the round before is a parent. */
  readonly present: Uint8Array
  /** Parents of older rounds, by author. */
  readonly older: readonly VertexRef[]
  readonly digest: string
  readonly signature: Uint8Array
}

export const briefBytesMax = 16 * 1024
const authorsMax = 256
const signatureBytes = 64
const emptyBodyDigest = bytesToHex(sha256(new Uint8Array(0)))

/** Undefined for a vertex with events or votes, or with parents in an order of its own. */
export function briefOf(vertex: Vertex): BriefVertex | undefined {
  const { epoch, round, author, timestampMs, parents, eventCount, votes } = vertex.header
  if (eventCount > 0 || vertex.body.length > 0 || votes.length > 0) return undefined
  const near = parents.filter(parent => parent.round === round - 1)
  const present = new Uint8Array(Math.ceil((Math.max(-1, ...near.map(parent => parent.author)) + 1) / 8))
  for (const parent of near) present[parent.author >> 3]! |= 1 << (parent.author & 7)
  const older = parents.filter(parent => parent.round !== round - 1)
  const brief = {
    epoch,
    round,
    author,
    timestampMs,
    present,
    older,
    digest: vertex.digest,
    signature: vertex.signature
  }
  const byAuthor = new Map(near.map(parent => [parent.author, parent.digest]))
  return completeBrief(brief, parent => byAuthor.get(parent)) === undefined ? undefined : brief
}

/** The vertex that was meant; `parentOf` gives the digest of an author's only vertex of the round before. */
export function completeBrief(
  brief: BriefVertex,
  parentOf: (author: number) => string | undefined
): Vertex | undefined {
  const parents = [...brief.older]
  for (let author = 0; author < brief.present.length * 8; author++) {
    if ((brief.present[author >> 3]! & (1 << (author & 7))) === 0) continue
    const digest = parentOf(author)
    if (digest === undefined) return undefined
    parents.push({ round: brief.round - 1, author, digest })
  }
  parents.sort((a, b) => Number(b.author === brief.author) - Number(a.author === brief.author) || a.author - b.author)
  const { epoch, round, author, timestampMs } = brief
  const header: VertexHeader = {
    epoch,
    round,
    author,
    timestampMs,
    parents,
    eventCount: 0,
    bodyDigest: emptyBodyDigest,
    votes: []
  }
  const headerBytes = encodeHeader(header)
  const digest = bytesToHex(sha256(headerBytes))
  if (digest !== brief.digest) return undefined
  return { digest, header, headerBytes, signature: brief.signature, body: new Uint8Array(0) }
}

export function encodeBrief(brief: BriefVertex): Uint8Array {
  return encodeCanonical([
    brief.epoch,
    brief.round,
    brief.author,
    brief.timestampMs,
    brief.present,
    brief.older.map(ref => [ref.round, ref.author, hexToBytes(ref.digest)!]),
    hexToBytes(brief.digest)!,
    brief.signature
  ])
}

/** Throws ENCODING_INVALID. */
export function decodeBrief(bytes: Uint8Array): BriefVertex {
  const fields = decodeCanonical(bytes, { sizeBytesMax: briefBytesMax })
  if (!Array.isArray(fields) || fields.length !== 8) throw invalid()
  const [epoch, round, author, timestampMs, present, older, digest, signature] = fields
  if (!(present instanceof Uint8Array) || present.length > authorsMax / 8) throw invalid()
  if (!(signature instanceof Uint8Array) || signature.length !== signatureBytes) throw invalid()
  return {
    epoch: readNatural(epoch, 'brief vertex'),
    round: readNatural(round, 'brief vertex'),
    author: readNatural(author, 'brief vertex'),
    timestampMs: readNatural(timestampMs, 'brief vertex'),
    present,
    older: readRefs(older, authorsMax),
    digest: readDigest(digest, 'brief vertex'),
    signature
  }
}

/** References to vertices, as headers carry them. Throws ENCODING_INVALID. */
export function readRefs(value: unknown, countMax: number): VertexRef[] {
  if (!Array.isArray(value) || value.length > countMax) throw invalid()
  return value.map(ref => {
    if (!Array.isArray(ref) || ref.length !== 3) throw invalid()
    return {
      round: readNatural(ref[0], 'reference'),
      author: readNatural(ref[1], 'reference'),
      digest: readDigest(ref[2], 'reference')
    }
  })
}

function invalid(): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason: 'brief vertex' })
}
