import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { shapeOf } from '../../src/experts/index.ts'
import { forwardHidden, forwardLogits, type ModelRunner } from '../../src/experts/model/forward.ts'
import { createKeyValueCache } from '../../src/experts/model/key-value-cache.ts'
import { type Family, families, tinyModel, tinyTensors } from '../models/tiny-model.ts'
import { architectureOf, rowsOfCheckpoint } from './family-model.ts'
import { openRunner } from './graph-runner.ts'
import { temporaryFolder } from './model-folder.ts'
import { writePackedModel } from './packed-model.ts'
import { logitsOf } from './reference-model.ts'

type Golden = {
  readonly tokens: readonly number[]
  readonly families: Record<Family, { readonly logits: { readonly fp32: string } }>
}

// Written by scripts/make-tiny-checkpoints.py with transformers.
const golden: Golden = JSON.parse(readFileSync(new URL('../vectors/tiny-models.json', import.meta.url), 'utf8'))

for (const family of families) {
  test(`logits and chosen experts are those of transformers: ${family}`, async t => {
    const model = tinyModel(family)
    const architecture = architectureOf(model, 'fp32')
    const folder = temporaryFolder(t)
    const { parts, weights } = writePackedModel(
      folder,
      architecture,
      rowsOfCheckpoint(model, tinyTensors(model, 'fp32'))
    )
    const plain = openRunner(t, folder, architecture, parts)
    const chosen: string[] = []
    const runner: ModelRunner = {
      ...plain,
      experts(layer, loads, sequences) {
        for (const { expert, rows } of loads) chosen.push(`${layer}/${expert} x ${rows.length / model.width}`)
        return plain.experts(layer, loads, sequences)
      }
    }
    const cache = createKeyValueCache(runner.shape, golden.tokens.length)
    const hidden = await forwardHidden(runner, Uint32Array.from(golden.tokens), cache)
    const logits = await forwardLogits(runner, hidden)
    const expected = new Float32Array(new Uint8Array(Buffer.from(golden.families[family].logits.fp32, 'base64')).buffer)
    assert.equal(logits.length, expected.length)
    const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - logits[i]!)), 0)
    assert.ok(worst < 1e-4, `logits differ by ${worst}`)
    const counts = new Map<string, number>()
    logitsOf(shapeOf(architecture), weights, golden.tokens, (layer, experts) => {
      for (const expert of experts) counts.set(`${layer}/${expert}`, (counts.get(`${layer}/${expert}`) ?? 0) + 1)
    })
    assert.deepEqual(chosen.sort(), [...counts].map(([name, count]) => `${name} x ${count}`).sort())
  })
}
