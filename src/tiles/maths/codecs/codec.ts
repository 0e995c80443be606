import { BlyanError } from '../../../errors/index.ts'
import type { TileLayout } from '../tile-layout.ts'

/** In the order of their ids, which are in files and never change. */
export const codecNames = [
  'fp32',
  'int8',
  'int4',
  'topk20-int8',
  'k410-2b',
  'k256-2b',
  'lr8+k32',
  'lr16+k32',
  'lr8-int8',
  'lr4+k16',
  'k64-2b',
  'k64-2b-rice',
  'seed-v0',
  'lr8-4b+k512-1b',
  'lr8-4b+k56-1b'
] as const

export type CodecName = (typeof codecNames)[number]

/** What a codec of low rank remembers of one tile between rounds: for each matrix its right factor, columns x rank. */
export type WarmStart = readonly Float32Array[]

export type EncodedTile = { readonly bytes: Uint8Array; readonly warm?: WarmStart }

/**
 * One way to write the delta of one tile. The same values give the same bytes, and the same bytes the same values, to the
 * bit, on every machine.
 */
export interface DeltaCodec {
  readonly name: CodecName
  readonly id: number
  /** Whether it loses so much that the loss has to be kept and added to the next delta. */
  readonly usesErrorFeedback: boolean
  /** Throws DELTA_INVALID when a value is not finite. */
  encode(delta: Float32Array, layout: TileLayout, warm?: WarmStart): EncodedTile
  /** Throws DELTA_INVALID for anything that no encoder writes, before it allocates for it. */
  decode(bytes: Uint8Array, layout: TileLayout): Float32Array
  sizeBytesMax(layout: TileLayout): number
}

export function isCodecName(text: string): text is CodecName {
  return (codecNames as readonly string[]).includes(text)
}

export function deltaInvalid(reason: string): BlyanError {
  return new BlyanError('DELTA_INVALID', { reason })
}

/** An encoder's input: its length is the layout's, or the caller is wrong. */
export function requireLength(delta: Float32Array, { length }: TileLayout): void {
  if (delta.length !== length) throw new RangeError(`${delta.length} values for a tile of ${length}`)
}
