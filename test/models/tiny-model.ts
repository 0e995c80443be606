/** Small models of the four families, drawn from their tensors' names: the same weights in every layout. */

export const families = ['mixtral', 'olmoe', 'qwen2_moe', 'qwen3_moe'] as const
export type Family = (typeof families)[number]

export type TinyModel = {
  readonly family: Family
  readonly vocabulary: number
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly headWidth: number
  readonly experts: number
  readonly expertsPerToken: number
  readonly expertWidth: number
  readonly contextTokens: number
  readonly ropeTheta: number
  readonly normEpsilon: number
  readonly normalise: boolean
  readonly clip: number | null
  readonly slidingWindow: number | null
  /** 0: none. */
  readonly sharedWidth: number
  readonly denseLayers: readonly number[]
  readonly denseWidth: number
  readonly tied: boolean
}

export type Tensor = { readonly shape: readonly number[]; readonly values: Float64Array }
export type WeightType = 'fp32' | 'bf16' | 'fp16'

const common = {
  vocabulary: 288,
  width: 64,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  headWidth: 16,
  experts: 8,
  expertsPerToken: 2,
  expertWidth: 96,
  contextTokens: 128,
  clip: null,
  slidingWindow: null,
  sharedWidth: 0,
  denseLayers: [],
  denseWidth: 0,
  tied: false
}

/** Each with what is special about its family: sliding window, clipping, biases and shared expert, head width and a dense layer. */
export function tinyModel(family: Family, changes: Partial<TinyModel> = {}): TinyModel {
  const models: Record<Family, TinyModel> = {
    mixtral: {
      ...common,
      family,
      ropeTheta: 1_000_000,
      normEpsilon: 1e-5,
      normalise: true,
      slidingWindow: 7
    },
    olmoe: { ...common, family, ropeTheta: 10_000, normEpsilon: 1e-5, normalise: false, clip: 1.5 },
    qwen2_moe: {
      ...common,
      family,
      ropeTheta: 10_000,
      normEpsilon: 1e-6,
      normalise: false,
      sharedWidth: 80
    },
    qwen3_moe: {
      ...common,
      family,
      headWidth: 24,
      layers: 3,
      ropeTheta: 1_000_000,
      normEpsilon: 1e-6,
      normalise: true,
      denseLayers: [1],
      denseWidth: 112
    }
  }
  return { ...models[family], ...changes }
}

/** All weights under the names of the published, per-expert layout, as doubles that the weight type can hold. */
export function tinyTensors(model: TinyModel, type: WeightType): ReadonlyMap<string, Tensor> {
  const { width, heads, keyValueHeads, headWidth, vocabulary } = model
  const shapes = new Map<string, readonly number[]>()
  shapes.set('model.embed_tokens.weight', [vocabulary, width])
  if (!model.tied) shapes.set('lm_head.weight', [vocabulary, width])
  shapes.set('model.norm.weight', [width])
  for (let layer = 0; layer < model.layers; layer++) {
    const prefix = `model.layers.${layer}`
    const attention = `${prefix}.self_attn`
    const outputs = { q: heads * headWidth, k: keyValueHeads * headWidth, v: keyValueHeads * headWidth }
    shapes.set(`${prefix}.input_layernorm.weight`, [width])
    shapes.set(`${prefix}.post_attention_layernorm.weight`, [width])
    for (const [letter, rows] of Object.entries(outputs)) {
      shapes.set(`${attention}.${letter}_proj.weight`, [rows, width])
      if (model.family === 'qwen2_moe') shapes.set(`${attention}.${letter}_proj.bias`, [rows])
    }
    shapes.set(`${attention}.o_proj.weight`, [width, heads * headWidth])
    if (model.family === 'olmoe') {
      shapes.set(`${attention}.q_norm.weight`, [outputs.q])
      shapes.set(`${attention}.k_norm.weight`, [outputs.k])
    }
    if (model.family === 'qwen3_moe') {
      shapes.set(`${attention}.q_norm.weight`, [headWidth])
      shapes.set(`${attention}.k_norm.weight`, [headWidth])
    }
    for (const [name, shape] of feedForwardShapes(model, layer)) shapes.set(name, shape)
  }
  return new Map([...shapes].map(([name, shape]) => [name, { shape, values: drawn(name, shape, type) }]))
}

export function blockName(family: Family): string {
  return family === 'mixtral' ? 'block_sparse_moe' : 'mlp'
}

/** Names of an expert's gate, up and down. */
export function expertNames(family: Family, layer: number, expert: number): readonly [string, string, string] {
  const prefix = `model.layers.${layer}.${blockName(family)}.experts.${expert}`
  const names = family === 'mixtral' ? ['w1', 'w3', 'w2'] : ['gate_proj', 'up_proj', 'down_proj']
  return names.map(name => `${prefix}.${name}.weight`) as unknown as readonly [string, string, string]
}

function feedForwardShapes(model: TinyModel, layer: number): [string, readonly number[]][] {
  const { width } = model
  const prefix = `model.layers.${layer}.mlp`
  const swiglu = (names: readonly [string, string, string], inner: number): [string, readonly number[]][] => [
    [names[0], [inner, width]],
    [names[1], [inner, width]],
    [names[2], [width, inner]]
  ]
  const under = (place: string): readonly [string, string, string] => [
    `${place}.gate_proj.weight`,
    `${place}.up_proj.weight`,
    `${place}.down_proj.weight`
  ]
  if (model.denseLayers.includes(layer)) return swiglu(under(prefix), model.denseWidth)
  const experts = Array.from({ length: model.experts }, (_, expert) =>
    swiglu(expertNames(model.family, layer, expert), model.expertWidth)
  ).flat()
  const shared =
    model.sharedWidth === 0
      ? []
      : [
          ...swiglu(under(`${prefix}.shared_expert`), model.sharedWidth),
          [`${prefix}.shared_expert_gate.weight`, [1, width]] as [string, readonly number[]]
        ]
  return [
    [`model.layers.${layer}.${blockName(model.family)}.gate.weight`, [model.experts, width]],
    ...experts,
    ...shared
  ]
}

/** Values of a tensor follow from its name alone. Norms lie around one; routers are strong, so that no two experts tie. */
function drawn(name: string, shape: readonly number[], type: WeightType): Float64Array {
  const length = shape.reduce((product, extent) => product * extent, 1)
  const isNorm = name.endsWith('norm.weight')
  const isRouter = /(block_sparse_moe|mlp)\.gate\.weight$/.test(name)
  const size = isNorm || name.endsWith('bias') ? 0.3 : (isRouter ? 6 : 1.7) / Math.sqrt(shape.at(-1)!)
  const next = integersOf(name)
  const values = new Float64Array(length)
  for (let i = 0; i < length; i++) {
    values[i] = rounded((isNorm ? 1 : 0) + size * (next() / 2 ** 31 - 1), type)
  }
  return values
}

/** xorshift32, from the FNV-1a hash of a text. */
function integersOf(text: string): () => number {
  let state = 0x811c9dc5
  for (const character of text) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193) >>> 0
  state ||= 1
  return () => {
    state = (state ^ (state << 13)) >>> 0
    state = (state ^ (state >>> 17)) >>> 0
    state = (state ^ (state << 5)) >>> 0
    return state
  }
}

export function rounded(value: number, type: WeightType): number {
  if (type === 'fp32') return Math.fround(value)
  if (type === 'fp16') return Float16Array.of(value)[0]!
  const bits = new Uint32Array(Float32Array.of(value).buffer)
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000
  return new Float32Array(bits.buffer)[0]!
}
