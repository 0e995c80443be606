import type { ModelShape } from './architecture.ts'
import { type KeyValueCache, keepKeysAndValues, readableRows } from './key-value-cache.ts'
import { attentionMask, rotaryRows } from './positions.ts'
import { addRows, addWeighted, type ExpertLoad, gatherRows, routeTokens } from './routing.ts'

export type Feed = { readonly data: Float32Array | BigInt64Array; readonly dimensions: readonly number[] }
export type Feeds = Readonly<Record<string, Feed>>

/** Tokens of one sequence and what is known of those before them. */
export type SequenceStep = { readonly tokens: Uint32Array | Uint8Array; readonly cache: KeyValueCache }

/** What one expert is asked in one step: `rows` [N, width], normed, and for each row the sequence it belongs to. */
export type ExpertRows = {
  readonly expert: number
  readonly rows: Float32Array
  /** Indices into the sequences of the step, ascending. */
  readonly sequenceOfRow: Uint32Array
}

/** Runs the graphs that `graphsOf` lists, by name. */
export interface ModelRunner<Sequence extends SequenceStep = SequenceStep> {
  readonly shape: ModelShape
  run(graph: string, feeds: Feeds): Promise<Record<string, Float32Array>>
  /**
   * Computes the routed experts of a layer, here or elsewhere: one [N, width] a load, in order, not weighted. Null stands
   * for a load whose sequences were all given up: nothing is added to their rows, and what comes of them is of no use.
   */
  experts(
    layer: number,
    loads: readonly ExpertRows[],
    sequences: readonly Sequence[]
  ): Promise<readonly (Float32Array | null)[]>
}

/** `experts` of a runner that has them all. */
export async function runExpertsHere(
  runner: Pick<ModelRunner, 'shape' | 'run'>,
  layer: number,
  loads: readonly ExpertRows[]
): Promise<readonly Float32Array[]> {
  const results: Float32Array[] = []
  for (const { expert, rows } of loads) {
    results.push(
      (await runner.run(`layer${layer}.expert${expert}`, rowsFeed('tokens', rows, runner.shape.width))).result!
    )
  }
  return results
}

/**
 * One step of several sequences at once: takes each one's `tokens` through all layers after what its cache holds, and adds their
 * keys and values to the caches. Returns the hidden rows of all, in order, [all tokens, width] before the final norm, owned by
 * the caller. Caches grow only when the whole step went well, so a failed step can be done again.
 */
export async function forwardBatch<Sequence extends SequenceStep>(
  runner: ModelRunner<Sequence>,
  sequences: readonly Sequence[]
): Promise<Float32Array> {
  const { shape } = runner
  for (const { tokens, cache } of sequences) {
    if (cache.rows + tokens.length > cache.rowsMax) throw new RangeError('the key-value cache is full')
  }
  const step = prepareStep(shape, sequences)
  let hidden = (await runner.run('embedding', { tokens: step.tokens })).hidden!
  for (let layer = 0; layer < shape.layers; layer++) hidden = await forwardLayer(runner, layer, hidden, step)
  for (const { tokens, cache } of sequences) cache.rows += tokens.length
  return hidden
}

/** The same for one sequence. */
export function forwardHidden(
  runner: ModelRunner,
  tokens: Uint32Array | Uint8Array,
  cache: KeyValueCache
): Promise<Float32Array> {
  return forwardBatch(runner, [{ tokens, cache }])
}

/** Final norm and output rows for `hidden` [T, width] -> [T, vocabulary]. */
export async function forwardLogits(
  runner: Pick<ModelRunner, 'shape' | 'run'>,
  hidden: Float32Array
): Promise<Float32Array> {
  return (await runner.run('output', rowsFeed('hidden', hidden, runner.shape.width))).logits!
}

/** What all layers of a step share. */
type Step<Sequence extends SequenceStep> = {
  readonly sequences: readonly Sequence[]
  /** First row of each sequence. */
  readonly starts: readonly number[]
  readonly sequenceOfRow: Uint32Array
  readonly tokens: Feed
  readonly positions: Feeds
  readonly masks: readonly Feed[]
}

function prepareStep<Sequence extends SequenceStep>(shape: ModelShape, sequences: readonly Sequence[]): Step<Sequence> {
  const starts: number[] = []
  let total = 0
  for (const { tokens } of sequences) {
    starts.push(total)
    total += tokens.length
  }
  const ids = new BigInt64Array(total)
  const places = new Float64Array(total)
  const sequenceOfRow = new Uint32Array(total)
  sequences.forEach(({ tokens, cache }, index) => {
    for (let i = 0; i < tokens.length; i++) {
      ids[starts[index]! + i] = BigInt(tokens[i]!)
      places[starts[index]! + i] = cache.rows + i
      sequenceOfRow[starts[index]! + i] = index
    }
  })
  const { cosines, sines } = rotaryRows(places, shape.headWidth, shape.ropeBase)
  const dimensions = [total, 1, shape.headWidth]
  return {
    sequences,
    starts,
    sequenceOfRow,
    tokens: { data: ids, dimensions: [total] },
    positions: { cosines: { data: cosines, dimensions }, sines: { data: sines, dimensions } },
    masks: sequences.map(({ tokens, cache }) => {
      const { first, count } = readableRows(shape, cache, tokens.length)
      const data = attentionMask(cache.rows, tokens.length, first, shape.slidingWindow)
      return { data, dimensions: [tokens.length, count] }
    })
  }
}

async function forwardLayer<Sequence extends SequenceStep>(
  runner: ModelRunner<Sequence>,
  layer: number,
  hidden: Float32Array,
  step: Step<Sequence>
): Promise<Float32Array> {
  const { shape } = runner
  const { width } = shape
  const projected = await runner.run(`layer${layer}.project`, {
    ...rowsFeed('hidden', hidden, width),
    ...step.positions
  })
  const mixed = await mixAll(runner, layer, projected, step)
  const finished = await runner.run(`layer${layer}.finish`, {
    ...rowsFeed('hidden', hidden, width),
    ...rowsFeed('mixed', mixed, shape.heads * shape.headWidth)
  })
  const attended = finished.attended!
  const normed = finished.normed!
  if (shape.denseLayers.has(layer)) {
    addRows(attended, (await runner.run(`layer${layer}.dense`, rowsFeed('tokens', normed, width))).result!)
    return attended
  }
  const loads = routeTokens(finished.routerLogits!, shape)
  const asked = runner.experts(
    layer,
    loads.map(load => expertRows(load, normed, width, step.sequenceOfRow)),
    step.sequences
  )
  // While others compute the routed experts there is time for the shared one.
  const [results, shared] = await Promise.all([
    asked,
    shape.sharedExpertWidth > 0 ? runner.run(`layer${layer}.shared`, rowsFeed('tokens', normed, width)) : undefined
  ])
  loads.forEach((load, i) => {
    const result = results[i]
    if (result) addWeighted(attended, result, load, width)
  })
  if (shared) addRows(attended, shared.result!)
  return attended
}

/** Attention of each sequence over its own past; rows of all sequences in, rows of all out. */
async function mixAll(
  runner: ModelRunner<never>,
  layer: number,
  projected: Record<string, Float32Array>,
  step: Step<SequenceStep>
): Promise<Float32Array> {
  const { shape } = runner
  const queryWidth = shape.heads * shape.headWidth
  const queries = projected.queries!
  const mixed = new Float32Array(queries.length)
  for (const [index, { tokens, cache }] of step.sequences.entries()) {
    const start = step.starts[index]!
    keepKeysAndValues(shape, cache, layer, tokens.length, projected.keys!, projected.values!, start)
    const { first, count } = readableRows(shape, cache, tokens.length)
    const range = [first * shape.headWidth, (first + count) * shape.headWidth] as const
    const feeds: Record<string, Feed> = { mask: step.masks[index]! }
    for (let head = 0; head < shape.keyValueHeads; head++) {
      const dimensions = [count, shape.headWidth]
      feeds[`keys${head}`] = { data: cache.keys[layer]![head]!.subarray(...range), dimensions }
      feeds[`values${head}`] = { data: cache.values[layer]![head]!.subarray(...range), dimensions }
    }
    const own = queries.subarray(start * queryWidth, (start + tokens.length) * queryWidth)
    const result = await runner.run('attend', { ...rowsFeed('queries', own, queryWidth), ...feeds })
    mixed.set(result.mixed!, start * queryWidth)
  }
  return mixed
}

function expertRows(load: ExpertLoad, normed: Float32Array, width: number, sequenceOfRow: Uint32Array): ExpertRows {
  return {
    expert: load.expert,
    rows: gatherRows(normed, load.tokens, width),
    sequenceOfRow: load.tokens.map(row => sequenceOfRow[row]!)
  }
}

function rowsFeed(name: string, data: Float32Array, width: number): Feeds {
  return { [name]: { data, dimensions: [data.length / width, width] } }
}
