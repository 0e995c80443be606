import type { ModelShape } from './architecture.ts'
import {
  createGraphBuilder,
  floats,
  type GraphBuilder,
  type PlacedPart,
  rootMeanSquareNorm,
  rotate
} from './graph-builder.ts'
import { type Int8Kernel, lookUp, multiply } from './matrix-nodes.ts'
import { sliceOf } from './part-layout.ts'

export type { PlacedPart, TensorLocation } from './graph-builder.ts'
export type { Int8Kernel } from './matrix-nodes.ts'

/** `tokens` int64 [T] -> `hidden` [T, width], scaled as the architecture says. */
export function embeddingGraph(shape: ModelShape, embedding: PlacedPart): Uint8Array {
  const builder = createGraphBuilder()
  const rows = lookUp(builder, 'tokens', embedding, 'embeddings')
  const hidden = builder.add('Mul', [rows, builder.float(shape.embeddingFactor)])
  return builder.write(
    'embedding',
    [{ name: 'tokens', type: 'int64', dimensions: ['T'] }],
    [{ ...floats('hidden', 'T', shape.width), value: hidden }]
  )
}

/**
 * What attention needs of each row, of any number of sequences at once. In: `hidden` [T, width]; `cosines` and `sines`
 * [T, 1, headWidth] of the rows' positions. Out: `queries` [T, heads x headWidth], `keys` and `values`
 * [T, keyValueHeads x headWidth]; queries and keys turned.
 */
export function projectGraph(shape: ModelShape, attention: PlacedPart, kernel: Int8Kernel): Uint8Array {
  const { heads, keyValueHeads, headWidth } = shape
  const builder = createGraphBuilder()
  const input = normOf(builder, shape, attention, 'hidden', 'attentionNorm')
  const project = (name: 'query' | 'key' | 'value', headCount: number): string => {
    const plain = multiply(builder, input, attention, name, kernel)
    const bias = shape.attentionBias ? builder.slice(attention, sliceOf(attention, `${name}Bias`)) : null
    const biased = bias === null ? plain : builder.add('Add', [plain, bias])
    if (name === 'value') return clip(builder, shape, biased)
    const normed =
      shape.queryKeyNorm === 'projection' ? normOf(builder, shape, attention, biased, `${name}Norm`) : biased
    const split = builder.add('Reshape', [clip(builder, shape, normed), builder.integers([0, headCount, headWidth])])
    const ready = shape.queryKeyNorm === 'head' ? normOf(builder, shape, attention, split, `${name}Norm`) : split
    return builder.add('Reshape', [
      rotate(builder, ready, 'cosines', 'sines'),
      builder.integers([0, headCount * headWidth])
    ])
  }
  const width = { queries: heads * headWidth, keys: keyValueHeads * headWidth }
  return builder.write(
    'project',
    [floats('hidden', 'T', shape.width), floats('cosines', 'T', 1, headWidth), floats('sines', 'T', 1, headWidth)],
    [
      { ...floats('queries', 'T', width.queries), value: project('query', heads) },
      { ...floats('keys', 'T', width.keys), value: project('key', keyValueHeads) },
      { ...floats('values', 'T', width.keys), value: project('value', keyValueHeads) }
    ]
  )
}

/**
 * Attention of the T new rows of one sequence over its S rows; no weights, one for all layers. In: `queries`
 * [T, heads x headWidth]; for each key-value head `keys<i>` and `values<i>` [S, headWidth], the new rows among them; `mask`
 * [T, S], added to the scores. Out: `mixed` [T, heads x headWidth].
 */
export function attendGraph(shape: ModelShape): Uint8Array {
  const { heads, keyValueHeads, headWidth } = shape
  const group = heads / keyValueHeads
  const builder = createGraphBuilder()
  const scaled = builder.add('Mul', ['queries', builder.float(1 / Math.sqrt(headWidth))])
  // Query heads in groups that share a key-value head: [keyValueHeads, group, T, headWidth].
  const grouped = builder.add('Reshape', [scaled, builder.integers([0, keyValueHeads, group, headWidth])])
  const byHead = builder.add('Transpose', [grouped], { perm: [1, 2, 0, 3] })
  const queries =
    keyValueHeads === 1
      ? [byHead]
      : builder.addMany('Split', [byHead], keyValueHeads, { axis: 0, num_outputs: keyValueHeads })
  const length = builder.add('Shape', ['mask'])
  const mixed = queries.map((own, head) => {
    const rows = builder.add('Reshape', [own, builder.integers([-1, headWidth])])
    const products = builder.add('Gemm', [rows, `keys${head}`], { transB: 1 })
    const scores = builder.add('Reshape', [products, scoreShape(builder, length, group)])
    const shares = builder.add('Softmax', [builder.add('Add', [scores, 'mask'])], { axis: -1 })
    const flat = builder.add('Reshape', [shares, builder.add('Shape', [products])])
    return builder.add('MatMul', [flat, `values${head}`])
  })
  const joined = mixed.length === 1 ? mixed[0]! : builder.add('Concat', mixed, { axis: 0 })
  const split = builder.add('Reshape', [joined, builder.integers([heads, -1, headWidth])])
  const byRow = builder.add('Transpose', [split], { perm: [1, 0, 2] })
  const cached = (name: string) => (_: unknown, head: number) => floats(`${name}${head}`, 'S', headWidth)
  return builder.write(
    'attend',
    [
      floats('queries', 'T', heads * headWidth),
      ...queries.map(cached('keys')),
      ...queries.map(cached('values')),
      floats('mask', 'T', 'S')
    ],
    [
      {
        ...floats('mixed', 'T', heads * headWidth),
        value: builder.add('Reshape', [byRow, builder.integers([0, heads * headWidth])])
      }
    ]
  )
}

/**
 * The rest of a layer's trunk, of any number of sequences at once. In: `hidden` [T, width], what the layer began with; `mixed`
 * [T, heads x headWidth]. Out: `attended` [T, width], the residual stream after attention; `normed` [T, width], what experts and
 * router read; `routerLogits` [T, experts], but not for a layer without `router`.
 */
export function finishGraph(
  shape: ModelShape,
  attention: PlacedPart,
  router: PlacedPart | null,
  kernel: Int8Kernel
): Uint8Array {
  const builder = createGraphBuilder()
  const attended = builder.add('Add', ['hidden', multiply(builder, 'mixed', attention, 'output', kernel)])
  const normed = normOf(builder, shape, attention, attended, 'expertsNorm')
  const outputs = [
    { ...floats('attended', 'T', shape.width), value: attended },
    { ...floats('normed', 'T', shape.width), value: normed }
  ]
  if (router !== null) {
    const logits = multiply(builder, normed, router, 'router', kernel)
    outputs.push({ ...floats('routerLogits', 'T', shape.experts), value: logits })
  }
  const mixed = floats('mixed', 'T', shape.heads * shape.headWidth)
  return builder.write('finish', [floats('hidden', 'T', shape.width), mixed], outputs)
}

/**
 * SwiGLU, of an expert, a shared expert or a dense feed-forward: `tokens` [N, width] -> `result` [N, width] =
 * (silu(tokens gate) * (tokens up)) down, a shared expert's times sigmoid(tokens sharedGate).
 */
export function expertGraph(shape: ModelShape, expert: PlacedPart, kernel: Int8Kernel): Uint8Array {
  const builder = createGraphBuilder()
  const gated = multiply(builder, 'tokens', expert, 'gate', kernel)
  const activated = builder.add('Mul', [gated, builder.add('Sigmoid', [gated])])
  const inner = builder.add('Mul', [activated, multiply(builder, 'tokens', expert, 'up', kernel)])
  const result = multiply(builder, inner, expert, 'down', kernel)
  const isShared = expert.slices.some(slice => slice.name === 'sharedGate')
  const opening = isShared ? builder.add('Sigmoid', [multiply(builder, 'tokens', expert, 'sharedGate', kernel)]) : null
  return builder.write(
    'expert',
    [floats('tokens', 'N', shape.width)],
    [
      {
        ...floats('result', 'N', shape.width),
        value: opening === null ? result : builder.add('Mul', [result, opening])
      }
    ]
  )
}

/** Final norm (of the embedding part) and output rows: `hidden` [T, width] -> `logits` [T, vocabulary]. */
export function outputGraph(
  shape: ModelShape,
  embedding: PlacedPart,
  output: PlacedPart,
  kernel: Int8Kernel
): Uint8Array {
  const builder = createGraphBuilder()
  const normed = normOf(builder, shape, embedding, 'hidden', 'finalNorm')
  const { slice } = shape.outputRows
  const logits =
    slice === 'embeddings'
      ? builder.add('Gemm', [normed, builder.slice(output, sliceOf(output, slice))], { transB: 1 })
      : multiply(builder, normed, output, slice, kernel)
  return builder.write(
    'output',
    [floats('hidden', 'T', shape.width)],
    [{ ...floats('logits', 'T', shape.vocabulary), value: logits }]
  )
}

function normOf(builder: GraphBuilder, shape: ModelShape, part: PlacedPart, input: string, slice: string): string {
  return rootMeanSquareNorm(builder, input, builder.slice(part, sliceOf(part, slice)), shape.normEpsilon)
}

function clip(builder: GraphBuilder, shape: ModelShape, input: string): string {
  const size = shape.clipQueryKeyValue
  return size === null ? input : builder.add('Clip', [input, builder.float(-size), builder.float(size)])
}

/** [group, T, S] out of the shape [T, S] of the mask. */
function scoreShape(builder: GraphBuilder, length: string, group: number): string {
  return builder.once('score shape', () => builder.add('Concat', [builder.integers([group]), length], { axis: 0 }))
}
