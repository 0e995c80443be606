/** The model in float64 and plain loops, written from the definitions of its papers, to judge the graphs by. */
import { type ArchitectureV1, type ModelShape, shapeOf } from '../../src/experts/index.ts'

export type Parameters = ReadonlyMap<string, Float32Array>
export type Row = number[]

/** Rows of a matrix [out][in], of a table, or one row of a vector, of a part by the name of its slice. */
export type Weights = (part: string, name: string) => Row[]

/** Logits [tokens][vocabulary] of a whole sequence, without a cache. */
export function referenceLogits(a: ArchitectureV1, parameters: Parameters, tokens: Uint8Array): Row[] {
  return logitsOf(shapeOf(a), weightsOfFirstFamily(a, parameters), tokens)
}

/** The same for any shape. `chosen` is told of every choice of experts, token by token in each layer. */
export function logitsOf(
  a: ModelShape,
  weights: Weights,
  tokens: ArrayLike<number>,
  chosen: (layer: number, experts: readonly number[]) => void = () => {}
): Row[] {
  const embeddings = weights('embedding', 'embeddings')
  let hidden = Array.from(tokens, token => embeddings[token]!.map(value => value * a.embeddingFactor))
  for (let layer = 0; layer < a.layers; layer++) {
    const own = (name: string): Row[] => weights(`layer${layer}.attention`, name)
    const inputs = hidden.map(row => norm(a, row, own('attentionNorm')[0]!))
    const mixed = attention(a, own, inputs)
    hidden = hidden.map((row, t) => add(row, times(own('output'), mixed[t]!)))
    hidden = hidden.map(row => {
      const x = norm(a, row, own('expertsNorm')[0]!)
      if (a.denseLayers.has(layer)) return add(row, feedForward(weights, `layer${layer}.dense`, x))
      const routed = add(row, experts(a, weights, layer, x, chosen))
      if (a.sharedExpertWidth === 0) return routed
      const opening = 1 / (1 + Math.exp(-dot(weights(`layer${layer}.shared`, 'sharedGate')[0]!, x)))
      return add(
        routed,
        feedForward(weights, `layer${layer}.shared`, x).map(value => value * opening)
      )
    })
  }
  const output = weights(a.outputRows.part, a.outputRows.slice)
  return hidden.map(row => times(output, norm(a, row, weights('embedding', 'finalNorm')[0]!)))
}

/** Mean next-byte loss in nats over one window. */
export function referenceLoss(a: ArchitectureV1, parameters: Parameters, window: Uint8Array): number {
  const logits = referenceLogits(a, parameters, window.subarray(0, -1))
  const losses = logits.map((row, t) => Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[window[t + 1]!]!)
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
}

/** One expert on one row; the part is gate [in,out], up [in,out], down [out,in]. */
export function referenceExpert(a: ArchitectureV1, part: Float32Array, x: Row): Row {
  return feedForward(weightsOfFirstFamily(a, new Map([['own', part]])), 'own', x)
}

/** Parts as describeModel's first family lays them out, read by hand. */
function weightsOfFirstFamily(a: ArchitectureV1, parameters: Parameters): Weights {
  const keyValueWidth = a.keyValueHeads * a.headWidth
  const places: Record<string, readonly [row: number, rows: number]> = {
    embeddings: [0, a.vocabulary],
    finalNorm: [a.vocabulary, 1],
    rows: [0, a.vocabulary],
    router: [0, a.experts],
    query: [0, a.width],
    key: [a.width, keyValueWidth],
    value: [a.width + keyValueWidth, keyValueWidth],
    output: [a.width + 2 * keyValueWidth, a.width],
    attentionNorm: [2 * a.width + 2 * keyValueWidth, 1],
    expertsNorm: [2 * a.width + 2 * keyValueWidth + 1, 1]
  }
  const size = a.width * a.expertWidth
  return (part, name) => {
    const data = parameters.get(part)!
    const place = places[name]
    if (place) return rowsOf(data, a.width).slice(place[0], place[0] + place[1])
    if (name === 'down') return rowsOf(data.subarray(2 * size), a.expertWidth)
    const matrix = rowsOf(data.subarray(name === 'gate' ? 0 : size, name === 'gate' ? size : 2 * size), a.expertWidth)
    return Array.from({ length: a.expertWidth }, (_, column) => matrix.map(row => row[column]!))
  }
}

function feedForward(weights: Weights, part: string, x: Row): Row {
  const gate = times(weights(part, 'gate'), x)
  const up = times(weights(part, 'up'), x)
  const inner = gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i]!)
  return times(weights(part, 'down'), inner)
}

function experts(
  a: ModelShape,
  weights: Weights,
  layer: number,
  x: Row,
  tell: (layer: number, experts: readonly number[]) => void
): Row {
  const logits = times(weights(`layer${layer}.router`, 'router'), x)
  const order = logits.map((_, i) => i).sort((i, j) => logits[j]! - logits[i]! || i - j)
  const chosen = order.slice(0, a.expertsPerToken)
  tell(layer, chosen)
  const all = softmax(logits)
  const few = softmax(chosen.map(i => logits[i]!))
  const shares = chosen.map((i, rank) => (a.router.softmaxFirst ? all[i]! : few[rank]!))
  const total = shares.reduce((sum, share) => sum + share, 0)
  const divideBy = a.router.normalise ? total : 1
  return chosen
    .map((i, rank) => feedForward(weights, `layer${layer}.expert${i}`, x).map(y => (y * shares[rank]!) / divideBy))
    .reduce(add)
}

function attention(a: ModelShape, weights: (name: string) => Row[], inputs: Row[]): Row[] {
  const { heads, keyValueHeads, headWidth } = a
  const split = (row: Row): Row[] => rowsOf(Float64Array.from(row), headWidth)
  const clip = (row: Row): Row => {
    const size = a.clipQueryKeyValue ?? Number.POSITIVE_INFINITY
    return row.map(value => Math.max(-size, Math.min(size, value)))
  }
  const project = (name: 'query' | 'key' | 'value', x: Row): Row => {
    const plain = times(weights(name), x)
    return a.attentionBias ? add(plain, weights(`${name}Bias`)[0]!) : plain
  }
  const turned = (name: 'query' | 'key', x: Row, t: number): Row[] => {
    const plain = project(name, x)
    const whole = a.queryKeyNorm === 'projection' ? norm(a, plain, weights(`${name}Norm`)[0]!) : plain
    const inHeads = split(clip(whole))
    const normed = a.queryKeyNorm === 'head' ? inHeads.map(row => norm(a, row, weights(`${name}Norm`)[0]!)) : inHeads
    return normed.map(head => rotate(a, head, t))
  }
  const queries = inputs.map((x, t) => turned('query', x, t))
  const keys = inputs.map((x, t) => turned('key', x, t))
  const values = inputs.map(x => split(clip(project('value', x))))
  return inputs.map((_, t) =>
    Array.from({ length: heads }, (_, head) => {
      const shared = Math.floor(head / (heads / keyValueHeads))
      const first = a.slidingWindow === null ? 0 : Math.max(0, t - a.slidingWindow + 1)
      const seen = keys.slice(first, t + 1)
      const shares = softmax(seen.map(key => dot(queries[t]![head]!, key[shared]!) / Math.sqrt(headWidth)))
      return Array.from({ length: headWidth }, (_, i) =>
        shares.reduce((sum, share, s) => sum + share * values[first + s]![shared]![i]!, 0)
      )
    }).flat()
  )
}

/** Pairs (i, i + half) turn by position / base^(2i / headWidth). */
function rotate(a: ModelShape, head: Row, position: number): Row {
  const half = a.headWidth / 2
  return head.map((value, i) => {
    const angle = position * a.ropeBase ** ((-2 * (i % half)) / a.headWidth)
    const other = i < half ? -head[i + half]! : head[i - half]!
    return value * Math.cos(angle) + other * Math.sin(angle)
  })
}

function norm(a: ModelShape, row: Row, weight: Row): Row {
  const meanSquare = dot(row, row) / row.length
  return row.map((value, i) => (value / Math.sqrt(meanSquare + a.normEpsilon)) * weight[i]!)
}

function softmax(values: Row): Row {
  const highest = Math.max(...values)
  const powers = values.map(value => Math.exp(value - highest))
  const total = powers.reduce((sum, power) => sum + power, 0)
  return powers.map(power => power / total)
}

function times(matrix: Row[], x: Row): Row {
  return matrix.map(row => dot(row, x))
}

function dot(x: Row, y: Row): number {
  return x.reduce((sum, value, i) => sum + value * y[i]!, 0)
}

function add(x: Row, y: Row): Row {
  return x.map((value, i) => value + y[i]!)
}

function rowsOf(data: Float32Array | Float64Array, width: number): Row[] {
  return Array.from({ length: data.length / width }, (_, i) => Array.from(data.subarray(i * width, (i + 1) * width)))
}
