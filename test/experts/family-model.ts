/** The tiny models of the four families, with weights under their published names, as models of the second family. */
import type { ArchitectureV2, Precision } from '../../src/experts/index.ts'
import { blockName, expertNames, type Tensor, type TinyModel } from '../models/tiny-model.ts'
import type { RowSource } from './packed-model.ts'

export function architectureOf(model: TinyModel, precision: Precision): ArchitectureV2 {
  const { vocabulary, width, layers, heads, keyValueHeads, headWidth, experts, expertsPerToken, expertWidth } = model
  const queryKeyNorm = { mixtral: 'none', olmoe: 'projection', qwen2_moe: 'none', qwen3_moe: 'head' } as const
  return {
    family: 'blyan-moe/2',
    vocabulary,
    width,
    layers,
    heads,
    keyValueHeads,
    headWidth,
    experts,
    expertsPerToken,
    expertWidth,
    contextTokens: model.contextTokens,
    ropeBase: model.ropeTheta,
    normEpsilon: model.normEpsilon.toExponential(),
    router: { softmaxFirst: true, normalise: model.normalise },
    embeddingScale: 'one',
    precision,
    attentionBias: model.family === 'qwen2_moe',
    queryKeyNorm: queryKeyNorm[model.family],
    clipQueryKeyValue: model.clip === null ? null : `${model.clip}`,
    slidingWindow: model.slidingWindow,
    sharedExpertWidth: model.sharedWidth,
    denseLayers: model.denseLayers,
    denseWidth: model.denseWidth,
    tokenizer: 'tokenizer.json'
  }
}

/** The rows of a slice from the tensors of a checkpoint. */
export function rowsOfCheckpoint(model: TinyModel, tensors: ReadonlyMap<string, Tensor>): RowSource {
  return (part, name, rows, columns) => {
    const { values } = tensors.get(publishedName(model, part.layer, part.expert, part.name, name))!
    return Array.from({ length: rows }, (_, row) => [...values.subarray(row * columns, (row + 1) * columns)])
  }
}

const attentionNames: Record<string, string> = {
  query: 'self_attn.q_proj.weight',
  key: 'self_attn.k_proj.weight',
  value: 'self_attn.v_proj.weight',
  output: 'self_attn.o_proj.weight',
  queryBias: 'self_attn.q_proj.bias',
  keyBias: 'self_attn.k_proj.bias',
  valueBias: 'self_attn.v_proj.bias',
  queryNorm: 'self_attn.q_norm.weight',
  keyNorm: 'self_attn.k_norm.weight',
  attentionNorm: 'input_layernorm.weight',
  expertsNorm: 'post_attention_layernorm.weight'
}

function publishedName(
  model: TinyModel,
  layer: number | null,
  expert: number | null,
  part: string,
  name: string
): string {
  if (name === 'embeddings') return 'model.embed_tokens.weight'
  if (name === 'finalNorm') return 'model.norm.weight'
  if (name === 'rows') return model.tied ? 'model.embed_tokens.weight' : 'lm_head.weight'
  const prefix = `model.layers.${layer}`
  if (name === 'router') return `${prefix}.${blockName(model.family)}.gate.weight`
  if (name === 'sharedGate') return `${prefix}.mlp.shared_expert_gate.weight`
  const place = ['gate', 'up', 'down'].indexOf(name)
  if (place === -1) return `${prefix}.${attentionNames[name]}`
  if (expert !== null) return expertNames(model.family, layer!, expert)[place]!
  return `${prefix}.mlp.${part.endsWith('.shared') ? 'shared_expert.' : ''}${name}_proj.weight`
}
