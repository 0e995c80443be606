import {
  bytesEqual,
  bytesToHex,
  cidOfDigest,
  decodeCanonical,
  digestOfCid,
  encodeCanonical,
  hexToBytes,
  parseCid,
  sha256
} from '../codec/index.ts'
import { commitDigest, decodeCommit } from '../consensus/index.ts'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import { type Block, type ChainId, chainIds, decodeBlock } from './core/block.ts'
import { checkpointDigest } from './core/checkpoint.ts'
import { cursorKey } from './core/executor.ts'
import type { Genesis } from './core/genesis.ts'
import { followSets, signersOf } from './core/set-chain.ts'
import { StateTree } from './core/state-tree.ts'
import { decodeChunk, type SnapshotEntry, type SnapshotManifest, snapshotLimits } from './snapshot-format.ts'

/** What an entry says once it is understood; nothing of it is to be believed before `finish` has returned. */
export type CheckedEntry =
  | { readonly kind: 'state'; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: 'block'; readonly block: Block }
  | { readonly kind: 'commit'; readonly index: number; readonly bytes: Uint8Array }

const smallValueBytesMax = 64 * 1024
const blockPrefix = 'block/'

/** Checks what can be checked of a manifest alone. Throws SNAPSHOT_FOREIGN, SNAPSHOT_UNSIGNED, SNAPSHOT_INVALID. */
export function checkManifest(manifest: SnapshotManifest, genesis: Genesis): void {
  if (!bytesEqual(manifest.genesis, genesis.digest))
    throw new BlyanError('SNAPSHOT_FOREIGN', { theirs: cidOfDigest(manifest.genesis).toString(), ours: genesis.cid })
  const { checkpoint, sets } = manifest
  try {
    const committee = followSets(sets, genesis)
    if (committee.epoch !== checkpoint.epoch)
      throw new BlyanError('ENCODING_INVALID', {
        reason: `the sets lead to epoch ${committee.epoch}, not ${checkpoint.epoch}`
      })
    signersOf(manifest.votes, checkpointDigest(manifest.checkpointBytes), committee, genesis.digest)
  } catch (error) {
    if (!isBlyanError(error, 'ENCODING_INVALID')) throw error
    const reason = String(error.payload.reason)
    throw new BlyanError('SNAPSHOT_UNSIGNED', { sequence: checkpoint.sequence, reason }, { cause: error })
  }
}

/**
 * Follows a snapshot chunk by chunk, in their order, and says at the end whether it is exactly what the checkpoint
 * certifies: the state by its root, blocks of chain B by their CIDs in that state, heads by the checkpoint, commits by
 * the chain of hashes that ends in it.
 */
export class SnapshotChecker {
  readonly #manifest: SnapshotManifest
  readonly #gcDepthRounds: number
  readonly #tree = new StateTree()
  readonly #partBlocks = new Map<string, number>()
  readonly #heads = new Map<ChainId, string>()
  #place = 0
  #entries = 0
  #last: readonly [string, Uint8Array] | undefined
  #stateBlocks = 0
  #partHeight = 0
  #commit: { count: number; index: number; digest: string; firstRound: number; lastRound: number } | undefined
  #hasCursor = false

  constructor(manifest: SnapshotManifest, gcDepthRounds: number) {
    this.#manifest = manifest
    this.#gcDepthRounds = gcDepthRounds
  }

  /** The next chunk. Throws SNAPSHOT_DAMAGED, SNAPSHOT_TRUNCATED, SNAPSHOT_INVALID. */
  take(bytes: Uint8Array): CheckedEntry[] {
    const chunk = this.#manifest.chunks[this.#place]
    const part = `chunk ${this.#place + 1} of ${this.#manifest.chunks.length}`
    if (chunk === undefined) throw damaged('the list of chunks', 'is shorter than what comes')
    if (bytes.length < chunk.sizeBytes) throw new BlyanError('SNAPSHOT_TRUNCATED', { part })
    if (bytes.length !== chunk.sizeBytes || bytesToHex(sha256(bytes)) !== chunk.digest)
      throw damaged(part, 'does not have the hash that the manifest gives')
    this.#place++
    const entries = decodeChunk(bytes)
    this.#entries += entries.length
    return entries.map(entry => this.#entry(entry, part))
  }

  /** Throws SNAPSHOT_DAMAGED, SNAPSHOT_TRUNCATED. */
  finish(): void {
    const { checkpoint, chunks, entryCount } = this.#manifest
    if (this.#place !== chunks.length)
      throw new BlyanError('SNAPSHOT_TRUNCATED', { part: `chunk ${this.#place + 1} of ${chunks.length}` })
    if (this.#entries !== entryCount) throw damaged('the manifest', 'gives another number of entries')
    if (bytesToHex(this.#tree.root()) !== checkpoint.stateRoot || !this.#hasCursor)
      throw damaged('the state', 'does not have the root that the checkpoint certifies')
    if (this.#stateBlocks !== this.#partBlocks.size || this.#partHeight !== this.#partBlocks.size)
      throw damaged('chain B', 'is not whole')
    for (const [place, chain] of chainIds.entries()) {
      const head = checkpoint.chainHeads[place]!
      const isThere =
        chain === 'B' ? head === null || this.#partBlocks.has(head) : (this.#heads.get(chain) ?? null) === head
      if (!isThere) throw damaged(`the head of chain ${chain}`, 'is not the one that the checkpoint certifies')
    }
    this.#finishCommits()
  }

  #entry(entry: SnapshotEntry, part: string): CheckedEntry {
    const [table, key, value] = entry
    const last = this.#last
    if (last !== undefined && (table < last[0] || (table === last[0] && Buffer.compare(key, last[1]) <= 0)))
      throw damaged(part, 'holds entries out of order')
    this.#last = [table, key]
    if (table === 'x') return this.#state(key, value, part)
    if (table === 'c') return this.#nextCommit(key, value, part)
    return this.#block(table, key, value, part)
  }

  #state(keyBytes: Uint8Array, value: Uint8Array, part: string): CheckedEntry {
    const key = Buffer.from(keyBytes.buffer, keyBytes.byteOffset, keyBytes.length).toString('utf8')
    if (value.length > smallValueBytesMax || !bytesEqual(Buffer.from(key), keyBytes))
      throw damaged(part, 'holds a state entry that is none')
    this.#tree.set(key, value)
    if (key.startsWith(blockPrefix)) {
      const index = this.#partBlocks.get(digestInKey(key))
      if (index === undefined || index !== readSmall(value)) throw damaged('chain B', `lacks ${key}`)
      this.#stateBlocks++
    }
    if (key === 'chain/B') this.#partHeight = Number((readSmall(value) as { height?: unknown }).height ?? 0)
    if (key !== cursorKey) return { kind: 'state', key, value }
    this.#hasCursor = true
    return { kind: 'state', key, value: cursorAfter(value, this.#manifest.checkpointBytes) }
  }

  #block(table: 'b' | 'h', key: Uint8Array, value: Uint8Array, part: string): CheckedEntry {
    let block: Block
    try {
      block = decodeBlock(value)
    } catch {
      throw damaged(part, 'holds a block that is none')
    }
    const { chain_id, index } = block.header
    const digest = bytesToHex(digestOfCid(block.cid))
    if (table === 'b') {
      if (chain_id !== 'B' || index !== this.#partBlocks.size || !bytesEqual(key, numberKey(index)))
        throw damaged('chain B', `does not hold block ${this.#partBlocks.size} in its place`)
      this.#partBlocks.set(digest, index)
    } else {
      if (chain_id === 'B' || !bytesEqual(key, Buffer.from(chain_id)))
        throw damaged(part, 'holds a head under a wrong name')
      this.#heads.set(chain_id, digest)
    }
    return { kind: 'block', block }
  }

  #nextCommit(key: Uint8Array, bytes: Uint8Array, part: string): CheckedEntry {
    let commit: ReturnType<typeof decodeCommit>
    try {
      commit = decodeCommit(bytes)
    } catch {
      throw damaged(part, 'holds a commit that is none')
    }
    const before = this.#commit
    const follows =
      before === undefined ||
      (commit.index === before.index + 1 && commit.previous === before.digest && commit.round > before.lastRound)
    if (!follows || !bytesEqual(key, numberKey(commit.index)))
      throw damaged(`commit ${commit.index}`, 'does not follow the one before')
    this.#commit = {
      count: (before?.count ?? 0) + 1,
      index: commit.index,
      digest: commitDigest(bytes),
      firstRound: before?.firstRound ?? commit.round,
      lastRound: commit.round
    }
    return { kind: 'commit', index: commit.index, bytes }
  }

  #finishCommits(): void {
    const { checkpoint } = this.#manifest
    const commit = this.#commit
    if (commit?.index !== checkpoint.commitIndex || commit.digest !== checkpoint.commitDigest)
      throw damaged('the window of commits', 'does not end in the commit that the checkpoint certifies')
    const isWhole = commit.count === commit.index
    const isLong =
      commit.count >= snapshotLimits.commitsMin && commit.firstRound <= commit.lastRound - this.#gcDepthRounds
    if (!isWhole && !isLong) throw damaged('the window of commits', 'is too short')
  }
}

/** The cursor holds the digest of the checkpoint once it is made; the root was taken before. */
export function cursorAfter(value: Uint8Array, checkpointBytes: Uint8Array): Uint8Array {
  const cursor = readSmall(value) as Record<string, never>
  return encodeCanonical({ ...cursor, previous: hexToBytes(checkpointDigest(checkpointBytes))! })
}

/** The cursor as it was when the state root was taken. */
export function cursorBefore(value: Uint8Array, previous: string): Uint8Array {
  const cursor = readSmall(value) as Record<string, never>
  return encodeCanonical({ ...cursor, previous: hexToBytes(previous)! })
}

export function numberKey(value: number): Uint8Array {
  const key = Buffer.alloc(8)
  key.writeBigUInt64BE(BigInt(value))
  return key
}

function digestInKey(key: string): string {
  try {
    return bytesToHex(digestOfCid(parseCid(key.slice(blockPrefix.length))))
  } catch {
    throw damaged('the state', `holds the entry "${key.slice(0, 80)}"`)
  }
}

function readSmall(value: Uint8Array): unknown {
  try {
    return decodeCanonical(value, { sizeBytesMax: smallValueBytesMax })
  } catch {
    throw damaged('the state', 'holds a value that cannot be read')
  }
}

function damaged(part: string, reason: string): BlyanError {
  return new BlyanError('SNAPSHOT_DAMAGED', { part, reason })
}
