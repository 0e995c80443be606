import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { type ArchitectureV2, type Precision, shapeOf } from '../../src/experts/index.ts'
import { evaluateWindows } from '../../src/experts/model/evaluate.ts'
import { forwardHidden, forwardLogits, type ModelRunner } from '../../src/experts/model/forward.ts'
import type { Int8Kernel } from '../../src/experts/model/graphs.ts'
import { createKeyValueCache } from '../../src/experts/model/key-value-cache.ts'
import { type Tensor, type TinyModel, tinyModel } from '../models/tiny-model.ts'
import { architectureOf, rowsOfCheckpoint } from './family-model.ts'
import { openRunner } from './graph-runner.ts'
import { temporaryFolder } from './model-folder.ts'
import { packedArchitecture, writePackedModel } from './packed-model.ts'
import { logitsOf, type Row } from './reference-model.ts'

const folder = new URL('../vectors/tiny-trained/', import.meta.url)
const expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as {
  readonly lossNatsPerToken: number
  readonly logitsOfTheFirst16: readonly (readonly number[])[]
}
const text = readFileSync(new URL('text.txt', folder))

const tensors = trainedTensors()
const trained: TinyModel = {
  ...tinyModel('qwen3_moe'),
  vocabulary: 259,
  headWidth: 16,
  layers: 2,
  denseLayers: [],
  denseWidth: 0,
  expertWidth: 64,
  contextTokens: 256,
  ropeTheta: 10_000
}

test('a trained model computes what transformers computes, and its loss on text', async t => {
  const runner = openTrained(t, 'fp32')
  const hidden = await forwardHidden(runner, text.subarray(0, 16), createKeyValueCache(runner.shape, 16))
  const logits = await forwardLogits(runner, hidden)
  const worst = expected.logitsOfTheFirst16
    .flat()
    .reduce((most, value, i) => Math.max(most, Math.abs(value - logits[i]!)), 0)
  assert.ok(worst < 2e-4, `logits differ by ${worst}`)
  assert.ok(Math.abs((await lossOf(runner)) - expected.lossNatsPerToken) < 1e-4)
})

for (const kernel of ['integer', 'dequantise'] as const) {
  test(`int8 is within 1% of the loss of fp32 on text: ${kernel}`, async t => {
    const loss = await lossOf(openTrained(t, 'int8', kernel))
    t.diagnostic(`int8 ${loss} nats, fp32 ${expected.lossNatsPerToken} nats`)
    assert.ok(loss < expected.lossNatsPerToken * 1.01, `${loss} is more than 1% above ${expected.lossNatsPerToken}`)
    assert.ok(loss > expected.lossNatsPerToken * 0.99, 'a loss so much lower is no rounding')
  })
}

const variants: Record<string, Partial<ArchitectureV2>> = {
  'biases, shared expert, dense layer': {
    attentionBias: true,
    sharedExpertWidth: 28,
    denseLayers: [0],
    denseWidth: 36
  },
  'norms over projections, clipping, a window': {
    queryKeyNorm: 'projection',
    clipQueryKeyValue: '0.75',
    slidingWindow: 5
  },
  'matrices in several cuts': {
    vocabulary: 8200,
    layers: 1,
    width: 8,
    heads: 2,
    keyValueHeads: 1,
    denseLayers: [0],
    denseWidth: 8196
  }
}
const numbers = Uint32Array.from([299, 0, 17, 256, 17, 3, 201, 44, 299, 299, 5])

for (const [name, variant] of Object.entries(variants)) {
  test(`int8 graphs compute what their parts hold: ${name}`, async t => {
    const architecture: ArchitectureV2 = { ...packedArchitecture, ...variant, precision: 'int8' }
    const folder = temporaryFolder(t)
    const { parts, weights } = writePackedModel(folder, architecture)
    const reference = logitsOf(shapeOf(architecture), weights, numbers)
    const exact = openRunner(t, folder, architecture, parts, 'dequantise')
    assert.ok(distance(await allLogits(exact, numbers), reference) < 1e-5)
    const rounded = openRunner(t, folder, architecture, parts, 'integer')
    const error = distance(await allLogits(rounded, numbers), reference)
    t.diagnostic(`relative error ${error}`)
    assert.ok(error < 0.08, `relative error ${error}`)
  })
}

test('a row gets the same from an int8 expert whoever else is in the batch', async t => {
  const architecture: ArchitectureV2 = { ...packedArchitecture, precision: 'int8' }
  const folder = temporaryFolder(t)
  const runner = openRunner(t, folder, architecture, writePackedModel(folder, architecture).parts)
  const rows = Float32Array.from({ length: 9 * 24 }, (_, i) => Math.sin(i * i) * (1 + (i % 7)))
  // One row is a thousand times as large as the others.
  for (let i = 0; i < 24; i++) rows[i]! *= 1000
  const run = async (data: Float32Array): Promise<Float32Array> => {
    const feed = { data, dimensions: [data.length / 24, 24] }
    return (await runner.run('layer1.expert3', { tokens: feed })).result!
  }
  const together = await run(rows)
  for (let row = 0; row < 9; row++) {
    const alone = await run(rows.slice(row * 24, (row + 1) * 24))
    assert.deepEqual(alone, together.slice(row * 24, (row + 1) * 24))
  }
})

function openTrained(t: TestContext, precision: Precision, kernel?: Int8Kernel): ModelRunner {
  const architecture = architectureOf(trained, precision)
  const temporary = temporaryFolder(t)
  const { parts } = writePackedModel(temporary, architecture, rowsOfCheckpoint(trained, tensors))
  return openRunner(t, temporary, architecture, parts, kernel)
}

function trainedTensors(): ReadonlyMap<string, Tensor> {
  const file = readFileSync(new URL('model.safetensors', folder))
  const headerBytes = Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<string, Entry>
  const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__')
  return new Map(
    tensors.map(
      ([
        name,
        {
          shape,
          data_offsets: [from, to]
        }
      ]) => {
        const bytes = file.subarray(8 + headerBytes + from, 8 + headerBytes + to)
        const wide = Buffer.alloc(2 * bytes.length)
        // A bfloat16 is the upper half of a float32.
        for (let i = 0; i < bytes.length; i += 2) bytes.copy(wide, 2 * i + 2, i, i + 2)
        const values = Float64Array.from({ length: bytes.length / 2 }, (_, i) => wide.readFloatLE(4 * i))
        return [name, { shape, values }]
      }
    )
  )
}

type Entry = { readonly shape: readonly number[]; readonly data_offsets: readonly [number, number] }

async function lossOf(runner: ModelRunner): Promise<number> {
  let lossNats = 0
  let scored = 0
  for await (const window of evaluateWindows(runner, text)) {
    lossNats += window.lossNats
    scored += window.scoredTokens
  }
  return lossNats / scored
}

async function allLogits(runner: ModelRunner, tokens: Uint32Array): Promise<Float32Array> {
  const hidden = await forwardHidden(runner, tokens, createKeyValueCache(runner.shape, tokens.length))
  return forwardLogits(runner, hidden)
}

/** Size of the difference by the size of what is expected. */
function distance(actual: Float32Array, expected: readonly Row[]): number {
  const flat = expected.flat()
  const size = (values: readonly number[]): number => Math.hypot(...values)
  assert.equal(actual.length, flat.length)
  return size(flat.map((value, i) => value - actual[i]!)) / size(flat)
}
