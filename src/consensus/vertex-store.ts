import { bytesToHex, hexToBytes } from '../codec/index.ts'
import { isBlyanError } from '../errors/index.ts'
import { type Database, tableKey, tableRange, type Write } from '../storage/index.ts'
import { type Commit, type CommitPoint, commitDigest, decodeCommit } from './core/commit.ts'
import { decodeVertex, encodeVertex, type Vertex } from './core/vertex.ts'

/**
 * Vertices by digest and by round, commits by index. Writing is left to the caller's batches. A vertex or commit whose
 * record is damaged counts as missing: it is fetched again by its digest (repair.ts).
 */
export interface VertexStore {
  writesOf(vertex: Vertex): Write[]
  commitWrite(commit: Commit, bytes: Uint8Array): Write
  vertex(digest: string): Promise<Vertex | undefined>
  /** Wire bytes, without decoding. */
  vertexBytes(digest: string): Promise<Uint8Array | undefined>
  /** Vertices of the rounds `fromRound` to `toRound`, both included; without an end, all that follow. */
  rounds(fromRound: number, toRound?: number): AsyncIterable<Vertex>
  commitBytes(index: number): Promise<Uint8Array | undefined>
  lastCommit(): Promise<{ readonly point: CommitPoint; readonly commit: Commit } | undefined>
}

const highestRound = Number.MAX_SAFE_INTEGER - 1

export function createVertexStore(database: Database): VertexStore {
  return new LevelVertexStore(database)
}

class LevelVertexStore implements VertexStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  writesOf(vertex: Vertex): Write[] {
    const digest = hexToBytes(vertex.digest)!
    const byRound = tableKey('r', vertex.header.round, vertex.header.author, digest)
    return [
      { key: tableKey('v', digest), value: encodeVertex(vertex) },
      { key: byRound, value: new Uint8Array(0) }
    ]
  }

  commitWrite(commit: Commit, bytes: Uint8Array): Write {
    return { key: tableKey('c', commit.index), value: bytes }
  }

  async vertex(digest: string): Promise<Vertex | undefined> {
    const bytes = await this.vertexBytes(digest)
    if (bytes === undefined) return undefined
    try {
      const vertex = decodeVertex(bytes)
      return vertex.digest === digest ? vertex : undefined
    } catch (error) {
      if (isBlyanError(error)) return undefined
      throw error
    }
  }

  vertexBytes(digest: string): Promise<Uint8Array | undefined> {
    return this.#whole(tableKey('v', hexToBytes(digest)!))
  }

  async *rounds(fromRound: number, toRound = highestRound): AsyncIterable<Vertex> {
    const range = {
      from: tableKey('r', Math.max(0, fromRound)),
      to: tableKey('r', Math.min(toRound, highestRound) + 1)
    }
    for await (const key of this.#database.keys(range)) {
      const vertex = await this.vertex(bytesToHex(key.subarray(17)))
      if (vertex !== undefined) yield vertex
    }
  }

  commitBytes(index: number): Promise<Uint8Array | undefined> {
    return this.#whole(tableKey('c', index))
  }

  async lastCommit(): Promise<{ readonly point: CommitPoint; readonly commit: Commit } | undefined> {
    for await (const [, bytes] of this.#database.range({ ...tableRange('c'), reverse: true, limit: 1 })) {
      const commit = decodeCommit(bytes)
      return {
        commit,
        point: {
          index: commit.index,
          round: commit.round,
          digest: commitDigest(bytes),
          timestampMs: commit.timestampMs
        }
      }
    }
    return undefined
  }

  async #whole(key: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await this.#database.get(key)
    } catch (error) {
      if (isBlyanError(error, 'DATABASE_RECORD_DAMAGED')) return undefined
      throw error
    }
  }
}
