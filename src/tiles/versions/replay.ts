import type { AggregationRules } from '../maths/aggregation.ts'
import type { DeltaCodec } from '../maths/codecs/codec.ts'
import type { TileLayout } from '../maths/tile-layout.ts'
import { makeUpdate, type PartUpdateMade } from '../maths/update.ts'
import type { TensorInfo } from '../tensor-info.ts'
import { cidOfTensor } from '../tensor-store.ts'
import { partTensor, readPartValues } from './part-data.ts'

/** One delta of the ordered list that a primary published. */
export type AcceptedDelta = {
  /** The delta of this part as the file decodes to. */
  readonly values: Float32Array
  /** As published; whole numbers, so that everybody has the same. */
  readonly weightPpm: number
}

export type ReplayRequest = {
  /** The version that the deltas were accepted upon; it has to be here. */
  readonly base: TensorInfo
  readonly accepted: readonly AcceptedDelta[]
  readonly layouts: readonly TileLayout[]
  readonly rules: AggregationRules
  readonly codec: DeltaCodec
}

export type Replayed = PartUpdateMade & {
  /** CID of the tensor of the next version; null where nothing changed. */
  readonly tensor: string | null
}

/** Computes what the accepted deltas make of a part. Primary and backups call the same, and get the same bytes or somebody lies. */
export async function replayUpdate({ base, accepted, layouts, rules, codec }: ReplayRequest): Promise<Replayed> {
  const inputs = accepted.map(({ values, weightPpm }) => ({ values, weight: weightPpm }))
  const made = makeUpdate({ base: await readPartValues(base), inputs, layouts, rules, codec })
  return { ...made, tensor: made.isUnchanged ? null : cidOfTensor(partTensor(base, made.values)) }
}

/** Whether what was published is what the replay gives. */
export function isSameResult(published: string | null, replayed: Pick<Replayed, 'tensor'>): boolean {
  return published === replayed.tensor
}
