import { BlyanError } from '../../errors/index.ts'
import { type Aggregation, type AggregationInput, type AggregationRules, aggregate } from './aggregation.ts'
import type { DeltaCodec } from './codecs/codec.ts'
import type { OuterState } from './outer-step.ts'
import type { TileLayout } from './tile-layout.ts'

export type UpdateRequest = {
  /** The part as its last version is. */
  readonly base: Float32Array
  /** In the order of the chain. */
  readonly inputs: readonly AggregationInput[]
  /** Of the part's tiles, in order. */
  readonly layouts: readonly TileLayout[]
  readonly rules: AggregationRules
  /** Without memory: whoever replays has none. */
  readonly codec: DeltaCodec
  readonly state?: OuterState
}

export type UpdateFrame = {
  readonly tile: number
  readonly length: number
  readonly bytes: Uint8Array
  readonly decoded: Float32Array
}

export type PartUpdateMade = Omit<Aggregation, 'update'> & {
  /** The part as its next version is: what the frames decode to, added to the base. */
  readonly values: Float32Array
  readonly frames: readonly UpdateFrame[]
  /** Nothing of it survived the codec: the part stays the version it is. */
  readonly isUnchanged: boolean
}

/**
 * Aggregates, encodes the result as it is published, and applies what that decodes to, so that the primary holds exactly
 * what everybody makes of the update file. Throws DELTA_INVALID.
 */
export function makeUpdate({ base, inputs, layouts, rules, codec, state }: UpdateRequest): PartUpdateMade {
  const { update, ...rest } = aggregate(inputs, rules, state)
  requireFits(base, update, layouts)
  let begin = 0
  const frames = layouts.map((layout, tile) => {
    const { bytes } = codec.encode(update.subarray(begin, begin + layout.length), layout)
    begin += layout.length
    return { tile, length: layout.length, bytes, decoded: codec.decode(bytes, layout) }
  })
  const values = applyFrames(base, frames)
  return { ...rest, values, frames, isUnchanged: areSame(values, base) }
}

/** The next version of a part: the base with what the frames of its tiles decode to. Throws DELTA_INVALID. */
export function applyFrames(
  base: Float32Array,
  frames: readonly Pick<UpdateFrame, 'length' | 'decoded'>[]
): Float32Array {
  const values = base.slice()
  let begin = 0
  for (const { decoded } of frames) {
    if (begin + decoded.length > values.length) throw invalid(`it is longer than the part of ${base.length} values`)
    addDecoded(values, decoded, begin)
    begin += decoded.length
  }
  if (begin !== values.length) throw invalid(`it has ${begin} values where the part has ${base.length}`)
  return values
}

function areSame(one: Float32Array, other: Float32Array): boolean {
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

/** Adds in place, rounding once to fp32. Throws DELTA_INVALID where a value would stop being a number. */
export function addDecoded(values: Float32Array, decoded: Float32Array, begin = 0): void {
  let areFinite = true
  for (let at = 0; at < decoded.length; at++) {
    const sum = Math.fround(values[begin + at]! + decoded[at]!)
    values[begin + at] = sum
    // Not a number and the infinities are the values that differ from themselves when taken from themselves.
    if (sum - sum !== 0) areFinite = false
  }
  if (!areFinite) throw invalid('the part would have values that are not finite')
}

function requireFits(base: Float32Array, update: Float32Array, layouts: readonly TileLayout[]): void {
  const covered = layouts.reduce((sum, { length }) => sum + length, 0)
  if (update.length !== base.length || covered !== base.length) {
    throw invalid(`deltas of ${update.length} values and tiles of ${covered} for a part of ${base.length}`)
  }
}

function invalid(reason: string): BlyanError {
  return new BlyanError('DELTA_INVALID', { reason: `update: ${reason}` })
}
