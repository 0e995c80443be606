import { bytesToHex, concatBytes, digestOfCid, hexToBytes, parseCid, sha256 } from '../../codec/index.ts'
import { type Draw, drawSequences, purposeSeed, type Shard, type Slice } from './draw.ts'

/** Which data trained a delta, as it stands on chain: enough for anybody to draw every batch again. */
export type Lineage = {
  readonly shards: readonly { readonly shard: string; readonly samples: number }[]
  /** Of the learner in this round, hex. */
  readonly seed: string
  /** Over all places drawn, in their order; a shard is named by its content, so this names the text too. Hex. */
  readonly batchesDigest: string
  readonly steps: number
  readonly tokens: number
}

/** How a learner draws: the seed and slice of its assignment, the shards it trains on, the form of its batches. */
export type TrainingPlan = {
  readonly seed: Uint8Array
  readonly shards: readonly Shard[]
  readonly slice?: Slice
  readonly sequences: number
  readonly sequenceTokens: number
  readonly bytesEach: number
}

export const lineageLimits = Object.freeze({ shardsMax: 16, drawsMax: 100_000 })

/** Batch `step` of a round, counted from 0. */
export function drawBatch({ seed, shards, slice, sequences, bytesEach }: TrainingPlan, step: number): readonly Draw[] {
  return drawSequences({ seed: purposeSeed(seed, `batch ${step}`), shards, count: sequences, bytesEach, slice })
}

/** What a learner says of its first `steps` batches. */
export function lineageOf(plan: TrainingPlan, steps: number): Lineage {
  return ended(drawnLineage(plan, steps))
}

/** The same batch by batch, so that other work can go on between them. */
function* drawnLineage(plan: TrainingPlan, steps: number): Generator<void, Lineage> {
  const samples = new Map(plan.shards.map(({ cid }) => [cid, 0]))
  const names = new Map(plan.shards.map(({ cid }) => [cid, digestOfCid(parseCid(cid))]))
  let digest = sha256(plan.seed)
  for (let step = 0; step < steps; step++) {
    const draws = drawBatch(plan, step)
    for (const { shard } of draws) samples.set(shard, samples.get(shard)! + 1)
    digest = sha256(concatBytes(digest, ...draws.map(draw => bytesOfDraw(draw, names.get(draw.shard)!))))
    yield
  }
  return {
    shards: [...samples].map(([shard, count]) => ({ shard, samples: count })),
    seed: bytesToHex(plan.seed),
    batchesDigest: bytesToHex(digest),
    steps,
    tokens: steps * plan.sequences * plan.sequenceTokens
  }
}

function bytesOfDraw({ offset }: Draw, shard: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(40)
  bytes.set(shard)
  new DataView(bytes.buffer).setBigUint64(32, BigInt(offset))
  return bytes
}

export type LineageVerdict =
  | { readonly valid: true; readonly plan: TrainingPlan }
  | { readonly valid: false; readonly reason: 'seed' | 'shard' | 'form' | 'digest' | 'samples' }

export type ExpectedLineage = {
  /** Undefined for a proposal outside rounds, whose author chooses its seed. */
  readonly seed?: string
  readonly slice?: Slice
  readonly sequenceTokens: number
  readonly bytesEach: number
  /** Undefined for what is no published training shard. */
  bytesOf(shard: string): number | undefined
}

/**
 * Draws all batches again that `lineage` speaks of. `expected` is what chain and model say: the seed and slice of the
 * assignment, sizes of published training shards, the form of sequences. No text is needed for it.
 */
export function verifyLineage(lineage: Lineage, expected: ExpectedLineage): LineageVerdict {
  return ended(lineageVerification(lineage, expected))
}

/** The same batch by batch: there may be so many that a node must not do them all in one go. */
export function* lineageVerification(lineage: Lineage, expected: ExpectedLineage): Generator<void, LineageVerdict> {
  const { seed, slice, sequenceTokens, bytesEach, bytesOf } = expected
  const ownSeed = hexToBytes(lineage.seed)
  if (ownSeed === undefined || (seed !== undefined && seed !== lineage.seed)) return { valid: false, reason: 'seed' }
  const shards = lineage.shards.flatMap(({ shard }) => {
    const bytes = bytesOf(shard)
    return bytes === undefined ? [] : [{ cid: shard, bytes }]
  })
  if (shards.length !== lineage.shards.length) return { valid: false, reason: 'shard' }
  const sequences = lineage.tokens / (lineage.steps * sequenceTokens)
  const draws = lineage.steps * sequences
  const isForm = Number.isSafeInteger(sequences) && sequences >= 1 && draws <= lineageLimits.drawsMax
  if (!isForm || shards.every(({ bytes }) => bytes < bytesEach)) return { valid: false, reason: 'form' }
  const plan = { seed: ownSeed, shards, slice, sequences, sequenceTokens, bytesEach }
  const drawn = yield* drawnLineage(plan, lineage.steps)
  if (drawn.batchesDigest !== lineage.batchesDigest) return { valid: false, reason: 'digest' }
  const isCounted = drawn.shards.every(({ samples }, index) => samples === lineage.shards[index]!.samples)
  return isCounted ? { valid: true, plan } : { valid: false, reason: 'samples' }
}

function ended<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done === true) return value
  }
}
