import type { SequenceSource, Shard } from '../datasets/index.ts'
import { isBlyanError } from '../errors/index.ts'
import {
  type Candidate,
  type MeasurementReason,
  type Reveal,
  readRound,
  revealsOf,
  trainingShards
} from './chain/index.ts'
import type { LearningChain } from './learning-chain.ts'
import { createShardInspector, isLineageOfProposal, isLineageOfReveal, type ShardInspector } from './lineage-check.ts'
import type { ModelParts } from './model-parts.ts'

export type LineageRequest = {
  readonly chain: Pick<LearningChain, 'state' | 'genesis'>
  readonly model: { readonly parts: ModelParts; readonly sequences: SequenceSource }
  readonly candidate: Candidate
  /** Of this operator's measurement: it says whose lineage and which shard is looked at. */
  readonly seed: Uint8Array
  readonly signal: AbortSignal
}

/** Looks at a sample of what a candidate says it was trained on. */
export interface LineageExaminer {
  examine(request: LineageRequest): Promise<MeasurementReason | undefined>
  isKnownMixed(shard: string): boolean
}

export function createLineageExaminer(): LineageExaminer {
  return new SamplingExaminer()
}

const shardTimeoutMs = 10_000

class SamplingExaminer implements LineageExaminer {
  readonly #inspector: ShardInspector = createShardInspector()

  isKnownMixed(shard: string): boolean {
    return this.#inspector.isKnownMixed(shard)
  }

  async examine({ chain, model, candidate, seed, signal }: LineageRequest): Promise<MeasurementReason | undefined> {
    const needs = { chain, parts: model.parts, sequences: model.sequences }
    const reveal = candidate.source === 'round' ? byLot(revealsIn(chain, candidate), seed, 0) : undefined
    const lineage = reveal?.lineage ?? candidate.lineage
    if (lineage === null) return undefined
    const round = readRound(chain.state, candidate.model)
    const isTrue =
      reveal === undefined
        ? await isLineageOfProposal(needs, lineage, signal)
        : round === undefined || (await isLineageOfReveal(needs, round, reveal, signal))
    if (!isTrue) return 'lineage'
    const sizes = new Map(trainingShards(chain.state).map(({ shard, bytes }) => [shard, bytes]))
    const shards = lineage.shards.flatMap(({ shard, samples }) =>
      samples > 0 && sizes.has(shard) ? [{ cid: shard, bytes: sizes.get(shard)! }] : []
    )
    const shard = byLot(shards, seed, 1)
    return shard === undefined ? undefined : this.#inspect(model.sequences, shard, signal)
  }

  async #inspect(sequences: SequenceSource, shard: Shard, signal: AbortSignal): Promise<MeasurementReason | undefined> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>(resolve => {
      timer = setTimeout(resolve, shardTimeoutMs, 'late')
    })
    try {
      const found = await Promise.race([late, this.#inspector.inspect(sequences, shard, signal)])
      // Text that its publisher cannot show when it is asked for is no proof of anything, and no lie either.
      return found === 'mixed' ? 'lineage' : undefined
    } catch (error) {
      if (isBlyanError(error, 'SHARD_INVALID')) return 'lineage'
      if (isBlyanError(error)) return undefined
      throw error
    } finally {
      clearTimeout(timer)
    }
  }
}

function revealsIn({ state }: LineageRequest['chain'], { model, learners }: Candidate): readonly Reveal[] {
  const made = new Set(learners)
  return revealsOf(state, model).filter(({ account }) => made.has(account))
}

function byLot<T>(items: readonly T[], seed: Uint8Array, place: number): T | undefined {
  return items[new DataView(seed.buffer, seed.byteOffset).getUint32(4 * place) % Math.max(1, items.length)]
}
