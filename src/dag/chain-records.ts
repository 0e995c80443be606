import {
  bytesToHex,
  type CID,
  decodeCanonical,
  digestOfCid,
  encodeCanonical,
  hexToBytes,
  parseCid
} from '../codec/index.ts'
import type { CheckpointSummary, Vote } from '../consensus/index.ts'
import { BlyanError } from '../errors/index.ts'
import { type Database, tableKey, tableRange, type Write } from '../storage/index.ts'
import { type Block, decodeBlock } from './core/block.ts'
import { type Checkpoint, checkpointDigest, decodeCheckpoint } from './core/checkpoint.ts'
import { type Execution, eventLeaf } from './core/executor.ts'
import type { Genesis } from './core/genesis.ts'
import type { PartVersion } from './core/param-index.ts'

/*
 * Tables of the chains in the node's database: x state, b blocks by digest, i blocks by chain and index, e events by
 * digest, s event digests by sequence, k checkpoints by sequence, j checkpoint sequences by commit, q certificates.
 */

/** Where an event stands in the final order, as stored. */
export type EventRecord = {
  readonly sequence: number
  readonly commitIndex: number
  readonly committedAtMs: number
  readonly vertexDigest: string
  /** Place among the events of its vertex. */
  readonly place: number
  readonly refusal: string
  readonly block: string | null
}

export type StoredCheckpoint = { readonly bytes: Uint8Array; readonly checkpoint: Checkpoint; readonly digest: string }

export function stateWrites(changes: ReadonlyMap<string, Uint8Array | undefined>): Write[] {
  return [...changes].map(([key, value]) => ({ key: tableKey('x', key), value }))
}

export function blockWrites(block: Block): Write[] {
  const digest = digestOfCid(block.cid)
  return [
    { key: tableKey('b', digest), value: block.bytes },
    { key: tableKey('i', block.header.chain_id, block.header.index), value: digest }
  ]
}

/** Everything that one commit changes. */
export function executionWrites(execution: Execution, commitIndex: number, committedAtMs: number): Write[] {
  const writes = stateWrites(execution.state)
  for (const executed of execution.events) {
    const digest = hexToBytes(executed.event.digest)!
    writes.push(
      { key: tableKey('e', digest), value: encodeRecord({ ...executed, commitIndex, committedAtMs }) },
      { key: tableKey('s', executed.sequence), value: digest }
    )
  }
  writes.push(...execution.blocks.flatMap(blockWrites))
  if (execution.checkpoint !== undefined) {
    const { bytes, checkpoint } = execution.checkpoint
    writes.push(
      { key: tableKey('k', checkpoint.sequence), value: bytes },
      { key: tableKey('j', checkpoint.commitIndex), value: tableKey('', checkpoint.sequence) }
    )
  }
  return writes
}

export async function storedParts(needs: {
  readonly database: Database
  readonly genesis: Genesis
}): Promise<PartVersion[]> {
  const parts: PartVersion[] = []
  for await (const [, digest] of needs.database.range({ from: tableKey('i', 'B'), to: tableKey('i', 'C') })) {
    const bytes = await needs.database.get(tableKey('b', digest))
    if (bytes === undefined) throw new BlyanError('CHAIN_DAMAGED', { reason: 'a block of chain B is missing' })
    const block = decodeBlock(bytes)
    const name = block.header.expert_name
    if (name === null) continue
    const part = partVersionOf(needs.genesis, block, await needs.database.get(tableKey('x', `part/${name}`)))
    if (part !== undefined) parts.push(part)
  }
  return parts
}

/** The part that a block of chain B brings; `stored` is the entry of its name in the state. */
export function partVersionOf(genesis: Genesis, block: Block, stored: Uint8Array | undefined): PartVersion | undefined {
  const { expert_name: name, tensor, block_type, layer_id } = block.header
  if (name === null || tensor === null) return undefined
  const shape = genesis.file.model.parts.find(part => part.name === name)?.shape ?? shapeOf(stored)
  return { name, blockType: block_type, layer: layer_id, block: block.cid.toString(), tensor: tensor.toString(), shape }
}

export function shapeOf(stored: Uint8Array | undefined): readonly number[] {
  if (stored === undefined) return []
  return (decodeCanonical(stored, { sizeBytesMax: 4096 }) as unknown as { shape: number[] }).shape
}

export async function lastOf(database: Database, table: 'k' | 'q'): Promise<StoredCheckpoint | undefined> {
  for await (const [key] of database.range({ ...tableRange(table), reverse: true, limit: 16 })) {
    const bytes = await database.get(tableKey('k', numberAt(key, 1)))
    if (bytes !== undefined) return { bytes, checkpoint: decodeCheckpoint(bytes), digest: checkpointDigest(bytes) }
  }
  return undefined
}

export async function leavesAfter(database: Database, sequence: number): Promise<Uint8Array[]> {
  const leaves: Uint8Array[] = []
  for await (const [, digest] of database.range({ from: tableKey('s', sequence + 1), to: tableRange('s').to })) {
    const record = await database.get(tableKey('e', digest))
    if (record === undefined)
      throw new BlyanError('CHAIN_DAMAGED', { reason: `event ${bytesToHex(digest)} is missing` })
    leaves.push(eventLeaf(bytesToHex(digest), decodeRecord(record).refusal))
  }
  return leaves
}

export function summaryOf({ checkpoint, digest }: StoredCheckpoint): CheckpointSummary {
  return {
    epoch: checkpoint.epoch,
    sequence: checkpoint.sequence,
    digest,
    commitIndex: checkpoint.commitIndex,
    commitDigest: checkpoint.commitDigest
  }
}

export function encodeRecord(record: EventRecord): Uint8Array {
  return encodeCanonical([
    record.sequence,
    record.commitIndex,
    record.committedAtMs,
    hexToBytes(record.vertexDigest)!,
    record.place,
    record.refusal,
    record.block === null ? null : parseCid(record.block)
  ])
}

export function decodeRecord(bytes: Uint8Array): EventRecord {
  const [sequence, commitIndex, committedAtMs, vertexDigest, place, refusal, block] = decodeCanonical(bytes, {
    sizeBytesMax: 1024
  }) as [number, number, number, Uint8Array, number, string, CID | null]
  return {
    sequence,
    commitIndex,
    committedAtMs,
    vertexDigest: bytesToHex(vertexDigest),
    place,
    refusal,
    block: block === null ? null : block.toString()
  }
}

export function decodeVotes(bytes: Uint8Array): Vote[] {
  const votes = decodeCanonical(bytes, { sizeBytesMax: 64 * 1024 }) as unknown as [number, Uint8Array][]
  return votes.map(([author, signature]) => ({ author, signature }))
}

export function numberAt(key: Uint8Array, offset: number): number {
  return Number(Buffer.from(key.buffer, key.byteOffset, key.length).readBigUInt64BE(offset))
}
