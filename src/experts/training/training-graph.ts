import { BlyanError } from '../../errors/index.ts'
import { type Architecture, type ModelShape, shapeOf } from '../model/architecture.ts'
import { createGraphBuilder, type FloatType } from '../model/graph-builder.ts'
import { type ElementType, elementTypes, type GraphValue } from '../model/onnx-writer.ts'
import { describeModel, type PartDescription, sliceOf } from '../model/part-layout.ts'
import { type BatchShape, batchShapeOf } from './attention.ts'
import { addLayer, type LayerLosses } from './layers.ts'
import { crossEntropy, weightedSum } from './losses.ts'
import { linear, lookUpRows, rootMeanSquareNorm, scale } from './operations.ts'
import { createTape, type Tape, type Value } from './tape.ts'

export type TrainingGraphOptions = {
  /** Names of the parts whose gradients are wanted; nothing is computed for the others. */
  readonly trained: ReadonlySet<string> | 'all'
  /** What the mean load-balance loss of the routers counts beside the cross-entropy. */
  readonly balance: number
  /** The same for the mean square of the size of router logits. */
  readonly zLoss: number
  /** `fp64` is for checking gradients. */
  readonly precision: 'fp32' | 'fp64'
  /** Adds every gradient to what it is fed, so that a step can be made of several runs. */
  readonly accumulate?: boolean
}

/** A graph and what it takes and gives. */
export type WrittenGraph = {
  readonly model: Uint8Array
  readonly inputs: readonly GraphValue[]
  readonly outputs: readonly GraphValue[]
}

/**
 * One step's graph. In: `tokens` and `targets` int64 [B, S]; `cosines`, `sines` [S, headWidth] and `mask` [S, S] of
 * `positionTables`; every slice of every part as `<part>/<slice>`. Out: `loss` (all of it) and `crossEntropy`, scalars;
 * `perSequence` [B], mean nats a token; for each slice of a trained part its gradient `d <part>/<slice>`.
 * With `accumulate` there are inputs `weight`, a scalar, and `sum <part>/<slice>` for every gradient, which then is that sum plus
 * weight times the gradient. Throws TRAINING_UNSUPPORTED for parts in int8, TRAINING_PART_UNKNOWN for a trained part the model has not.
 */
export function trainingGraph(architecture: Architecture, options: TrainingGraphOptions): WrittenGraph {
  const sketch = startGraph(architecture, options.trained, options.precision)
  const { tape } = sketch
  const forward = addForward(sketch)
  const { balances, logitSizes } = forward.losses
  const terms: (readonly [Value, number])[] = [[forward.loss, 1]]
  for (const value of options.balance > 0 ? balances : []) terms.push([value, options.balance / balances.length])
  for (const value of options.zLoss > 0 ? logitSizes : []) terms.push([value, options.zLoss / logitSizes.length])
  const loss = weightedSum(tape, terms)
  const slopes = loss.tracked
    ? tape.backward(loss, options.accumulate ? 'weight' : undefined)
    : new Map<string, string>()
  const trained = sketch.slices.filter(({ part }) => isTrained(options.trained, part)).map(slice => slice.input)
  const gradients = trained.map(input => {
    const slope = slopes.get(input.name)
    if (slope === undefined) throw new RangeError(`${input.name} has no part in the loss`)
    const value = options.accumulate ? tape.builder.add('Add', [`sum ${input.name}`, slope]) : slope
    return { ...input, name: `d ${input.name}`, value }
  })
  const scalar = (name: string): GraphValue => ({ name, type: sketch.floatType, dimensions: [] })
  const sums = trained.map(input => ({ ...input, name: `sum ${input.name}` }))
  return finish(
    sketch,
    'training',
    [
      { ...scalar('loss'), value: loss.name },
      { ...scalar('crossEntropy'), value: forward.loss.name },
      forward.perSequence,
      ...gradients
    ],
    options.accumulate && trained.length > 0 ? [scalar('weight'), ...sums] : []
  )
}

/** The same without the way back: only `perSequence`. */
export function scoringGraph(
  architecture: Architecture,
  options: Pick<TrainingGraphOptions, 'precision'>
): WrittenGraph {
  const sketch = startGraph(architecture, new Set(), options.precision)
  return finish(sketch, 'scoring', [addForward(sketch).perSequence])
}

type Output = GraphValue & { readonly value: string }

type Sketch = {
  readonly shape: ModelShape
  readonly parts: ReadonlyMap<string, PartDescription>
  readonly tape: Tape
  readonly floatType: FloatType
  readonly slices: readonly { readonly part: string; readonly input: GraphValue; readonly value: Value }[]
}

function startGraph(
  architecture: Architecture,
  trained: ReadonlySet<string> | 'all',
  precision: 'fp32' | 'fp64'
): Sketch {
  const shape = shapeOf(architecture)
  if (shape.precision !== 'fp32') {
    throw new BlyanError('TRAINING_UNSUPPORTED', { reason: `its matrices are stored in ${shape.precision}` })
  }
  const parts = new Map(describeModel(architecture).map(part => [part.name, part]))
  const unknown = trained === 'all' ? undefined : [...trained].find(name => !parts.has(name))
  if (unknown !== undefined) throw new BlyanError('TRAINING_PART_UNKNOWN', { part: unknown })
  const floatType = precision === 'fp32' ? 'float32' : 'float64'
  const tape = createTape(createGraphBuilder(floatType))
  const slices = [...parts.values()].flatMap(part =>
    part.slices.map(slice => {
      const name = `${part.name}/${slice.name}`
      const value = isTrained(trained, part.name) ? tape.parameter(name) : tape.constant(name)
      return { part: part.name, input: { name, type: floatType as ElementType, dimensions: slice.shape }, value }
    })
  )
  return { shape, parts, tape, floatType, slices }
}

function addForward({ shape, parts, tape, floatType, slices }: Sketch): {
  readonly loss: Value
  readonly perSequence: Output
  readonly losses: LayerLosses
} {
  const { builder } = tape
  const cast = { float: elementTypes[floatType] }
  const values = new Map(slices.map(({ input, value }) => [input.name, value]))
  const parameterOf = (part: string, slice: string): Value => values.get(`${part}/${slice}`)!
  const orientationOf = (part: string, slice: string) => sliceOf(parts.get(part)!, slice).orientation!
  const batch: BatchShape = batchShapeOf(tape, 'tokens')
  const flat = (name: string): string =>
    builder.sized(builder.add('Reshape', [name, builder.integers([-1])]), ['N'], 'int64')
  const rows = lookUpRows(tape, parameterOf('embedding', 'embeddings'), shape.vocabulary, flat('tokens'), cast)
  let hidden = scale(tape, rows, shape.embeddingFactor)
  const losses: LayerLosses = { balances: [], logitSizes: [] }
  for (let layer = 0; layer < shape.layers; layer++) {
    hidden = addLayer({ tape, shape, parts, parameterOf, orientationOf, batch, cast, losses }, layer, hidden)
  }
  const normed = rootMeanSquareNorm(tape, hidden, parameterOf('embedding', 'finalNorm'), shape.normEpsilon, shape.width)
  const { part, slice } = shape.outputRows
  const logits = linear(tape, normed, parameterOf(part, slice), 'outIn')
  const { loss, perToken } = crossEntropy(tape, logits, flat('targets'), cast)
  const bySequence = builder.sized(builder.add('Reshape', [perToken, batch.rows]), ['B', 'S'])
  const perSequence = builder.add('ReduceMean', [bySequence, builder.integers([-1])], { keepdims: 0 })
  return { loss, losses, perSequence: { name: 'perSequence', type: floatType, dimensions: ['B'], value: perSequence } }
}

function finish(
  { shape, tape, floatType, slices }: Sketch,
  name: string,
  outputs: readonly Output[],
  sums: readonly GraphValue[] = []
): WrittenGraph {
  const table = (input: string, ...dimensions: (number | string)[]): GraphValue => ({
    name: input,
    type: floatType,
    dimensions
  })
  const inputs: GraphValue[] = [
    { name: 'tokens', type: 'int64', dimensions: ['B', 'S'] },
    { name: 'targets', type: 'int64', dimensions: ['B', 'S'] },
    table('cosines', 'S', shape.headWidth),
    table('sines', 'S', shape.headWidth),
    table('mask', 'S', 'S'),
    ...slices.map(({ input }) => input),
    ...sums
  ]
  return { model: tape.builder.write(name, inputs, distinct(tape, outputs)), inputs, outputs }
}

/** Two outputs of one value, or an output that is a constant, need a node of their own. */
function distinct({ builder }: Tape, outputs: readonly Output[]): readonly Output[] {
  const seen = new Set<string>()
  return outputs.map(output => {
    if (!seen.has(output.value) && output.value.startsWith('value')) {
      seen.add(output.value)
      return output
    }
    return { ...output, value: builder.add('Identity', [output.value]) }
  })
}

function isTrained(trained: ReadonlySet<string> | 'all', part: string): boolean {
  return trained === 'all' || trained.has(part)
}
