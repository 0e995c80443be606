import {
  bytesToHex,
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  hexToBytes,
  readDigest,
  readNatural,
  sha256
} from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { Committee } from './committee.ts'
import type { Graph } from './graph.ts'
import { refOf, type Vertex, type VertexRef } from './vertex.ts'

/** One decided round: its final vertices and everything their history adds to the agreed order. */
export type Commit = {
  /** 1, 2, 3, ... without gaps. */
  readonly index: number
  readonly round: number
  /** SHA-256 of the commit before, hex; of genesis for the first. */
  readonly previous: string
  readonly timestampMs: number
  /** In order: what is executed. */
  readonly vertices: readonly VertexRef[]
}

export type CommitPoint = {
  readonly index: number
  readonly round: number
  readonly digest: string
  readonly timestampMs: number
}

const commitBytesMax = 1024 * 1024
const version = 1

export function encodeCommit(commit: Commit): Uint8Array {
  return encodeCanonical([
    version,
    commit.index,
    commit.round,
    hexToBytes(commit.previous)!,
    commit.timestampMs,
    commit.vertices.map(ref => [ref.round, ref.author, hexToBytes(ref.digest)!])
  ])
}

/** Throws ENCODING_INVALID. */
export function decodeCommit(bytes: Uint8Array): Commit {
  const value = decodeCanonical(bytes, { sizeBytesMax: commitBytesMax })
  if (!Array.isArray(value) || value.length !== 6 || value[0] !== version || !Array.isArray(value[5])) throw invalid()
  return {
    index: readNatural(value[1], 'commit'),
    round: readNatural(value[2], 'commit'),
    previous: readDigest(value[3], 'commit'),
    timestampMs: readNatural(value[4], 'commit'),
    vertices: value[5].map((ref: CanonicalValue) => {
      if (!Array.isArray(ref) || ref.length !== 3) throw invalid()
      return {
        round: readNatural(ref[0], 'commit'),
        author: readNatural(ref[1], 'commit'),
        digest: readDigest(ref[2], 'commit')
      }
    })
  }
}

export function commitDigest(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes))
}

/**
 * Everything the final vertices of a round add: their history that no earlier commit holds, above the garbage-collection
 * round that the commit before fixed, in the order (round, author, digest). A function of committed data alone.
 */
export function linearise(
  graph: Graph,
  committee: Committee,
  finals: readonly Vertex[],
  isCommitted: (digest: string) => boolean
): Vertex[] {
  const floorRound = Math.max(graph.gcRound, committee.baseRound)
  const found = new Map<string, Vertex>()
  const open = [...finals]
  for (const vertex of open) found.set(vertex.digest, vertex)
  for (let vertex = open.pop(); vertex !== undefined; vertex = open.pop()) {
    for (const parent of vertex.header.parents) {
      if (parent.round <= floorRound || found.has(parent.digest) || isCommitted(parent.digest)) continue
      const ancestor = graph.get(parent.digest)!
      found.set(ancestor.digest, ancestor)
      open.push(ancestor)
    }
  }
  return [...found.values()].filter(vertex => !isCommitted(vertex.digest)).sort(byRoundAuthorDigest)
}

/** Median by weight of the timestamps that the finals' parents of the round before carry: no f validators can move it. */
export function commitTimestampMs(
  graph: Graph,
  committee: Committee,
  finals: readonly Vertex[],
  previousMs: number
): number {
  const byAuthor = new Map<number, number>()
  for (const final of finals) {
    for (const parent of final.header.parents) {
      if (parent.round !== final.header.round - 1 || byAuthor.has(parent.author)) continue
      byAuthor.set(parent.author, graph.get(parent.digest)!.header.timestampMs)
    }
  }
  const times = [...byAuthor].map(([author, timestampMs]) => ({
    timestampMs,
    weight: committee.validators[author]!.weight
  }))
  times.sort((a, b) => a.timestampMs - b.timestampMs)
  const half = times.reduce((sum, time) => sum + time.weight, 0) / 2
  let below = 0
  for (const time of times) {
    below += time.weight
    if (below > half) return Math.max(previousMs, time.timestampMs)
  }
  return previousMs
}

export function commitOf(point: CommitPoint, round: number, timestampMs: number, ordered: readonly Vertex[]): Commit {
  return { index: point.index + 1, round, previous: point.digest, timestampMs, vertices: ordered.map(refOf) }
}

function byRoundAuthorDigest(a: Vertex, b: Vertex): number {
  return a.header.round - b.header.round || a.header.author - b.header.author || (a.digest < b.digest ? -1 : 1)
}

function invalid(): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason: 'commit' })
}
