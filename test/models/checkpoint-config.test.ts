import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CheckpointConfig, parseCheckpointConfig } from '../../src/models/checkpoint-config.ts'
import { type ConfigFile, configFile } from './tiny-checkpoint.ts'
import { type Family, families, type TinyModel, tinyModel } from './tiny-model.ts'

const parse = (config: ConfigFile): CheckpointConfig =>
  parseCheckpointConfig(JSON.stringify(config), { precision: 'int8', tokenizer: 'tokenizer.json' })

function changed(family: Family, changes: ConfigFile, generation: 'v4' | 'v5' = 'v5'): ConfigFile {
  const config = { ...configFile(tinyModel(family), generation), ...changes }
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
}

function expectedOf(model: TinyModel): unknown {
  const { family } = model
  return {
    family: 'blyan-moe/2',
    vocabulary: model.vocabulary,
    width: model.width,
    layers: model.layers,
    heads: model.heads,
    keyValueHeads: model.keyValueHeads,
    headWidth: model.headWidth,
    experts: model.experts,
    expertsPerToken: model.expertsPerToken,
    expertWidth: model.expertWidth,
    contextTokens: model.contextTokens,
    ropeBase: model.ropeTheta,
    normEpsilon: model.normEpsilon === 1e-5 ? '1e-5' : '1e-6',
    router: { softmaxFirst: true, normalise: model.normalise },
    embeddingScale: 'one',
    precision: 'int8',
    attentionBias: family === 'qwen2_moe',
    queryKeyNorm: { mixtral: 'none', olmoe: 'projection', qwen2_moe: 'none', qwen3_moe: 'head' }[family],
    clipQueryKeyValue: model.clip === null ? null : String(model.clip),
    slidingWindow: model.slidingWindow,
    sharedExpertWidth: model.sharedWidth,
    denseLayers: model.denseLayers,
    denseWidth: model.denseWidth,
    tokenizer: 'tokenizer.json'
  }
}

for (const family of families) {
  test(`configurations of both generations mean the same: ${family}`, () => {
    for (const generation of ['v4', 'v5'] as const) {
      const { architecture, modelType, tiedOutput } = parse(configFile(tinyModel(family), generation))
      assert.deepEqual(architecture, expectedOf(tinyModel(family)))
      assert.equal(modelType, family)
      assert.equal(tiedOutput, false)
    }
  })

  test(`what a configuration leaves out has the default of its family: ${family}`, () => {
    const { architecture } = parse(
      changed(family, {
        rms_norm_eps: undefined,
        rope_parameters: undefined,
        norm_topk_prob: undefined,
        head_dim: undefined,
        num_key_value_heads: undefined
      })
    )
    const [epsilon, theta] = {
      mixtral: ['1e-5', 1_000_000],
      olmoe: ['1e-5', 10_000],
      qwen2_moe: ['1e-6', 10_000],
      qwen3_moe: ['1e-6', 10_000]
    }[family] as [string, number]
    assert.equal(architecture.normEpsilon, epsilon)
    assert.equal(architecture.ropeBase, theta)
    assert.equal(architecture.router.normalise, family === 'mixtral')
    assert.equal(architecture.headWidth, 16)
    assert.equal(architecture.keyValueHeads, 4)
  })
}

test('Mixtral always normalises the weights of its experts, whatever else its configuration says', () => {
  assert.equal(parse(changed('mixtral', { norm_topk_prob: false })).architecture.router.normalise, true)
  assert.equal(parse(changed('olmoe', { norm_topk_prob: true })).architecture.router.normalise, true)
})

test('the number of experts goes by both names, and two that differ are refused', () => {
  for (const family of families)
    for (const name of ['num_experts', 'num_local_experts']) {
      const counts = { num_experts: undefined, num_local_experts: undefined, [name]: 5 }
      assert.equal(parse(changed(family, counts)).architecture.experts, 5)
    }
  assert.throws(() => parse(changed('olmoe', { num_experts: 4, num_local_experts: 5 })), {
    code: 'MODEL_CONFIG_INVALID'
  })
})

test('layers are dense by list and by step', () => {
  const dense = (changes: ConfigFile) => parse(changed('qwen3_moe', { num_hidden_layers: 6, ...changes })).architecture
  assert.deepEqual(dense({ mlp_only_layers: [0, 3] }).denseLayers, [0, 3])
  assert.deepEqual(dense({ mlp_only_layers: [], decoder_sparse_step: 2 }).denseLayers, [0, 2, 4])
  assert.deepEqual(dense({ mlp_only_layers: [1], decoder_sparse_step: 3 }).denseLayers, [0, 1, 3, 4])
  assert.equal(dense({ mlp_only_layers: [] }).denseWidth, 0)
  assert.deepEqual(parse(changed('mixtral', { mlp_only_layers: [0] })).architecture.denseLayers, [])
})

test('the width of a head stands in the configuration, or is what the heads share', () => {
  assert.equal(parse(changed('qwen3_moe', { head_dim: 40 })).architecture.headWidth, 40)
  assert.equal(parse(changed('mixtral', { head_dim: 32 })).architecture.headWidth, 32)
  assert.equal(parse(changed('mixtral', { head_dim: null })).architecture.headWidth, 16)
})

test('a window counts where it is switched on for every layer', () => {
  assert.equal(parse(changed('mixtral', { sliding_window: null })).architecture.slidingWindow, null)
  const on = { use_sliding_window: true, sliding_window: 9 }
  assert.equal(parse(changed('qwen3_moe', on)).architecture.slidingWindow, 9)
  assert.equal(parse(changed('qwen3_moe', { sliding_window: 9 })).architecture.slidingWindow, null)
  assert.throws(() => parse(changed('qwen2_moe', on)), { code: 'MODEL_FEATURE_UNSUPPORTED' })
  const all = { ...on, layer_types: ['sliding_attention', 'sliding_attention'] }
  assert.equal(parse(changed('qwen2_moe', all)).architecture.slidingWindow, 9)
  const mixed = { ...on, layer_types: ['sliding_attention', 'full_attention'] }
  assert.throws(() => parse(changed('qwen2_moe', mixed)), { code: 'MODEL_FEATURE_UNSUPPORTED' })
})

test('a model whose type is not known is refused by its name', () => {
  for (const modelType of ['deepseek_v3', 'gpt_oss', 'granitemoe', 'switch_transformers', 'llama', 'Mixtral'])
    assert.throws(() => parse(changed('mixtral', { model_type: modelType })), {
      code: 'MODEL_TYPE_UNKNOWN',
      message: new RegExp(`"${modelType}".*mixtral, olmoe, qwen2_moe, qwen3_moe`)
    })
})

test('what would compute something else is refused, never guessed', () => {
  const refused: [Family, ConfigFile][] = [
    ['mixtral', { hidden_act: 'gelu' }],
    ['olmoe', { quantization_config: { quant_method: 'gptq' } }],
    ['olmoe', { attention_bias: true }],
    ['qwen3_moe', { attention_bias: true }],
    ['qwen3_moe', { rope_parameters: { rope_theta: 10_000, rope_type: 'yarn', factor: 4 } }],
    ['qwen2_moe', { rope_parameters: undefined, rope_scaling: { type: 'linear', factor: 2 } }],
    ['mixtral', { partial_rotary_factor: 0.5 }]
  ]
  for (const [family, changes] of refused)
    assert.throws(() => parse(changed(family, changes)), { code: 'MODEL_FEATURE_UNSUPPORTED' }, JSON.stringify(changes))
})

test('configurations that describe no model are refused with the field', () => {
  const wrong: [ConfigFile, RegExp][] = [
    [{ model_type: undefined }, /model_type/],
    [{ hidden_size: undefined }, /hidden_size/],
    [{ hidden_size: '64' }, /hidden_size/],
    [{ vocab_size: 1 }, /vocabulary/],
    [{ num_hidden_layers: 100_000 }, /layers/],
    [{ num_attention_heads: 3 }, /headWidth|heads/],
    [{ num_experts_per_tok: 99 }, /expertsPerToken/],
    [{ rms_norm_eps: 1.5e-5 }, /normEpsilon/],
    [{ rope_parameters: { rope_theta: 10_000.5 } }, /ropeBase/],
    [{ clip_qkv: -1 }, /clip_qkv/],
    [{ norm_topk_prob: 'yes' }, /norm_topk_prob/]
  ]
  for (const [changes, message] of wrong)
    assert.throws(() => parse(changed('olmoe', changes)), { code: 'MODEL_CONFIG_INVALID', message })
  for (const text of ['', '[]', 'null', '{"model_type": "olm'])
    assert.throws(() => parseCheckpointConfig(text, { precision: 'int8', tokenizer: 'bytes' }), {
      code: 'MODEL_CONFIG_INVALID'
    })
})
