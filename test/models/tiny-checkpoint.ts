/** Writes a tiny model as a folder that a Hugging Face program could have written. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { blockName, expertNames, type Tensor, type TinyModel, tinyTensors, type WeightType } from './tiny-model.ts'
import { tinyTokenizer } from './tiny-tokenizer.ts'

export type CheckpointOptions = {
  /** Of which generation of transformers the configuration is. */
  readonly config?: 'v4' | 'v5'
  /** One tensor a matrix, or all experts of a layer in one. */
  readonly layout?: 'experts' | 'fused'
  readonly files?: number
  readonly type?: WeightType
}

/** What stands in config.json by name. */
export type ConfigFile = Record<string, unknown>

const classNames = {
  mixtral: 'MixtralForCausalLM',
  olmoe: 'OlmoeForCausalLM',
  qwen2_moe: 'Qwen2MoeForCausalLM',
  qwen3_moe: 'Qwen3MoeForCausalLM'
}

export async function writeCheckpoint(
  folder: string,
  model: TinyModel,
  { config = 'v5', layout = 'experts', files = 1, type = 'fp32' }: CheckpointOptions = {}
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const tensors = tinyTensors(model, type)
  await writeFile(join(folder, 'config.json'), JSON.stringify(configFile(model, config, type), null, 2))
  await writeTensors(folder, layout === 'fused' ? fusedTensors(model, tensors) : tensors, files, type)
  const tokenizer = tinyTokenizer()
  await writeFile(join(folder, 'tokenizer.json'), tokenizer.tokenizer)
  await writeFile(join(folder, 'tokenizer_config.json'), tokenizer.config)
  await writeFile(join(folder, 'generation_config.json'), tokenizer.generation)
}

export function configFile(model: TinyModel, generation: 'v4' | 'v5', type: WeightType = 'fp32'): ConfigFile {
  const { family } = model
  const typeName = { fp32: 'float32', bf16: 'bfloat16', fp16: 'float16' }[type]
  const hasOwnExpertWidth = family.startsWith('qwen')
  const isV5 = generation === 'v5'
  return {
    architectures: [classNames[family]],
    model_type: family,
    vocab_size: model.vocabulary,
    hidden_size: model.width,
    num_hidden_layers: model.layers,
    num_attention_heads: model.heads,
    num_key_value_heads: model.keyValueHeads,
    num_experts_per_tok: model.expertsPerToken,
    hidden_act: 'silu',
    max_position_embeddings: model.contextTokens,
    rms_norm_eps: model.normEpsilon,
    tie_word_embeddings: model.tied,
    attention_dropout: 0,
    use_cache: true,
    // transformers 5 renamed this one for Qwen3 (an alias of the other name).
    ...(family === 'mixtral' || (family === 'qwen3_moe' && isV5)
      ? { num_local_experts: model.experts }
      : { num_experts: model.experts }),
    ...(family === 'mixtral' ? {} : { norm_topk_prob: model.normalise }),
    ...(hasOwnExpertWidth
      ? {
          intermediate_size: model.denseWidth || 64,
          moe_intermediate_size: model.expertWidth,
          mlp_only_layers: model.denseLayers,
          decoder_sparse_step: 1,
          use_sliding_window: false,
          sliding_window: isV5 ? null : 4096,
          max_window_layers: model.layers
        }
      : { intermediate_size: model.expertWidth }),
    ...(family === 'mixtral' ? { sliding_window: model.slidingWindow } : {}),
    ...(family === 'olmoe' ? { clip_qkv: model.clip, attention_bias: false } : {}),
    ...(family === 'qwen2_moe' ? { shared_expert_intermediate_size: model.sharedWidth } : {}),
    ...(family === 'qwen3_moe' ? { head_dim: model.headWidth, attention_bias: false } : {}),
    ...(isV5
      ? { rope_parameters: { rope_theta: model.ropeTheta, rope_type: 'default' }, dtype: typeName }
      : { rope_theta: model.ropeTheta, rope_scaling: null, torch_dtype: typeName }),
    transformers_version: isV5 ? '5.0.0' : '4.46.0'
  }
}

/** `save_original_format=False` of transformers 5: gate rows, then up rows, of all experts in one tensor. */
export function fusedTensors(model: TinyModel, tensors: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  const result = new Map<string, Tensor>()
  const { experts, expertWidth, width, family } = model
  for (const [name, tensor] of tensors) {
    if (!name.includes('.experts.')) result.set(name.replace(blockName(family), 'mlp'), tensor)
  }
  for (let layer = 0; layer < model.layers; layer++) {
    if (model.denseLayers.includes(layer)) continue
    const gateUp = new Float64Array(experts * 2 * expertWidth * width)
    const down = new Float64Array(experts * width * expertWidth)
    const size = expertWidth * width
    for (let expert = 0; expert < experts; expert++) {
      const [gateName, upName, downName] = expertNames(family, layer, expert)
      gateUp.set(tensors.get(gateName)!.values, expert * 2 * size)
      gateUp.set(tensors.get(upName)!.values, expert * 2 * size + size)
      down.set(tensors.get(downName)!.values, expert * size)
    }
    const prefix = `model.layers.${layer}.mlp.experts`
    result.set(`${prefix}.gate_up_proj`, { shape: [experts, 2 * expertWidth, width], values: gateUp })
    result.set(`${prefix}.down_proj`, { shape: [experts, width, expertWidth], values: down })
  }
  return result
}

/** One file, or as many as asked for with their index; tensors are dealt out in turn, so that layers cross files. */
export async function writeTensors(
  folder: string,
  tensors: ReadonlyMap<string, Tensor>,
  files: number,
  type: WeightType
): Promise<void> {
  if (files === 1) return writeFile(join(folder, 'model.safetensors'), safetensorsFile([...tensors], type))
  const dealt = Array.from({ length: files }, (_, file) => [...tensors].filter((_, i) => i % files === file))
  const nameOf = (file: number) =>
    `model-${String(file + 1).padStart(5, '0')}-of-${String(files).padStart(5, '0')}.safetensors`
  const places = dealt.flatMap((entries, file) => entries.map(([name]) => [name, nameOf(file)] as const))
  await Promise.all(dealt.map((entries, file) => writeFile(join(folder, nameOf(file)), safetensorsFile(entries, type))))
  await writeFile(
    join(folder, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: { total_size: 0 }, weight_map: Object.fromEntries(places) })
  )
}

export function safetensorsFile(entries: readonly (readonly [string, Tensor])[], type: WeightType): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  const bodies: Uint8Array[] = []
  let position = 0
  for (const [name, { shape, values }] of entries) {
    const bytes = bytesOf(values, type)
    const dtype = { fp32: 'F32', bf16: 'BF16', fp16: 'F16' }[type]
    header[name] = { dtype, shape, data_offsets: [position, position + bytes.length] }
    position += bytes.length
    bodies.push(bytes)
  }
  const text = Buffer.from(JSON.stringify(header))
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  return Buffer.concat([length, padded, ...bodies])
}

function bytesOf(values: Float64Array, type: WeightType): Uint8Array {
  const single = Float32Array.from(values)
  if (type === 'fp32') return new Uint8Array(single.buffer)
  if (type === 'fp16') return new Uint8Array(Float16Array.from(values).buffer)
  const words = new Uint16Array(single.buffer).filter((_, i) => i % 2 === 1)
  return new Uint8Array(words.buffer)
}
