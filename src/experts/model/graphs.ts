import { type Architecture, attentionRows } from './architecture.ts'
import {
  type ExternalTensor,
  type GraphDescription,
  type GraphNode,
  type GraphValue,
  type InlineTensor,
  writeOnnxModel
} from './onnx-writer.ts'

/** Where the tensor of a part lies: `location` is relative to the tensor folder. */
export type TensorLocation = { readonly location: string; readonly dataOffsetBytes: number }

/** `tokens` int64 [T] -> `hidden` [T, width], scaled as the architecture says. */
export function embeddingGraph(architecture: Architecture, embedding: TensorLocation): Uint8Array {
  const { width, vocabulary } = architecture
  const scale = architecture.embeddingScale === 'sqrtWidth' ? Math.sqrt(width) : 1
  return writeOnnxModel({
    name: 'embedding',
    inputs: [{ name: 'tokens', type: 'int64', dimensions: ['T'] }],
    outputs: [floats('hidden', 'T', width)],
    constants: [rows('embeddings', embedding, 0, [vocabulary, width], width), floatConstant('scale', scale)],
    nodes: [node('Gather', ['embeddings', 'tokens'], ['rows']), node('Mul', ['rows', 'scale'], ['hidden'])]
  })
}

/**
 * One layer up to its experts. In: `hidden` [T, width]; `pastKeys` and `pastValues` [P, keyValueHeads x headWidth], P may
 * be 0, keys rotated; `mask` [T, P+T], added to the scores; `cosines` and `sines` [T, 1, headWidth] of the new positions.
 * Out: `attended` [T, width], the residual stream after attention; `normed` [T, width], what experts and router read;
 * `routerLogits` [T, experts]; `newKeys` and `newValues` [T, keyValueHeads x headWidth].
 */
export function trunkGraph(architecture: Architecture, attention: TensorLocation, router: TensorLocation): Uint8Array {
  const { width, experts, keyValueHeads, headWidth, heads } = architecture
  const keyValueWidth = keyValueHeads * headWidth
  const at = attentionRows(architecture)
  const slice = (name: string, row: number, dimensions: readonly number[]): ExternalTensor =>
    rows(name, attention, row, dimensions, width)
  return writeOnnxModel({
    name: 'trunk',
    inputs: [
      floats('hidden', 'T', width),
      floats('pastKeys', 'P', keyValueWidth),
      floats('pastValues', 'P', keyValueWidth),
      floats('mask', 'T', 'S'),
      floats('cosines', 'T', 1, headWidth),
      floats('sines', 'T', 1, headWidth)
    ],
    outputs: [
      floats('attended', 'T', width),
      floats('normed', 'T', width),
      floats('routerLogits', 'T', experts),
      floats('newKeys', 'T', keyValueWidth),
      floats('newValues', 'T', keyValueWidth)
    ],
    constants: [
      slice('queryWeights', at.queries, [heads * headWidth, width]),
      slice('keyWeights', at.keys, [keyValueWidth, width]),
      slice('valueWeights', at.values, [keyValueWidth, width]),
      slice('outputWeights', at.output, [width, heads * headWidth]),
      slice('attentionNorm', at.attentionNorm, [width]),
      slice('expertsNorm', at.expertsNorm, [width]),
      rows('routerWeights', router, 0, [experts, width], width),
      ...normConstants(architecture),
      ...attentionConstants(architecture)
    ],
    nodes: [
      ...rootMeanSquareNorm('hidden', 'attentionNorm', 'attentionInput'),
      ...attentionNodes(),
      node('Add', ['hidden', 'attentionOutput'], ['attended']),
      ...rootMeanSquareNorm('attended', 'expertsNorm', 'normed'),
      linear('normed', 'routerWeights', 'routerLogits')
    ]
  })
}

/** SwiGLU: `tokens` [N, width] -> `result` [N, width] = (silu(tokens gate) * (tokens up)) down. */
export function expertGraph(architecture: Architecture, expert: TensorLocation): Uint8Array {
  const { width, expertWidth } = architecture
  const matrix = (name: string, index: number, dimensions: readonly number[]): ExternalTensor =>
    rows(name, expert, index * width, dimensions, expertWidth)
  return writeOnnxModel({
    name: 'expert',
    inputs: [floats('tokens', 'N', width)],
    outputs: [floats('result', 'N', width)],
    constants: [
      matrix('gate', 0, [width, expertWidth]),
      matrix('up', 1, [width, expertWidth]),
      // Stored as [out, in], so that a part has one shape [3, width, expertWidth].
      matrix('down', 2, [width, expertWidth])
    ],
    nodes: [
      node('MatMul', ['tokens', 'gate'], ['gated']),
      node('Sigmoid', ['gated'], ['opening']),
      node('Mul', ['gated', 'opening'], ['activated']),
      node('MatMul', ['tokens', 'up'], ['raised']),
      node('Mul', ['activated', 'raised'], ['inner']),
      linear('inner', 'down', 'result')
    ]
  })
}

/** Final norm and output rows: `hidden` [T, width] -> `logits` [T, vocabulary]. The norm is the last embedding row. */
export function outputGraph(architecture: Architecture, embedding: TensorLocation, output: TensorLocation): Uint8Array {
  const { width, vocabulary } = architecture
  return writeOnnxModel({
    name: 'output',
    inputs: [floats('hidden', 'T', width)],
    outputs: [floats('logits', 'T', vocabulary)],
    constants: [
      rows('outputRows', output, 0, [vocabulary, width], width),
      rows('finalNorm', embedding, vocabulary, [width], width),
      ...normConstants(architecture)
    ],
    nodes: [...rootMeanSquareNorm('hidden', 'finalNorm', 'normed'), linear('normed', 'outputRows', 'logits')]
  })
}

/** `left` [size, size] times a constant of ones, for measuring a device. Nothing is read from a file. */
export function measuringGraph(size: number): GraphDescription {
  return {
    name: 'measuring',
    inputs: [floats('left', size, size), floats('right', size, size)],
    outputs: [floats('product', size, size)],
    constants: [],
    nodes: [node('MatMul', ['left', 'right'], ['product'])]
  }
}

function attentionNodes(): GraphNode[] {
  return [
    linear('attentionInput', 'queryWeights', 'queriesFlat'),
    linear('attentionInput', 'keyWeights', 'keysFlat'),
    linear('attentionInput', 'valueWeights', 'newValues'),
    node('Reshape', ['queriesFlat', 'queryShape'], ['queries']),
    node('Reshape', ['keysFlat', 'keyShape'], ['keys']),
    ...rotate('queries', 'rotatedQueries'),
    ...rotate('keys', 'rotatedKeys'),
    node('Reshape', ['rotatedKeys', 'flatShape'], ['newKeys']),
    node('Concat', ['pastKeys', 'newKeys'], ['allKeys'], { axis: 0 }),
    node('Concat', ['pastValues', 'newValues'], ['allValues'], { axis: 0 }),
    // Query heads in groups that share a key and value head: [keyValueHeads, group, T or 1, ...].
    node('Reshape', ['rotatedQueries', 'groupedQueryShape'], ['groupedQueries']),
    node('Transpose', ['groupedQueries'], ['queriesByHead'], { perm: [1, 2, 0, 3] }),
    node('Reshape', ['allKeys', 'groupedKeyShape'], ['groupedKeys']),
    node('Transpose', ['groupedKeys'], ['keysByHead'], { perm: [1, 2, 3, 0] }),
    node('Reshape', ['allValues', 'groupedKeyShape'], ['groupedValues']),
    node('Transpose', ['groupedValues'], ['valuesByHead'], { perm: [1, 2, 0, 3] }),
    node('MatMul', ['queriesByHead', 'keysByHead'], ['products']),
    node('Mul', ['products', 'scoreScale'], ['scores']),
    node('Add', ['scores', 'mask'], ['maskedScores']),
    node('Softmax', ['maskedScores'], ['shares'], { axis: -1 }),
    node('MatMul', ['shares', 'valuesByHead'], ['mixedByHead']),
    node('Transpose', ['mixedByHead'], ['mixed'], { perm: [2, 0, 1, 3] }),
    node('Reshape', ['mixed', 'flatShape'], ['mixedFlat']),
    linear('mixedFlat', 'outputWeights', 'attentionOutput')
  ]
}

/** In Reshape 0 keeps an extent and -1 is whatever is left. */
function attentionConstants(architecture: Architecture): InlineTensor[] {
  const { heads, keyValueHeads, headWidth } = architecture
  return [
    integerConstant('queryShape', [0, heads, headWidth]),
    integerConstant('keyShape', [0, keyValueHeads, headWidth]),
    integerConstant('flatShape', [0, -1]),
    integerConstant('groupedQueryShape', [0, keyValueHeads, heads / keyValueHeads, headWidth]),
    integerConstant('groupedKeyShape', [0, keyValueHeads, 1, headWidth]),
    floatConstant('scoreScale', 1 / Math.sqrt(headWidth))
  ]
}

/** Rotary positions on [T, heads, headWidth]: x cos + (-second half, first half) sin. */
function rotate(input: string, output: string): GraphNode[] {
  const named = (what: string): string => `${input}.${what}`
  return [
    node('Split', [input], [named('first'), named('second')], { axis: -1, num_outputs: 2 }),
    node('Neg', [named('second')], [named('negated')]),
    node('Concat', [named('negated'), named('first')], [named('turned')], { axis: -1 }),
    node('Mul', [input, 'cosines'], [named('cosine')]),
    node('Mul', [named('turned'), 'sines'], [named('sine')]),
    node('Add', [named('cosine'), named('sine')], [output])
  ]
}

/** x / sqrt(mean(x^2) + epsilon) * weight, over the last axis. */
function rootMeanSquareNorm(input: string, weight: string, output: string): GraphNode[] {
  const named = (what: string): string => `${output}.${what}`
  return [
    node('Mul', [input, input], [named('squares')]),
    node('ReduceMean', [named('squares'), 'lastAxis'], [named('mean')], { keepdims: 1 }),
    node('Add', [named('mean'), 'epsilon'], [named('padded')]),
    node('Sqrt', [named('padded')], [named('root')]),
    node('Div', [input, named('root')], [named('unit')]),
    node('Mul', [named('unit'), weight], [output])
  ]
}

function normConstants(architecture: Architecture): InlineTensor[] {
  return [integerConstant('lastAxis', [-1]), floatConstant('epsilon', Number(architecture.normEpsilon))]
}

/** Rows of weights are outputs, as in Hugging Face files. */
function linear(input: string, weights: string, output: string): GraphNode {
  return node('Gemm', [input, weights], [output], { transB: 1 })
}

function node(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: GraphNode['attributes'] = {}
): GraphNode {
  return { operator, inputs, outputs, attributes }
}

function floats(name: string, ...dimensions: (number | string)[]): GraphValue {
  return { name, type: 'float32', dimensions }
}

function rows(
  name: string,
  from: TensorLocation,
  row: number,
  dimensions: readonly number[],
  rowWidth: number
): ExternalTensor {
  const lengthBytes = 4 * dimensions.reduce((product, extent) => product * extent, 1)
  const offsetBytes = from.dataOffsetBytes + 4 * row * rowWidth
  return { name, type: 'float32', dimensions, location: from.location, offsetBytes, lengthBytes }
}

function floatConstant(name: string, value: number): InlineTensor {
  return { name, type: 'float32', dimensions: [], data: new Uint8Array(Float32Array.of(value).buffer) }
}

function integerConstant(name: string, values: readonly number[]): InlineTensor {
  const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
  return { name, type: 'int64', dimensions: [values.length], data }
}
