/** The model in float64 and plain loops, written from the definitions of its papers, to judge the graphs by. */
import type { Architecture } from '../../src/experts/index.ts'

export type Parameters = ReadonlyMap<string, Float32Array>
type Row = number[]

/** Logits [tokens][vocabulary] of a whole sequence, without a cache. */
export function referenceLogits(a: Architecture, parameters: Parameters, tokens: Uint8Array): Row[] {
  const scale = a.embeddingScale === 'sqrtWidth' ? Math.sqrt(a.width) : 1
  const embedding = rowsOf(parameters.get('embedding')!, a.width)
  let hidden = Array.from(tokens, token => embedding[token]!.map(value => value * scale))
  for (let layer = 0; layer < a.layers; layer++) {
    const rows = rowsOf(parameters.get(`layer${layer}.attention`)!, a.width)
    const keyValueWidth = a.keyValueHeads * a.headWidth
    const take = (count: number): Row[] => rows.splice(0, count)
    const [q, k, v, o] = [take(a.width), take(keyValueWidth), take(keyValueWidth), take(a.width)]
    const [attentionNorm, expertsNorm] = [rows[0]!, rows[1]!]
    const mixed = attention(
      a,
      hidden.map(row => norm(a, row, attentionNorm)),
      q,
      k,
      v
    )
    hidden = hidden.map((row, t) => add(row, times(o, mixed[t]!)))
    hidden = hidden.map(row => add(row, experts(a, parameters, layer, norm(a, row, expertsNorm))))
  }
  const output = a.tiedOutput ? embedding.slice(0, a.vocabulary) : rowsOf(parameters.get('output')!, a.width)
  return hidden.map(row => times(output, norm(a, row, embedding[a.vocabulary]!)))
}

/** Mean next-byte loss in nats over one window. */
export function referenceLoss(a: Architecture, parameters: Parameters, window: Uint8Array): number {
  const logits = referenceLogits(a, parameters, window.subarray(0, -1))
  const losses = logits.map((row, t) => Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[window[t + 1]!]!)
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
}

/** One expert on one row; the part is gate [in,out], up [in,out], down [out,in]. */
export function referenceExpert(a: Architecture, part: Float32Array, x: Row): Row {
  const size = a.width * a.expertWidth
  const column = (matrix: number, c: number): number =>
    x.reduce((sum, value, r) => sum + value * part[matrix * size + r * a.expertWidth + c]!, 0)
  const inner = Array.from({ length: a.expertWidth }, (_, c) => {
    const gate = column(0, c)
    return (gate / (1 + Math.exp(-gate))) * column(1, c)
  })
  return times(rowsOf(part.subarray(2 * size), a.expertWidth), inner)
}

function experts(a: Architecture, parameters: Parameters, layer: number, x: Row): Row {
  const logits = times(rowsOf(parameters.get(`layer${layer}.router`)!, a.width), x)
  const order = logits.map((_, i) => i).sort((i, j) => logits[j]! - logits[i]! || i - j)
  const chosen = order.slice(0, a.expertsPerToken)
  const all = softmax(logits)
  const few = softmax(chosen.map(i => logits[i]!))
  const weights = chosen.map((i, rank) => (a.router.softmaxFirst ? all[i]! : few[rank]!))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const divideBy = a.router.normalise ? total : 1
  return chosen
    .map((i, rank) =>
      referenceExpert(a, parameters.get(`layer${layer}.expert${i}`)!, x).map(y => (y * weights[rank]!) / divideBy)
    )
    .reduce(add)
}

function attention(a: Architecture, inputs: Row[], q: Row[], k: Row[], v: Row[]): Row[] {
  const { heads, keyValueHeads, headWidth } = a
  const split = (row: Row): Row[] => rowsOf(Float64Array.from(row), headWidth)
  const queries = inputs.map((x, t) => split(times(q, x)).map(head => rotate(a, head, t)))
  const keys = inputs.map((x, t) => split(times(k, x)).map(head => rotate(a, head, t)))
  const values = inputs.map(x => split(times(v, x)))
  return inputs.map((_, t) =>
    Array.from({ length: heads }, (_, head) => {
      const shared = Math.floor(head / (heads / keyValueHeads))
      const scores = keys.slice(0, t + 1).map(key => dot(queries[t]![head]!, key[shared]!) / Math.sqrt(headWidth))
      const shares = softmax(scores)
      return Array.from({ length: headWidth }, (_, i) =>
        shares.reduce((sum, share, s) => sum + share * values[s]![shared]![i]!, 0)
      )
    }).flat()
  )
}

/** Pairs (i, i + half) turn by position / base^(2i / headWidth). */
function rotate(a: Architecture, head: Row, position: number): Row {
  const half = a.headWidth / 2
  return head.map((value, i) => {
    const angle = position * a.ropeBase ** ((-2 * (i % half)) / a.headWidth)
    const other = i < half ? -head[i + half]! : head[i - half]!
    return value * Math.cos(angle) + other * Math.sin(angle)
  })
}

function norm(a: Architecture, row: Row, weight: Row): Row {
  const meanSquare = dot(row, row) / row.length
  return row.map((value, i) => (value / Math.sqrt(meanSquare + Number(a.normEpsilon))) * weight[i]!)
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
