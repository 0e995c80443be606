import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  type ArchitectureV1,
  genesisArchitecture,
  genesisParts,
  shapeOf,
  unpackSlice
} from '../../../src/experts/index.ts'
import { createAdamW, decays } from '../../../src/experts/training/adamw.ts'
import { positionTables } from '../../../src/experts/training/position-tables.ts'
import { scoringGraph, trainingGraph } from '../../../src/experts/training/training-graph.ts'
import { openTestSession, type TestFeed } from './graph-session.ts'

const architecture: ArchitectureV1 = {
  ...genesisArchitecture('training run'),
  width: 32,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  headWidth: 8,
  experts: 4,
  expertWidth: 48,
  contextTokens: 32
}
const [sequences, sequenceTokens, steps] = [8, 32, 150]
const settings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.01, clipNorm: 1 }

// A text that does not change: its end is never trained on.
const text = new Uint8Array(readFileSync(new URL('../../../LICENSE', import.meta.url)))
const training = text.subarray(0, 9000)
const heldOut = text.subarray(9000)

test('a short run from the genesis parameters learns more of held-out text than how often each byte comes', async () => {
  const parameters = new Map<string, Float32Array>()
  const feeds: Record<string, TestFeed> = { ...positionTables(shapeOf(architecture), sequenceTokens) }
  const sketches = new Map<string, { length: number; decays: boolean }>()
  for (const part of genesisParts(architecture)) {
    const bytes = new Uint8Array(part.data.buffer, part.data.byteOffset, part.data.byteLength)
    for (const slice of part.slices) {
      const own = unpackSlice(bytes, slice)
      const values = new Float32Array(own.buffer, own.byteOffset, own.byteLength / 4)
      const name = `${part.name}/${slice.name}`
      parameters.set(name, values)
      sketches.set(name, { length: values.length, decays: decays(slice) })
      feeds[name] = { data: values, dimensions: slice.shape }
    }
  }
  const graph = trainingGraph(architecture, { trained: 'all', balance: 0.01, zLoss: 1e-3, precision: 'fp32' })
  const trainer = await openTestSession(graph.model)
  const scorer = await openTestSession(scoringGraph(architecture, { precision: 'fp32' }).model)
  const optimiser = createAdamW({ settings, parameters: sketches })
  try {
    const heldOutLoss = async (): Promise<number> => {
      const places = Array.from({ length: Math.floor(heldOut.length / (sequenceTokens + 1)) }, (_, i) => i)
      const { perSequence } = await scorer.run({
        ...feeds,
        ...batchOf(
          heldOut,
          places.map(place => place * (sequenceTokens + 1))
        )
      })
      let total = 0
      for (const loss of perSequence!) total += loss
      return total / places.length
    }
    const before = await heldOutLoss()
    assert.ok(Math.abs(before - Math.log(256)) < 0.2, `untrained: ${before}`)
    for (let step = 1; step <= steps; step++) {
      const places = Array.from(
        { length: sequences },
        (_, i) => ((step * sequences + i) * 7919) % (training.length - sequenceTokens - 1)
      )
      const results = await trainer.run({ ...feeds, ...batchOf(training, places) })
      const gradients = new Map([...parameters.keys()].map(name => [name, results[`d ${name}`] as Float32Array]))
      optimiser.step(parameters, gradients, 0.01 * Math.min(1, step / 10))
    }
    const after = await heldOutLoss()
    const unigram = bytewiseEntropy()
    assert.ok(after < unigram - 0.3, `held-out ${after} nats a byte, byte frequencies ${unigram}`)
    assert.ok(after < 2.45, `held-out ${after} nats a byte`)
  } finally {
    await trainer.close()
    await scorer.close()
  }
})

function batchOf(source: Uint8Array, places: readonly number[]): Record<'tokens' | 'targets', TestFeed> {
  const ids = (from: number): TestFeed => ({
    data: BigInt64Array.from(
      places.flatMap(place => [...source.subarray(place + from, place + from + sequenceTokens)]),
      BigInt
    ),
    dimensions: [places.length, sequenceTokens]
  })
  return { tokens: ids(0), targets: ids(1) }
}

/** Nats a byte of the held-out text by the frequencies of the training text. */
function bytewiseEntropy(): number {
  const counts = new Float64Array(256).fill(0.5)
  for (const byte of training) counts[byte]!++
  const total = counts.reduce((sum, count) => sum + count, 0)
  return heldOut.reduce((sum, byte) => sum - Math.log(counts[byte]! / total), 0) / heldOut.length
}
