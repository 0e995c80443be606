import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Architecture, shapeOf } from '../../../src/experts/index.ts'
import { scoringGraph, trainingGraph } from '../../../src/experts/training/training-graph.ts'
import { smallArchitecture } from '../model-folder.ts'
import { packedArchitecture } from '../packed-model.ts'
import { logitsOf, type Weights } from '../reference-model.ts'
import { drawModel, drawTokens, feedsOf } from './drawn-model.ts'
import { distanceAlong, type Numbers, openTestSession } from './graph-session.ts'

/** Cosines and sines come in fp32, which is all the reference differs by. */
const tableRounding = 1e-6

const packed = { ...packedArchitecture, vocabulary: 40, contextTokens: 16 }

const models: Readonly<Record<string, Architecture>> = {
  'the genesis family: grouped queries, tied output': smallArchitecture,
  'the genesis family: untied output, weights not normalised': {
    ...smallArchitecture,
    layers: 1,
    tiedOutput: false,
    router: { softmaxFirst: true, normalise: false }
  },
  'biases, norm over each head, sliding window, shared expert, a dense layer': {
    ...packed,
    layers: 3,
    attentionBias: true,
    queryKeyNorm: 'head',
    slidingWindow: 3,
    sharedExpertWidth: 12,
    denseLayers: [1],
    denseWidth: 14
  },
  'norm over the whole projection, clipping, three experts a token': {
    ...packed,
    layers: 1,
    queryKeyNorm: 'projection',
    clipQueryKeyValue: '0.9',
    expertsPerToken: 3,
    router: { softmaxFirst: false, normalise: false }
  }
}

for (const [name, architecture] of Object.entries(models)) {
  test(`loss and every gradient, ${name}`, async () => {
    const model = drawModel(architecture)
    const tokens = drawTokens(architecture, 2, 5)
    const options = { balance: 0.4, zLoss: 0.05, precision: 'fp64' } as const
    const session = await openTestSession(trainingGraph(architecture, { ...options, trained: 'all' }).model)
    const forward = await openTestSession(trainingGraph(architecture, { ...options, trained: new Set() }).model)
    try {
      const feeds = feedsOf(architecture, model, tokens)
      const results = await session.run(feeds)
      const expected = tokens.map(row => referenceLoss(architecture, model.weights, row))
      expected.forEach((loss, i) => {
        assertClose(results.perSequence![i]!, loss, tableRounding)
      })
      assertClose(results.crossEntropy![0]!, (expected[0]! + expected[1]!) / 2, tableRounding)
      const lossAt = async (): Promise<number> => (await forward.run(feeds)).loss![0]!
      for (const [slice, { data }] of model.parameters) {
        const worst = await distanceAlong(data, results[`d ${slice}`]!, lossAt, { seed: data.length })
        assert.ok(worst < 1e-5, `${slice}: ${worst}`)
      }
    } finally {
      await session.close()
      await forward.close()
    }
  })
}

test('load balance and router size are what their definitions say', async () => {
  const architecture = { ...smallArchitecture, layers: 1 }
  const model = drawModel(architecture)
  const tokens = drawTokens(architecture, 2, 6)
  const lossWith = async (balance: number, zLoss: number): Promise<number> => {
    const { model: graph } = trainingGraph(architecture, { trained: 'all', balance, zLoss, precision: 'fp64' })
    const results = await runOnce(graph, feedsOf(architecture, model, tokens))
    return results.loss![0]! - results.crossEntropy![0]!
  }
  const logits: number[][] = []
  for (const row of tokens) logits.push(...routerLogits(architecture, model.weights, row.slice(0, -1)))
  const { experts, expertsPerToken } = architecture
  const used = new Float64Array(experts)
  const mean = new Float64Array(experts)
  let size = 0
  for (const row of logits) {
    const total = row.reduce((sum, logit) => sum + Math.exp(logit), 0)
    row.forEach((logit, expert) => {
      mean[expert]! += Math.exp(logit) / total / logits.length
    })
    const order = row.map((_, i) => i).sort((i, j) => row[j]! - row[i]! || i - j)
    for (const expert of order.slice(0, expertsPerToken)) used[expert]! += 1 / (logits.length * expertsPerToken)
    size += Math.log(total) ** 2 / logits.length
  }
  const balance = experts * used.reduce((sum, share, expert) => sum + share * mean[expert]!, 0)
  assertClose(await lossWith(0.3, 0), 0.3 * balance, tableRounding)
  assertClose(await lossWith(0, 0.2), 0.2 * size, tableRounding)
  assertClose(await lossWith(0, 0), 0, 1e-15)
})

test('an expert without tokens has a gradient of exactly zero, and the loss is finite', async () => {
  const architecture = { ...smallArchitecture, experts: 9 }
  const tokens = drawTokens(architecture, 1, 2)
  const graph = trainingGraph(architecture, { trained: 'all', balance: 0.1, zLoss: 0.1, precision: 'fp32' })
  const results = await runOnce(graph.model, feedsOf(architecture, drawModel(architecture), tokens, 'fp32'))
  assert.ok(Number.isFinite(results.loss![0]!))
  for (let layer = 0; layer < architecture.layers; layer++) {
    const isStill = Array.from({ length: 9 }, (_, expert) =>
      ['gate', 'up', 'down'].every(slice => results[`d layer${layer}.expert${expert}/${slice}`]!.every(x => x === 0))
    )
    const still = isStill.filter(Boolean).length
    // Two tokens with two choices each use two to four experts.
    assert.ok(still >= 5 && still <= 7, `${still}`)
  }
})

test('fp32 gradients are the fp64 ones but for rounding', async () => {
  const model = drawModel(smallArchitecture)
  const tokens = drawTokens(smallArchitecture, 3, 7)
  const gradients = async (precision: 'fp32' | 'fp64') => {
    const graph = trainingGraph(smallArchitecture, { trained: 'all', balance: 0.1, zLoss: 0.1, precision })
    return runOnce(graph.model, feedsOf(smallArchitecture, model, tokens, precision))
  }
  const [single, double] = [await gradients('fp32'), await gradients('fp64')]
  for (const [name, expected] of Object.entries(double)) {
    const size = Math.hypot(...expected)
    const distance = Math.hypot(...expected.map((value, i) => value - single[name]![i]!))
    assert.ok(distance <= 2e-5 * size, `${name}: ${distance} of ${size}`)
  }
})

test('training some parts gives the same gradients as training all, and no others', async () => {
  const model = drawModel(smallArchitecture)
  const feeds = feedsOf(smallArchitecture, model, drawTokens(smallArchitecture, 2, 5))
  const options = { balance: 0.1, zLoss: 0.1, precision: 'fp64' } as const
  const all = trainingGraph(smallArchitecture, { ...options, trained: 'all' })
  const expected = await runOnce(all.model, feeds)
  for (const names of [['layer1.expert3', 'layer1.router'], ['layer0.attention']]) {
    const some = trainingGraph(smallArchitecture, { ...options, trained: new Set(names) })
    const results = await runOnce(some.model, feeds)
    assert.ok(some.model.length < all.model.length)
    const gradients = Object.keys(results).filter(name => name.startsWith('d '))
    assert.deepEqual([...new Set(gradients.map(name => name.slice(2).split('/')[0]))].sort(), names.sort())
    for (const name of gradients) {
      results[name]!.forEach((value, i) => {
        assertClose(value, expected[name]![i]!, 1e-12)
      })
    }
  }
})

test('gradients of several runs add up, each times its weight, to that of all sequences', async () => {
  const model = drawModel(smallArchitecture)
  const tokens = drawTokens(smallArchitecture, 3, 5)
  const options = { trained: 'all', balance: 0, zLoss: 0.1, precision: 'fp64' } as const
  const whole = await runOnce(
    trainingGraph(smallArchitecture, options).model,
    feedsOf(smallArchitecture, model, tokens)
  )
  const graph = trainingGraph(smallArchitecture, { ...options, accumulate: true })
  let gradients = new Map(
    [...model.parameters].map(([name, { data }]) => [name, new Float64Array(data.length) as Numbers])
  )
  for (const rows of [tokens.slice(0, 2), tokens.slice(2)]) {
    const feeds = feedsOf(smallArchitecture, model, rows)
    feeds.weight = { data: Float64Array.of(rows.length / 3), dimensions: [] }
    for (const [name, { dimensions }] of model.parameters)
      feeds[`sum ${name}`] = { data: gradients.get(name)!, dimensions }
    const results = await runOnce(graph.model, feeds)
    gradients = new Map([...gradients.keys()].map(name => [name, results[`d ${name}`]!]))
  }
  for (const [name, values] of gradients) {
    values.forEach((value, i) => {
      assertClose(value, whole[`d ${name}`]![i]!, 1e-12)
    })
  }
})

test('training nothing gives losses and no gradient', async () => {
  const graph = trainingGraph(smallArchitecture, { trained: new Set(), balance: 0.1, zLoss: 0, precision: 'fp32' })
  assert.deepEqual(
    graph.outputs.map(output => output.name),
    ['loss', 'crossEntropy', 'perSequence']
  )
})

test('scoring gives each sequence the loss it has alone, whatever it is scored with', async () => {
  const model = drawModel(smallArchitecture)
  const tokens = drawTokens(smallArchitecture, 3, 6)
  const graph = scoringGraph(smallArchitecture, { precision: 'fp64' })
  const together = (await runOnce(graph.model, feedsOf(smallArchitecture, model, tokens))).perSequence!
  for (const [i, row] of tokens.entries()) {
    const alone = (await runOnce(graph.model, feedsOf(smallArchitecture, model, [row]))).perSequence!
    assertClose(alone[0]!, together[i]!, 1e-12)
    assertClose(alone[0]!, referenceLoss(smallArchitecture, model.weights, row), tableRounding)
  }
})

test('the same step gives the same bits again, with two threads, too', async () => {
  const model = drawModel(smallArchitecture)
  const feeds = feedsOf(smallArchitecture, model, drawTokens(smallArchitecture, 8, 16), 'fp32')
  const graph = trainingGraph(smallArchitecture, { trained: 'all', balance: 0.1, zLoss: 0.1, precision: 'fp32' })
  const session = await openTestSession(graph.model, 2)
  try {
    const first = await session.run(feeds)
    for (let again = 0; again < 20; again++) {
      const results = await session.run(feeds)
      for (const [name, values] of Object.entries(results)) {
        assert.equal(Buffer.compare(bytesOf(values), bytesOf(first[name]!)), 0, name)
      }
    }
  } finally {
    await session.close()
  }
})

test('parts in int8 and parts that are not there are refused', () => {
  const options = { balance: 0, zLoss: 0, precision: 'fp32' } as const
  assert.throws(() => trainingGraph({ ...packed, precision: 'int8' }, { ...options, trained: 'all' }), {
    code: 'TRAINING_UNSUPPORTED'
  })
  assert.throws(() => trainingGraph(packed, { ...options, trained: new Set(['layer0.expert99']) }), {
    code: 'TRAINING_PART_UNKNOWN'
  })
})

function referenceLoss(architecture: Architecture, weights: Weights, row: readonly number[]): number {
  const logits = logitsOf(shapeOf(architecture), weights, row.slice(0, -1))
  const losses = logits.map((own, t) => Math.log(own.reduce((sum, x) => sum + Math.exp(x), 0)) - own[row[t + 1]!]!)
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
}

/** Of a model of one layer: the reference is asked for what its router reads, through an output that lets the normed rows pass. */
function routerLogits(architecture: Architecture, weights: Weights, tokens: readonly number[]): number[][] {
  const shape = { ...shapeOf(architecture), experts: 1, expertsPerToken: 1 }
  const watched: Weights = (part, name) => {
    if (name === 'down') return weights('layer0.expert0', 'down').map(row => row.map(() => 0))
    if (part === 'embedding' && name === 'finalNorm') return weights('layer0.attention', 'expertsNorm')
    return weights(part, name)
  }
  // Tied output rows would stand for the embeddings, too, so the output is read from the router.
  return logitsOf(
    { ...shape, outputRows: { part: 'output', slice: 'rows' } },
    (part, name) => (part === 'output' ? weights('layer0.router', 'router') : watched(part, name)),
    tokens
  )
}

async function runOnce(model: Uint8Array, feeds: ReturnType<typeof feedsOf>): Promise<Record<string, Numbers>> {
  const session = await openTestSession(model)
  try {
    return await session.run(feeds)
  } finally {
    await session.close()
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Numbers): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function assertClose(actual: number, expected: number, distanceMax: number): void {
  assert.ok(Math.abs(actual - expected) <= distanceMax, `${actual} is not ${expected}`)
}
