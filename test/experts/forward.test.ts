import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type ArchitectureV1, type ArchitectureV2, shapeOf } from '../../src/experts/index.ts'
import { forwardBatch, forwardHidden, forwardLogits, type ModelRunner } from '../../src/experts/model/forward.ts'
import { generateBytes } from '../../src/experts/model/generate.ts'
import { createKeyValueCache } from '../../src/experts/model/key-value-cache.ts'
import { openRunner } from './graph-runner.ts'
import { smallArchitecture, temporaryFolder, writeModel } from './model-folder.ts'
import { packedArchitecture, writePackedModel } from './packed-model.ts'
import { logitsOf, type Parameters, type Row, referenceLogits } from './reference-model.ts'

const tokens = new TextEncoder().encode('blyan: own it.')

const firstFamily: Record<string, Partial<ArchitectureV1>> = {
  'softmax first, normalised, tied': {},
  'softmax first, not normalised': { router: { softmaxFirst: true, normalise: false } },
  'softmax over the chosen, untied, unscaled embeddings': {
    router: { softmaxFirst: false, normalise: false },
    tiedOutput: false,
    embeddingScale: 'one'
  },
  'one head for keys and values, one expert a token': { keyValueHeads: 1, expertsPerToken: 1 }
}

for (const [name, variant] of Object.entries(firstFamily)) {
  test(`logits equal the float64 reference: ${name}`, async t => {
    const { runner, parameters, architecture } = openFirst(t, variant)
    assertClose(await logitsInOnePass(runner, tokens), referenceLogits(architecture, parameters, tokens).flat())
  })
}

const secondFamily: Record<string, Partial<ArchitectureV2>> = {
  'as Mixtral': { slidingWindow: 6 },
  'as OLMoE': {
    queryKeyNorm: 'projection',
    clipQueryKeyValue: '0.75',
    keyValueHeads: 6,
    router: { softmaxFirst: true, normalise: false }
  },
  'as Qwen2-MoE': { attentionBias: true, sharedExpertWidth: 28, denseLayers: [0], denseWidth: 36 },
  'as Qwen3-MoE': { queryKeyNorm: 'head', denseLayers: [1], denseWidth: 36, embeddingScale: 'sqrtWidth' },
  'all at once': {
    queryKeyNorm: 'head',
    attentionBias: true,
    clipQueryKeyValue: '1.5',
    slidingWindow: 4,
    sharedExpertWidth: 28,
    expertsPerToken: 3,
    keyValueHeads: 2
  }
}
const numbers = Uint32Array.from([299, 0, 17, 256, 17, 3, 201, 44, 299, 299, 5, 128, 64])

for (const [name, variant] of Object.entries(secondFamily)) {
  test(`logits equal the float64 reference, in one pass and token by token: ${name}`, async t => {
    const { runner, expected } = openSecond(t, variant)
    assertClose(await logitsInOnePass(runner, numbers), expected(numbers).flat())
    assertClose(await logitsInSteps(runner, numbers, 5), expected(numbers).flat())
  })
}

test('sequences of a batch get what each gets alone, at whatever place each is', async t => {
  const { runner, expected } = openSecond(t, { ...secondFamily['all at once'], slidingWindow: 7 })
  const others = [numbers, numbers.slice(3), Uint32Array.from([7, 7, 7, 1, 2, 250, 11])]
  const pieces = [
    [4, 9],
    [6, 1, 1, 2],
    [1, 1, 4, 1]
  ]
  const caches = others.map(sequence => createKeyValueCache(runner.shape, sequence.length))
  const logits: number[][] = others.map(() => [])
  for (let turn = 0; turn < 4; turn++) {
    const active = others.flatMap((sequence, i) => {
      const count = pieces[i]![turn]
      const cache = caches[i]!
      return count === undefined ? [] : [{ i, cache, tokens: sequence.subarray(cache.rows, cache.rows + count) }]
    })
    const hidden = await forwardBatch(runner, active)
    const rows = await forwardLogits(runner, hidden)
    let row = 0
    for (const { i, tokens: own } of active) {
      logits[i]!.push(...rows.subarray(row * 300, (row + own.length) * 300))
      row += own.length
    }
  }
  others.forEach((sequence, i) => {
    assertClose(Float32Array.from(logits[i]!), expected(sequence).flat())
  })
})

test('experts are asked for all rows of a layer at once, each row with its sequence, and a step that failed can be done again', async t => {
  const { runner, expected } = openSecond(t, {})
  const asked: { layer: number; sequences: number[] }[] = []
  let failures = 1
  const watched: ModelRunner = {
    ...runner,
    async experts(layer, loads, sequences) {
      for (const load of loads) {
        assert.equal(load.rows.length, load.sequenceOfRow.length * 24)
        asked.push({ layer, sequences: [...load.sequenceOfRow] })
      }
      if (layer === 1 && failures-- > 0) throw new Error('cut off')
      return runner.experts(layer, loads, sequences)
    }
  }
  const steps = [numbers, numbers.slice(0, 4)].map(own => ({
    tokens: own,
    cache: createKeyValueCache(runner.shape, own.length)
  }))
  await assert.rejects(forwardBatch(watched, steps), /cut off/)
  assert.deepEqual(
    steps.map(({ cache }) => cache.rows),
    [0, 0]
  )
  asked.length = 0
  const hidden = await forwardBatch(watched, steps)
  assertClose(await forwardLogits(runner, hidden), [...expected(numbers), ...expected(numbers.slice(0, 4))].flat())
  for (const layer of [0, 1]) {
    const owners = asked.filter(load => load.layer === layer).flatMap(load => load.sequences)
    // Two experts for each of 13 and 4 tokens.
    assert.equal(owners.filter(owner => owner === 0).length, 26)
    assert.equal(owners.filter(owner => owner === 1).length, 8)
  }
})

test('token by token with the cache gives what one pass gives', async t => {
  const { runner, parameters } = openFirst(t, {})
  assertClose(await logitsInSteps(runner, tokens, 5), referenceLogits(smallArchitecture, parameters, tokens).flat())
})

test('a full cache refuses further tokens', async t => {
  const { runner } = openFirst(t, {})
  const cache = createKeyValueCache(runner.shape, 3)
  await forwardHidden(runner, tokens.subarray(0, 3), cache)
  await assert.rejects(forwardHidden(runner, tokens.subarray(3, 4), cache), RangeError)
})

test('a generated answer is what choosing from the reference again and again gives, past the end of the context', async t => {
  const { runner, parameters } = openFirst(t, {})
  const made: number[] = []
  for await (const byte of generateBytes(runner, tokens, 12, indexOfHighest)) made.push(byte)
  let seen = [...tokens]
  for (const byte of made) {
    // The context of 16 is full: its newest half is read again.
    if (seen.length > 16) seen = seen.slice(-8)
    const row = referenceLogits(smallArchitecture, parameters, Uint8Array.from(seen)).at(-1)!
    assert.equal(byte, indexOfHighest(row))
    seen.push(byte)
  }
  assert.equal(made.length, 12)
})

function openFirst(
  t: TestContext,
  variant: Partial<ArchitectureV1>
): { runner: ModelRunner; parameters: Parameters; architecture: ArchitectureV1 } {
  const architecture = { ...smallArchitecture, ...variant }
  const folder = temporaryFolder(t)
  const { parts, parameters } = writeModel(folder, architecture, 4)
  return { runner: openRunner(t, folder, architecture, parts), parameters, architecture }
}

function openSecond(
  t: TestContext,
  variant: Partial<ArchitectureV2>
): { runner: ModelRunner; expected: (tokens: Uint32Array) => Row[] } {
  const architecture = { ...packedArchitecture, ...variant }
  const folder = temporaryFolder(t)
  const { parts, weights } = writePackedModel(folder, architecture)
  const expected = (own: Uint32Array): Row[] => logitsOf(shapeOf(architecture), weights, own)
  return { runner: openRunner(t, folder, architecture, parts), expected }
}

async function logitsInOnePass(runner: ModelRunner, all: Uint8Array | Uint32Array): Promise<Float32Array> {
  return logitsInSteps(runner, all, all.length)
}

/** The first so many tokens together, then one by one. */
async function logitsInSteps(runner: ModelRunner, all: Uint8Array | Uint32Array, first: number): Promise<Float32Array> {
  const cache = createKeyValueCache(runner.shape, all.length)
  const logits: number[] = []
  while (cache.rows < all.length) {
    const end = cache.rows === 0 ? first : cache.rows + 1
    const hidden = await forwardHidden(runner, all.subarray(cache.rows, end), cache)
    for (const value of await forwardLogits(runner, hidden)) logits.push(value)
  }
  return Float32Array.from(logits)
}

/** Largest difference within 1e-4 of the largest value. */
function assertClose(actual: Float32Array, expected: readonly number[]): void {
  assert.equal(actual.length, expected.length)
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const error = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0)
  assert.ok(largest > 0.5, `logits up to ${largest} say little`)
  assert.ok(error / largest < 1e-4, `relative error ${error / largest}`)
}

function indexOfHighest(row: ArrayLike<number>): number {
  return Array.from(row).reduce((best, value, i) => (value > row[best]! ? i : best), 0)
}
