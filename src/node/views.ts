import { bytesToHex, cidOfDigest, hexToBytes, publicKeyToText } from '../codec/index.ts'
import type { Committee } from '../consensus/index.ts'
import {
  type Block,
  type ChainId,
  type Checkpoint,
  chainIds,
  checkpointDigest,
  eventId,
  type FinalEvent,
  type HandlerRegistry,
  type PartVersion,
  type ShelvedSnapshot,
  type SignedEvent,
  totalBytesOf
} from '../dag/index.ts'
import type { HolderView } from '../routing/index.ts'
import type { TensorInfo } from '../tiles/index.ts'
import type {
  BlockView,
  CheckpointView,
  EventLine,
  EventView,
  ExpertHolderView,
  ExpertView,
  Finality,
  SnapshotView,
  TensorView
} from './blyan-node.ts'

export function blockView(block: Block): BlockView {
  const { header } = block
  return {
    cid: block.cid.toString(),
    index: header.index,
    chain_id: header.chain_id,
    depends_on: header.depends_on.map(String),
    block_type: header.block_type,
    expert_name: header.expert_name,
    layer_id: header.layer_id,
    payload_hash: bytesToHex(header.payload_hash),
    nonce: header.nonce,
    miner_pub: header.miner_pub.length === 0 ? '' : publicKeyToText(header.miner_pub),
    payload_sig: bytesToHex(header.payload_sig),
    event: header.event?.toString() ?? null
  }
}

export function eventLine({ record, event }: FinalEvent, finality: Finality): EventLine {
  return {
    sequence: record.sequence,
    eventId: idOf(event),
    type: event.envelope.type,
    author: publicKeyToText(event.envelope.author),
    finality
  }
}

export function eventView(input: {
  readonly event: SignedEvent
  readonly record: FinalEvent['record'] | undefined
  readonly finality: Finality
  readonly prepared: readonly string[]
  readonly committed: readonly string[]
  readonly handlers: HandlerRegistry
}): EventView {
  const { event, record, handlers } = input
  const { envelope } = event
  return {
    eventId: idOf(event),
    type: envelope.type,
    author: publicKeyToText(envelope.author),
    final: input.finality === 'final',
    finality: input.finality,
    refusal: record === undefined || record.refusal === '' ? null : record.refusal,
    sequence: record?.sequence ?? null,
    prepared: input.prepared,
    committed: input.committed,
    tenantId: envelope.tenantId,
    logicalClock: envelope.logicalClock,
    region: envelope.region,
    origin: envelope.origin,
    createdAt: new Date(envelope.createdAtMs).toISOString(),
    hash: event.digest,
    signature: bytesToHex(event.signature),
    payloadBytes: envelope.payload.length,
    payload: describePayload(event, handlers),
    commit: record?.commitIndex ?? null,
    committedAt: record === undefined ? null : new Date(record.committedAtMs).toISOString(),
    block: record?.block ?? null
  }
}

export function checkpointView(
  input: { bytes: Uint8Array; checkpoint: Checkpoint; votes: readonly { author: number }[] },
  committee: Committee | undefined
): CheckpointView {
  const { checkpoint } = input
  return {
    sequence: checkpoint.sequence,
    digest: checkpointDigest(input.bytes),
    commit: checkpoint.commitIndex,
    commitDigest: checkpoint.commitDigest,
    stateRoot: checkpoint.stateRoot,
    eventRoot: checkpoint.eventRoot,
    eventFirst: checkpoint.eventFirst,
    eventCount: checkpoint.eventCount,
    chainHeads: Object.fromEntries(
      chainIds.map((chain, place) => {
        const head = checkpoint.chainHeads[place]!
        return [chain, head === null ? null : cidOfDigest(hexToBytes(head)!).toString()]
      })
    ) as Record<ChainId, string | null>,
    time: new Date(checkpoint.timestampMs).toISOString(),
    signers: input.votes.map(vote => committee?.validators[vote.author]?.name ?? String(vote.author))
  }
}

export function snapshotView({ folder, manifest }: ShelvedSnapshot): SnapshotView {
  const { checkpoint, id, chunks, entryCount } = manifest
  return {
    id,
    sequence: checkpoint.sequence,
    commit: checkpoint.commitIndex,
    epoch: checkpoint.epoch,
    stateRoot: checkpoint.stateRoot,
    time: new Date(checkpoint.timestampMs).toISOString(),
    chunks: chunks.length,
    entries: entryCount,
    sizeBytes: totalBytesOf(manifest),
    folder
  }
}

export function tensorView(info: TensorInfo): TensorView {
  const { cid, name, dtype, shape, sizeBytes, dataOffsetBytes, leaves, tiles, pinned, path } = info
  return { cid, name, dtype, shape, sizeBytes, dataOffsetBytes, leaves, tiles, pinned, path }
}

export function expertView(part: PartVersion, versions: number, local: boolean, holders: number): ExpertView {
  return {
    name: part.name,
    blockType: part.blockType,
    layer: part.layer,
    block: part.block,
    tensor: part.tensor,
    shape: part.shape,
    versions,
    local,
    holders
  }
}

export function expertHolderView({ priceUnitsPer1000Rows, ...rest }: HolderView): ExpertHolderView {
  return { ...rest, priceUnitsPer1000Rows: priceUnitsPer1000Rows.toString() }
}

function idOf(event: SignedEvent): string {
  return eventId(hexToBytes(event.digest)!).toString()
}

function describePayload(event: SignedEvent, handlers: HandlerRegistry): unknown {
  try {
    return handlers.get(event.envelope.type).describePayload(event.envelope.payload)
  } catch {
    return null
  }
}
