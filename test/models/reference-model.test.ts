import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { createTokenizer } from '../../src/models/index.ts'
import { referenceForward } from './reference-model.ts'
import { fusedTensors } from './tiny-checkpoint.ts'
import { type Family, families, tinyModel, tinyTensors, type WeightType } from './tiny-model.ts'
import { tinyTokenizer } from './tiny-tokenizer.ts'

type Saved = { readonly config: Record<string, unknown>; readonly tensors: Record<string, readonly number[]> }
type Golden = {
  readonly tokens: readonly number[]
  readonly texts: readonly { readonly text: string; readonly tokens: readonly number[] }[]
  readonly families: Record<
    Family,
    { readonly logits: Record<WeightType, string>; readonly saved: { readonly experts: Saved; readonly fused: Saved } }
  >
}

// Written by scripts/make-tiny-checkpoints.py with transformers 5.
const golden: Golden = JSON.parse(await readFile(new URL('../vectors/tiny-models.json', import.meta.url), 'utf8'))

for (const family of families) {
  test(`the reference computes what transformers computes: ${family}`, () => {
    for (const type of ['fp32', 'bf16', 'fp16'] as const) {
      const model = tinyModel(family)
      const { logits } = referenceForward(model, tinyTensors(model, type), golden.tokens)
      const bytes = Buffer.from(golden.families[family].logits[type], 'base64')
      const expected = new Float32Array(new Uint8Array(bytes).buffer)
      assert.equal(expected.length, golden.tokens.length * model.vocabulary)
      const found = logits.flatMap(row => [...row])
      const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0)
      assert.ok(worst < 1e-4, `${type}: logits differ by ${worst}`)
      assert.ok(Math.max(...found.map(Math.abs)) > 1, 'the logits say something')
    }
  })

  test(`tiny checkpoints have the tensors that transformers saves: ${family}`, () => {
    const model = tinyModel(family)
    const tensors = tinyTensors(model, 'fp32')
    const { experts, fused } = golden.families[family].saved
    const shapesOf = (map: typeof tensors) => Object.fromEntries([...map].map(([name, { shape }]) => [name, shape]))
    assert.deepEqual(shapesOf(tensors), experts.tensors)
    assert.deepEqual(shapesOf(fusedTensors(model, tensors)), fused.tensors)
  })
}

test('texts have the tokens that the tokenizers library makes', () => {
  const tokenizer = createTokenizer(tinyTokenizer())
  for (const { text, tokens } of golden.texts)
    assert.deepEqual([...tokenizer.encode(text, { special: true })], tokens, text)
})
