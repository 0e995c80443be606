import {
  bytesToHex,
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  hexToBytes,
  readDigest,
  readNatural,
  sha256
} from '../codec/index.ts'
import type { Vote } from '../consensus/index.ts'
import { BlyanError } from '../errors/index.ts'
import { type Checkpoint, decodeCheckpoint } from './core/checkpoint.ts'
import { decodeLink, decodeVoteList, encodeLink, type SetLink, setLinksMax } from './core/set-chain.ts'

/*
 * What a snapshot is (docs/protocol.md, "Snapshots"): a certified checkpoint, the chain of validator sets that shows who
 * may sign it, and chunks of entries named by their hash. All nodes make the same chunks for the same checkpoint, so that
 * they can be fetched from many at once; only the signatures kept with them differ.
 */

/** Tables of a snapshot: blocks of chain B by index, commits by index, head blocks by chain, state by key. */
export const snapshotTables = ['b', 'c', 'h', 'x'] as const
export type SnapshotTable = (typeof snapshotTables)[number]
export type SnapshotEntry = readonly [table: SnapshotTable, key: Uint8Array, value: Uint8Array]

export type SnapshotChunk = { readonly digest: string; readonly sizeBytes: number }

export type SnapshotManifest = {
  /** SHA-256 of the part that is alike at every node: the name of the snapshot. */
  readonly id: string
  readonly genesis: Uint8Array
  readonly checkpointBytes: Uint8Array
  readonly checkpoint: Checkpoint
  readonly chunks: readonly SnapshotChunk[]
  readonly entryCount: number
  readonly votes: readonly Vote[]
  /** How the sets of validators followed each other from genesis to the epoch of the checkpoint. */
  readonly sets: readonly SetLink[]
}

export const snapshotLimits = Object.freeze({
  /** A chunk ends before the entry that would take it above this. */
  chunkBytes: 1024 * 1024,
  /** One entry can be a commit of a mebibyte. */
  chunkBytesMax: 3 * 1024 * 1024,
  chunksMax: 100_000,
  manifestBytesMax: 7 * 1024 * 1024,
  /** Commits below the checkpoint: at least these many, and back over the garbage-collection depth. */
  commitsMin: 64
})

const version = 1

export type ManifestInput = Pick<
  SnapshotManifest,
  'genesis' | 'checkpointBytes' | 'chunks' | 'entryCount' | 'votes' | 'sets'
>

export function encodeManifest(input: ManifestInput): Uint8Array {
  const body = encodeCanonical([
    version,
    input.genesis,
    input.checkpointBytes,
    input.chunks.map(({ digest, sizeBytes }) => [hexToBytes(digest)!, sizeBytes]),
    input.entryCount
  ])
  return encodeCanonical([body, input.votes.map(vote => [vote.author, vote.signature]), input.sets.map(encodeLink)])
}

/** Throws SNAPSHOT_INVALID. Nothing is checked here but the form. */
export function decodeManifest(bytes: Uint8Array): SnapshotManifest {
  try {
    const [body, votes, sets] = list(decode(bytes, snapshotLimits.manifestBytesMax), 3)
    const bodyBytes = bytesOf(body)
    const [found, genesis, checkpoint, chunks, entryCount] = list(decode(bodyBytes, snapshotLimits.manifestBytesMax), 5)
    if (found !== version) throw invalid(`version ${String(found)}`)
    const checkpointBytes = bytesOf(checkpoint)
    return {
      id: bytesToHex(sha256(bodyBytes)),
      genesis: Buffer.from(readDigest(genesis, 'genesis'), 'hex'),
      checkpointBytes,
      checkpoint: decodeCheckpoint(checkpointBytes),
      chunks: items(chunks, snapshotLimits.chunksMax).map(chunk => {
        const [digest, sizeBytes] = list(chunk, 2)
        const size = readNatural(sizeBytes, 'size of a chunk')
        if (size === 0 || size > snapshotLimits.chunkBytesMax) throw invalid('size of a chunk')
        return { digest: readDigest(digest, 'chunk'), sizeBytes: size }
      }),
      entryCount: readNatural(entryCount, 'number of entries'),
      votes: decodeVoteList(votes),
      sets: items(sets, setLinksMax).map(decodeLink)
    }
  } catch (error) {
    if (error instanceof BlyanError && error.code === 'ENCODING_INVALID') throw invalid(String(error.payload.reason))
    throw error
  }
}

export function encodeChunk(entries: readonly SnapshotEntry[]): Uint8Array {
  return encodeCanonical(entries as unknown as CanonicalValue)
}

/** Throws SNAPSHOT_INVALID. */
export function decodeChunk(bytes: Uint8Array): SnapshotEntry[] {
  let value: CanonicalValue
  try {
    value = decodeCanonical(bytes, { sizeBytesMax: snapshotLimits.chunkBytesMax })
  } catch (error) {
    throw invalid(error instanceof BlyanError ? String(error.payload.reason) : 'chunk')
  }
  return items(value, snapshotLimits.chunkBytesMax).map(entry => {
    const [table, key, content] = list(entry, 3)
    if (!snapshotTables.includes(table as SnapshotTable)) throw invalid('a table that is none')
    return [table as SnapshotTable, bytesOf(key), bytesOf(content)]
  })
}

/** What one entry adds to a chunk, nearly; all nodes must cut alike, so this is part of the format. */
export function entrySizeBytes([, key, value]: SnapshotEntry): number {
  return key.length + value.length + 12
}

export function totalBytesOf(manifest: { readonly chunks: readonly SnapshotChunk[] }): number {
  return manifest.chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0)
}

function decode(bytes: Uint8Array, sizeBytesMax: number): CanonicalValue {
  return decodeCanonical(bytes, { sizeBytesMax })
}

function list(value: CanonicalValue | undefined, length: number): readonly CanonicalValue[] {
  if (!Array.isArray(value) || value.length !== length) throw invalid('a list of another length')
  return value
}

function items(value: CanonicalValue | undefined, lengthMax: number): readonly CanonicalValue[] {
  if (!Array.isArray(value) || value.length > lengthMax) throw invalid('a list that is none or too long')
  return value
}

function bytesOf(value: CanonicalValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw invalid('something that is not bytes')
  return value
}

function invalid(reason: string): BlyanError {
  return new BlyanError('SNAPSHOT_INVALID', { reason })
}
