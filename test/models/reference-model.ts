/**
 * What a model of one of the four families computes, in float64, written from its definition: no graph, no cache, no
 * batching. It shares no line with src/ and reads weights under their published names.
 */
import { blockName, expertNames, type Tensor, type TinyModel } from './tiny-model.ts'

type Row = Float64Array
type Weights = ReadonlyMap<string, Tensor>

export type ReferenceResult = {
  /** One row a token: what the model says about the next one. */
  readonly logits: readonly Row[]
  /** By layer and token, the experts that were chosen, best first; empty for dense layers. */
  readonly chosen: readonly (readonly (readonly number[])[])[]
}

export function referenceForward(model: TinyModel, weights: Weights, tokens: ArrayLike<number>): ReferenceResult {
  const embeddings = weights.get('model.embed_tokens.weight')!
  let hidden = Array.from(tokens, token => rowOf(embeddings, token))
  const chosen: number[][][] = []
  for (let layer = 0; layer < model.layers; layer++) {
    const prefix = `model.layers.${layer}`
    const normed = hidden.map(row => normalised(row, weights.get(`${prefix}.input_layernorm.weight`)!, model))
    const mixed = attention(model, weights, layer, normed)
    hidden = hidden.map((row, i) => plus(row, mixed[i]!))
    const entering = hidden.map(row =>
      normalised(row, weights.get(`${prefix}.post_attention_layernorm.weight`)!, model)
    )
    const results = entering.map(row => feedForward(model, weights, layer, row))
    hidden = hidden.map((row, i) => plus(row, results[i]!.result))
    chosen.push(results.map(({ experts }) => experts))
  }
  const output = model.tied ? embeddings : weights.get('lm_head.weight')!
  const logits = hidden.map(row => times(output, normalised(row, weights.get('model.norm.weight')!, model)))
  return { logits, chosen }
}

function attention(model: TinyModel, weights: Weights, layer: number, rows: readonly Row[]): Row[] {
  const { heads, keyValueHeads, headWidth, slidingWindow } = model
  const project = (letter: 'q' | 'k' | 'v') => rows.map(row => projected(model, weights, layer, letter, row))
  const queries = project('q').map((row, position) => rotated(model, row, position))
  const keys = project('k').map((row, position) => rotated(model, row, position))
  const values = project('v')
  const out = weights.get(`model.layers.${layer}.self_attn.o_proj.weight`)!
  return rows.map((_, i) => {
    const joined = new Float64Array(heads * headWidth)
    const first = slidingWindow === null ? 0 : Math.max(0, i - slidingWindow + 1)
    for (let head = 0; head < heads; head++) {
      const source = Math.floor(head / (heads / keyValueHeads))
      const query = part(queries[i]!, head, headWidth)
      const scores: number[] = []
      for (let j = first; j <= i; j++) scores.push(dot(query, part(keys[j]!, source, headWidth)) / Math.sqrt(headWidth))
      softmax(scores).forEach((share, offset) => {
        const value = part(values[first + offset]!, source, headWidth)
        for (let k = 0; k < headWidth; k++) joined[head * headWidth + k]! += share * value[k]!
      })
    }
    return times(out, joined)
  })
}

/** Matrix, bias, norm, clip: which of them there are depends on the family. */
function projected(model: TinyModel, weights: Weights, layer: number, letter: 'q' | 'k' | 'v', row: Row): Row {
  const prefix = `model.layers.${layer}.self_attn.${letter}`
  let result = times(weights.get(`${prefix}_proj.weight`)!, row)
  const bias = weights.get(`${prefix}_proj.bias`)
  if (bias !== undefined) result = plus(result, bias.values)
  const norm = weights.get(`${prefix}_norm.weight`)
  if (norm !== undefined && model.family === 'olmoe') result = normalised(result, norm, model)
  if (norm !== undefined && model.family === 'qwen3_moe') {
    for (let head = 0; head < result.length / model.headWidth; head++) {
      result.set(normalised(part(result, head, model.headWidth), norm, model), head * model.headWidth)
    }
  }
  const { clip } = model
  return clip === null ? result : result.map(value => Math.min(clip, Math.max(-clip, value)))
}

/** Each pair (k, k + half) of a head is turned by position x theta^(-2k / headWidth). */
function rotated(model: TinyModel, row: Row, position: number): Row {
  const { headWidth, ropeTheta } = model
  const half = headWidth / 2
  const result = new Float64Array(row.length)
  for (let start = 0; start < row.length; start += headWidth) {
    for (let k = 0; k < half; k++) {
      const angle = position * ropeTheta ** ((-2 * k) / headWidth)
      const a = row[start + k]!
      const b = row[start + k + half]!
      result[start + k] = a * Math.cos(angle) - b * Math.sin(angle)
      result[start + k + half] = b * Math.cos(angle) + a * Math.sin(angle)
    }
  }
  return result
}

function feedForward(model: TinyModel, weights: Weights, layer: number, row: Row): { result: Row; experts: number[] } {
  const mlp = `model.layers.${layer}.mlp`
  const under = (place: string) =>
    [`${place}.gate_proj.weight`, `${place}.up_proj.weight`, `${place}.down_proj.weight`] as const
  if (model.denseLayers.includes(layer)) return { result: swiglu(weights, under(mlp), row), experts: [] }
  const logits = times(weights.get(`model.layers.${layer}.${blockName(model.family)}.gate.weight`)!, row)
  const shares = softmax([...logits])
  const experts = shares
    .map((share, expert) => ({ share, expert }))
    .sort((a, b) => b.share - a.share || a.expert - b.expert)
    .slice(0, model.expertsPerToken)
  const total = model.normalise ? experts.reduce((sum, { share }) => sum + share, 0) : 1
  let result: Row = new Float64Array(row.length)
  for (const { share, expert } of experts) {
    const output = swiglu(weights, expertNames(model.family, layer, expert), row)
    result = result.map((value, k) => value + (share / total) * output[k]!)
  }
  if (model.sharedWidth > 0) {
    const opening = 1 / (1 + Math.exp(-times(weights.get(`${mlp}.shared_expert_gate.weight`)!, row)[0]!))
    const output = swiglu(weights, under(`${mlp}.shared_expert`), row)
    result = result.map((value, k) => value + opening * output[k]!)
  }
  return { result, experts: experts.map(({ expert }) => expert) }
}

/** down(silu(gate x) * up x) */
function swiglu(weights: Weights, [gateName, upName, downName]: readonly [string, string, string], row: Row): Row {
  const up = times(weights.get(upName)!, row)
  const inner = times(weights.get(gateName)!, row).map((value, k) => (value / (1 + Math.exp(-value))) * up[k]!)
  return times(weights.get(downName)!, inner)
}

function normalised(row: Row, { values }: Tensor, { normEpsilon }: TinyModel): Row {
  const mean = row.reduce((total, value) => total + value * value, 0) / row.length
  return row.map((value, k) => (value / Math.sqrt(mean + normEpsilon)) * values[k]!)
}

function times({ shape, values }: Tensor, row: Row): Row {
  const [outputs, inputs] = shape as readonly [number, number]
  const result = new Float64Array(outputs)
  for (let i = 0; i < outputs; i++) {
    let total = 0
    for (let k = 0; k < inputs; k++) total += values[i * inputs + k]! * row[k]!
    result[i] = total
  }
  return result
}

function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores)
  const exponentials = scores.map(score => Math.exp(score - largest))
  const total = exponentials.reduce((sum, value) => sum + value, 0)
  return exponentials.map(value => value / total)
}

function rowOf({ shape, values }: Tensor, index: number): Row {
  return values.slice(index * shape[1]!, (index + 1) * shape[1]!)
}

function part(row: Row, index: number, width: number): Row {
  return row.subarray(index * width, (index + 1) * width)
}

function dot(a: Row, b: Row): number {
  return a.reduce((total, value, k) => total + value * b[k]!, 0)
}

function plus(a: Row, b: Row): Row {
  return a.map((value, k) => value + b[k]!)
}
