import { BlyanError } from '../errors/index.ts'
import { type ArchitectureV2, type Precision, parseArchitecture } from '../experts/index.ts'

export const modelTypes = ['mixtral', 'olmoe', 'qwen2_moe', 'qwen3_moe'] as const
/** `model_type` of the families that can be imported. */
export type ModelType = (typeof modelTypes)[number]

export type CheckpointConfig = {
  readonly modelType: ModelType
  /** Output rows are the embedding rows. */
  readonly tiedOutput: boolean
  readonly architecture: ArchitectureV2
}

type Fields = Readonly<Record<string, unknown>>

/** What a missing field means: the families differ. */
const defaults = {
  mixtral: { normEpsilon: 1e-5, ropeTheta: 1_000_000 },
  olmoe: { normEpsilon: 1e-5, ropeTheta: 10_000 },
  qwen2_moe: { normEpsilon: 1e-6, ropeTheta: 10_000 },
  qwen3_moe: { normEpsilon: 1e-6, ropeTheta: 10_000 }
} as const satisfies Record<ModelType, unknown>

/** Reads config.json of transformers 4 or 5. What it does not know it refuses by name: a guess would compute another model. */
export function parseCheckpointConfig(
  text: string,
  choice: { readonly precision: Precision; readonly tokenizer: ArchitectureV2['tokenizer'] }
): CheckpointConfig {
  const config = mapOf(text)
  const modelType = modelTypeOf(config)
  refuseUnknownFeatures(config, modelType)
  const heads = integer(config, 'num_attention_heads')
  const width = integer(config, 'hidden_size')
  const layers = integer(config, 'num_hidden_layers')
  const isQwen = modelType === 'qwen2_moe' || modelType === 'qwen3_moe'
  const denseLayers = isQwen ? denseLayersOf(config, layers) : []
  const record = {
    family: 'blyan-moe/2',
    vocabulary: integer(config, 'vocab_size'),
    width,
    layers,
    heads,
    keyValueHeads: optionalInteger(config, 'num_key_value_heads') ?? heads,
    headWidth: optionalInteger(config, 'head_dim') ?? width / heads,
    experts: expertsOf(config),
    expertsPerToken: integer(config, 'num_experts_per_tok'),
    expertWidth: integer(config, isQwen ? 'moe_intermediate_size' : 'intermediate_size'),
    contextTokens: integer(config, 'max_position_embeddings'),
    ropeBase: ropeThetaOf(config) ?? defaults[modelType].ropeTheta,
    normEpsilon: number(config, 'rms_norm_eps', defaults[modelType].normEpsilon).toExponential(),
    router: { softmaxFirst: true, normalise: modelType === 'mixtral' || flag(config, 'norm_topk_prob', false) },
    embeddingScale: 'one',
    precision: choice.precision,
    attentionBias: modelType === 'qwen2_moe' && flag(config, 'qkv_bias', true),
    queryKeyNorm: modelType === 'olmoe' ? 'projection' : modelType === 'qwen3_moe' ? 'head' : 'none',
    clipQueryKeyValue: modelType === 'olmoe' ? clipOf(config) : null,
    slidingWindow: slidingWindowOf(config, modelType, layers),
    sharedExpertWidth: modelType === 'qwen2_moe' ? integer(config, 'shared_expert_intermediate_size') : 0,
    denseLayers,
    denseWidth: denseLayers.length === 0 ? 0 : integer(config, 'intermediate_size'),
    tokenizer: choice.tokenizer
  }
  return { modelType, tiedOutput: flag(config, 'tie_word_embeddings', false), architecture: checked(record) }
}

function checked(record: object): ArchitectureV2 {
  try {
    return parseArchitecture(record) as ArchitectureV2
  } catch (error) {
    if (error instanceof BlyanError && error.code === 'ARCHITECTURE_INVALID')
      throw invalid(String(error.payload.reason ?? error.message))
    throw error
  }
}

function modelTypeOf(config: Fields): ModelType {
  const { model_type: named } = config
  if (typeof named !== 'string') throw invalid('it has no model_type')
  const found = modelTypes.find(type => type === named)
  if (found !== undefined) return found
  throw new BlyanError('MODEL_TYPE_UNKNOWN', { modelType: named.slice(0, 64), known: modelTypes.join(', ') })
}

function refuseUnknownFeatures(config: Fields, modelType: ModelType): void {
  const { hidden_act: activation } = config
  if (activation !== undefined && activation !== 'silu') throw unsupported(`the activation ${String(activation)}`)
  if (isGiven(config.quantization_config)) throw unsupported('a quantisation of its own (quantization_config)')
  if (config.attention_bias === true && modelType !== 'qwen2_moe')
    throw unsupported('biases in attention (attention_bias)')
  const scaling = [config.rope_scaling, config.rope_parameters].find(isGiven)
  if (scaling !== undefined) {
    const { rope_type: named, type, partial_rotary_factor: partial } = asMap(scaling, 'rope_parameters')
    const kind = named ?? type ?? 'default'
    if (kind !== 'default') throw unsupported(`rotary positions of type ${String(kind)}`)
    if (partial !== undefined && partial !== 1) throw unsupported('partial rotary positions')
  }
  if (config.partial_rotary_factor !== undefined && config.partial_rotary_factor !== 1)
    throw unsupported('partial rotary positions')
}

/** transformers 5 writes one name where 4 wrote the other. */
function expertsOf(config: Fields): number {
  const names = ['num_local_experts', 'num_experts'] as const
  const found = names.flatMap(name => optionalInteger(config, name) ?? [])
  if (found.length === 0) throw invalid('it has neither num_experts nor num_local_experts')
  if (found.some(count => count !== found[0])) throw invalid('num_experts and num_local_experts differ')
  return found[0]!
}

function ropeThetaOf(config: Fields): number | undefined {
  const inMap = isGiven(config.rope_parameters)
    ? asMap(config.rope_parameters, 'rope_parameters').rope_theta
    : undefined
  const theta = inMap ?? config.rope_theta
  if (theta === undefined || theta === null) return undefined
  if (typeof theta !== 'number') throw invalid('rope_theta is not a number')
  return theta
}

/** Sparse are the layers that mlp_only_layers does not name and whose number, from one, is a multiple of decoder_sparse_step. */
function denseLayersOf(config: Fields, layers: number): number[] {
  const listed = config.mlp_only_layers ?? []
  if (!Array.isArray(listed)) throw invalid('mlp_only_layers is not a list')
  const step = optionalInteger(config, 'decoder_sparse_step') ?? 1
  if (step < 1) throw invalid('decoder_sparse_step is less than 1')
  const count = Math.min(layers, 4096)
  return Array.from({ length: count }, (_, layer) => layer).filter(
    layer => listed.includes(layer) || (layer + 1) % step !== 0
  )
}

function slidingWindowOf(config: Fields, modelType: ModelType, layers: number): number | null {
  const isUsed = modelType === 'mixtral' || flag(config, 'use_sliding_window', false)
  const window = isUsed ? optionalInteger(config, 'sliding_window') : undefined
  if (window === undefined) return null
  const kinds = config.layer_types
  if (Array.isArray(kinds)) {
    if (kinds.length === layers && kinds.every(kind => kind === 'sliding_attention')) return window
    if (kinds.every(kind => kind === 'full_attention')) return null
    throw unsupported('a sliding window in some layers only (layer_types)')
  }
  // Which of its layers have one depends on max_window_layers, and differently in versions 4 and 5 of transformers.
  if (modelType === 'qwen2_moe') throw unsupported('a sliding window in some layers only (max_window_layers)')
  return window
}

function clipOf(config: Fields): string | null {
  const { clip_qkv: clip } = config
  if (clip === undefined || clip === null) return null
  if (typeof clip !== 'number' || clip <= 0) throw invalid('clip_qkv is not a positive number')
  return String(clip)
}

function mapOf(text: string): Fields {
  try {
    return asMap(JSON.parse(text), 'it')
  } catch (error) {
    throw error instanceof BlyanError ? error : invalid('it is not JSON')
  }
}

function asMap(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw invalid(`${what} is not a map`)
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

function integer(config: Fields, name: string): number {
  const value = optionalInteger(config, name)
  if (value === undefined) throw invalid(`it has no ${name}`)
  return value
}

function optionalInteger(config: Fields, name: string): number | undefined {
  const value = config[name]
  if (value === undefined || value === null) return undefined
  if (!Number.isSafeInteger(value) || Number(value) < 0) throw invalid(`${name} is not an integer`)
  return Number(value)
}

function number(config: Fields, name: string, otherwise: number): number {
  const value = config[name] ?? otherwise
  if (typeof value !== 'number') throw invalid(`${name} is not a number`)
  return value
}

function flag(config: Fields, name: string, otherwise: boolean): boolean {
  const value = config[name] ?? otherwise
  if (typeof value !== 'boolean') throw invalid(`${name} is not true or false`)
  return value
}

function invalid(reason: string): BlyanError {
  return new BlyanError('MODEL_CONFIG_INVALID', { reason })
}

function unsupported(feature: string): BlyanError {
  return new BlyanError('MODEL_FEATURE_UNSUPPORTED', { feature: feature.slice(0, 120) })
}
