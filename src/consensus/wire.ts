import { bytesToHex, concatBytes, decodeCanonical, encodeCanonical, hexToBytes } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import type { PeerProgress } from './core/sync.ts'

/** Frames of the feed begin with one byte that names them. */
export const feedFrame = { vertex: 1, progress: 2 } as const

export function encodeProgress(progress: PeerProgress): Uint8Array {
  return concatBytes(
    Uint8Array.of(feedFrame.progress),
    encodeCanonical([progress.round, progress.commitIndex, progress.certifiedCommitIndex])
  )
}

/** `bytes` without the first one. Throws ENCODING_INVALID. */
export function decodeProgress(bytes: Uint8Array): PeerProgress {
  const [round, commitIndex, certifiedCommitIndex] = naturals(decodeCanonical(bytes, { sizeBytesMax: 64 }), 3)
  return { round: round!, commitIndex: commitIndex!, certifiedCommitIndex: certifiedCommitIndex! }
}

export type VerticesRequest = { readonly aboveRound: number; readonly digests: readonly string[] }

export function encodeVerticesRequest(request: VerticesRequest): Uint8Array {
  return encodeCanonical([Math.max(0, request.aboveRound), request.digests.map(digest => hexToBytes(digest)!)])
}

export function decodeVerticesRequest(bytes: Uint8Array, digestsMax: number): VerticesRequest {
  const value = decodeCanonical(bytes, { sizeBytesMax: 64 * 1024 })
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

/** The three parts, at most 256 commits, and three items for each of at most 1024 votes. */
const commitsResponseItemsMax = 4 + 256 + 3 * 1024

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
