import { bytesToHex, concatBytes, decodeCanonical, encodeCanonical, hexToBytes } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { briefOf, encodeBrief, readRefs } from './brief-vertex.ts'
import type { PeerProgress } from './core/peer-table.ts'
import type { Witness } from './core/recovery.ts'
import { encodeVertex, type Vertex, type VertexRef } from './core/vertex.ts'

/** Frames of the feed begin with one byte that names them. */
export const feedFrame = { vertex: 1, progress: 2, announcement: 3, brief: 4 } as const

/** Vertices that a peer has: whoever lacks one fetches it from that peer. */
export type Announcement = { readonly epoch: number; readonly refs: readonly VertexRef[] }

export const announcedRefsMax = 256
const announcementBytesMax = 16 * 1024

export function encodeAnnouncement(announcement: Announcement): Uint8Array {
  return concatBytes(
    Uint8Array.of(feedFrame.announcement),
    encodeCanonical([
      announcement.epoch,
      announcement.refs.map(ref => [ref.round, ref.author, hexToBytes(ref.digest)!])
    ])
  )
}

/** `bytes` without the first one. Throws ENCODING_INVALID. */
export function decodeAnnouncement(bytes: Uint8Array): Announcement {
  const value = decodeCanonical(bytes, { sizeBytesMax: announcementBytesMax })
  if (!Array.isArray(value) || value.length !== 2) throw invalid('announcement')
  return { epoch: naturals([value[0]], 1)[0]!, refs: readRefs(value[1], announcedRefsMax) }
}

export function encodeVertexFrame(vertex: Vertex): Uint8Array {
  return concatBytes(Uint8Array.of(feedFrame.vertex), encodeVertex(vertex))
}

/** The short form where there is one, else the whole vertex. */
export function encodeBriefFrame(vertex: Vertex): Uint8Array {
  const brief = briefOf(vertex)
  return brief === undefined
    ? encodeVertexFrame(vertex)
    : concatBytes(Uint8Array.of(feedFrame.brief), encodeBrief(brief))
}

export function encodeProgress(progress: PeerProgress): Uint8Array {
  return concatBytes(
    Uint8Array.of(feedFrame.progress),
    encodeCanonical([
      progress.epoch,
      progress.round,
      progress.commitIndex,
      progress.certifiedCommitIndex,
      progress.oldestCommitIndex,
      progress.snapshotCommitIndex
    ])
  )
}

/** `bytes` without the first one. Throws ENCODING_INVALID. */
export function decodeProgress(bytes: Uint8Array): PeerProgress {
  const fields = naturals(decodeCanonical(bytes, { sizeBytesMax: 64 }), 6)
  return {
    epoch: fields[0]!,
    round: fields[1]!,
    commitIndex: fields[2]!,
    certifiedCommitIndex: fields[3]!,
    oldestCommitIndex: fields[4]!,
    snapshotCommitIndex: fields[5]!
  }
}

export type WitnessRequest = { readonly epoch: number; readonly author: number }

export function encodeWitnessRequest(request: WitnessRequest): Uint8Array {
  return encodeCanonical([request.epoch, request.author])
}

/** Throws ENCODING_INVALID. */
export function decodeWitnessRequest(bytes: Uint8Array): WitnessRequest {
  const [epoch, author] = naturals(decodeCanonical(bytes, { sizeBytesMax: 64 }), 2)
  return { epoch: epoch!, author: author! }
}

export type WitnessAnswer = Witness & { readonly epoch: number }

export function encodeWitness(answer: WitnessAnswer): Uint8Array {
  return encodeCanonical([answer.epoch, answer.seenRound, answer.ownRound])
}

/** Throws ENCODING_INVALID. */
export function decodeWitness(bytes: Uint8Array): WitnessAnswer {
  const [epoch, seenRound, ownRound] = naturals(decodeCanonical(bytes, { sizeBytesMax: 64 }), 3)
  return { epoch: epoch!, seenRound: seenRound!, ownRound: ownRound! }
}

export type VerticesRequest = { readonly aboveRound: number; readonly digests: readonly string[] }

export function encodeVerticesRequest(request: VerticesRequest): Uint8Array {
  return encodeCanonical([Math.max(0, request.aboveRound), request.digests.map(digest => hexToBytes(digest)!)])
}

export function decodeVerticesRequest(bytes: Uint8Array, digestsMax: number): VerticesRequest {
  const value = decodeCanonical(bytes, { sizeBytesMax: 64 + 34 * digestsMax })
  if (!Array.isArray(value) || value.length !== 2 || !Array.isArray(value[1]) || value[1].length > digestsMax)
    throw invalid('vertices request')
  const digests = value[1].map(digest => {
    if (!(digest instanceof Uint8Array) || digest.length !== 32) throw invalid('vertices request')
    return bytesToHex(digest)
  })
  return { aboveRound: naturals([value[0]], 1)[0]!, digests }
}

export type CommitsResponse = {
  readonly commits: readonly Uint8Array[]
  /** Empty when the peer has nothing to offer. */
  readonly checkpoint: Uint8Array
  readonly votes: readonly { readonly author: number; readonly signature: Uint8Array }[]
}

/** The three parts, at most 512 commits, and three items for each of at most 1024 votes. */
const commitsResponseItemsMax = 4 + 512 + 3 * 1024

/** Megabytes of one-byte items take seconds and hundreds of megabytes to decode: they are counted before. */
function hasMoreItems(bytes: Uint8Array, itemsMax: number): boolean {
  let offset = 0
  for (let items = 0; offset < bytes.length; items++) {
    if (items > itemsMax) return true
    const major = bytes[offset]! >> 5
    const extra = bytes[offset]! & 31
    const lengthBytes = extra < 24 ? 0 : 2 ** Math.min(extra - 24, 3)
    let argument = extra < 24 ? extra : 0
    for (let place = 1; place <= lengthBytes; place++) argument = argument * 256 + (bytes[offset + place] ?? 0)
    offset += 1 + lengthBytes + (major === 2 || major === 3 ? argument : 0)
  }
  return false
}

export function encodeCommitsRequest(fromIndex: number): Uint8Array {
  return encodeCanonical([fromIndex])
}

export function decodeCommitsRequest(bytes: Uint8Array): number {
  return naturals(decodeCanonical(bytes, { sizeBytesMax: 64 }), 1)[0]!
}

export function encodeCommitsResponse(response: CommitsResponse): Uint8Array {
  return encodeCanonical([
    [...response.commits],
    response.checkpoint,
    response.votes.map(vote => [vote.author, vote.signature])
  ])
}

/** Throws ENCODING_INVALID. */
export function decodeCommitsResponse(bytes: Uint8Array, sizeBytesMax: number): CommitsResponse {
  if (hasMoreItems(bytes, commitsResponseItemsMax)) throw invalid('commits response')
  const value = decodeCanonical(bytes, { sizeBytesMax })
  if (!Array.isArray(value) || value.length !== 3) throw invalid('commits response')
  const [commits, checkpoint, votes] = value
  if (!Array.isArray(commits) || !(checkpoint instanceof Uint8Array) || !Array.isArray(votes) || votes.length > 1024)
    throw invalid('commits response')
  return {
    commits: commits.map(commit => {
      if (!(commit instanceof Uint8Array)) throw invalid('commits response')
      return commit
    }),
    checkpoint,
    votes: votes.map(vote => {
      if (!Array.isArray(vote) || vote.length !== 2 || !(vote[1] instanceof Uint8Array))
        throw invalid('commits response')
      return { author: naturals([vote[0]], 1)[0]!, signature: vote[1] }
    })
  }
}

function naturals(value: unknown, count: number): number[] {
  if (!Array.isArray(value) || value.length !== count) throw invalid('list of numbers')
  for (const item of value) if (!Number.isSafeInteger(item) || (item as number) < 0) throw invalid('natural number')
  return value as number[]
}

function invalid(reason: string): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason })
}
