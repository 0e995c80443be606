import { sha256 } from '../../codec/index.ts'

/**
 * Text is cut into blocks by its own content, and the hash of a block alone says whether it is held out. So the same text
 * is held out on every machine, whoever reads it, and whoever has a shard can cut it again and see that it holds no
 * block of the other kind. Source: docs/protocol.md, "Corpora".
 */
export const blockLimits = Object.freeze({ sizeBytesMin: 512, sizeBytesMax: 4096 })

/** Ends a document. Text has no byte zero, so it marks the end of a file and nothing else. */
export const documentEnd = 0

const newline = 0x0a
const space = 0x20
/** The hash sees so many bytes before a place: older ones have been shifted out. */
const windowBytes = 32
/** A place where text may be cut is taken when the highest bits of the hash are zero: one in 32. */
const hashShift = 27
const gear = Int32Array.from({ length: 256 }, (_, byte) => {
  const digest = sha256(new TextEncoder().encode(`blyan-node block ${byte}`))
  return new DataView(digest.buffer, digest.byteOffset).getInt32(0)
})

/** Where the block that begins at `start` ends; undefined when that depends on bytes that have yet to come. */
export function blockEnd(bytes: Uint8Array, start: number): number | undefined {
  const { sizeBytesMin, sizeBytesMax } = blockLimits
  const early = bytes.subarray(start, start + sizeBytesMin).indexOf(documentEnd)
  if (early >= 0) return start + early + 1
  const last = Math.min(bytes.length, start + sizeBytesMax)
  let hash = 0
  for (let i = start + sizeBytesMin - windowBytes; i < last; i++) {
    const byte = bytes[i]!
    hash = ((hash << 1) + gear[byte]!) | 0
    if (byte === documentEnd) return i + 1
    if (hash >>> hashShift === 0 && i + 1 >= start + sizeBytesMin && mayEnd(bytes, i)) return i + 1
  }
  return last === start + sizeBytesMax ? last : undefined
}

/** After white space, and after a character of three bytes, as scripts without spaces have them. */
function mayEnd(bytes: Uint8Array, last: number): boolean {
  const byte = bytes[last]!
  return byte === newline || byte === space || (bytes[last - 2]! & 0xf0) === 0xe0
}

/** All blocks of `bytes`, from their beginning; what is left at their end is the last one. */
export function* blocksOf(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0
  while (start < bytes.length) {
    const end = blockEnd(bytes, start) ?? bytes.length
    yield bytes.subarray(start, end)
    start = end
  }
}

/** 0 to 255, by the hash of the block and nothing else. */
export function heldOutClass(blockDigest: Uint8Array): number {
  return blockDigest[0]!
}

/** One in sixteen: nobody trains on these. */
export function isHeldOut(blockDigest: Uint8Array): boolean {
  return heldOutClass(blockDigest) < 16
}

export type ShardKind = 'training' | 'heldOut'

/** Whether a block has no place in a shard of that kind. */
export function isOfOtherKind(block: Uint8Array, kind: ShardKind): boolean {
  return isHeldOut(sha256(block)) !== (kind === 'heldOut')
}

export type ShardCheck = {
  readonly blocks: number
  /** Blocks of the other kind, in bytes: none in a shard that was made by the rules. */
  readonly wrongBlocks: number
  readonly wrongBytes: number
}

/** Cuts a shard again. Costs one hash a block. */
export function checkShard(bytes: Uint8Array, kind: ShardKind): ShardCheck {
  let blocks = 0
  let wrongBlocks = 0
  let wrongBytes = 0
  for (const block of blocksOf(bytes)) {
    blocks += 1
    if (!isOfOtherKind(block, kind)) continue
    wrongBlocks += 1
    wrongBytes += block.length
  }
  return { blocks, wrongBlocks, wrongBytes }
}
