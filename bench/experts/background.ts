/** What people who ask feel of a training that goes on in the same engine. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Engine,
  genesisArchitecture,
  genesisParts,
  littleEndianBytes,
  type PartFile,
  type Training
} from '../../src/experts/index.ts'
import { median } from '../report.ts'

const prompts = 5
const sequences = 8
const sequenceTokens = 128

/** The genesis model of 3.5 million parameters, all of them trained. */
export function openBenchTraining(engine: Engine, folder: string): Promise<Training> {
  const architecture = genesisArchitecture('blyan-bench')
  const parts = [...genesisParts(architecture)].map(({ name, shape, data }): PartFile => {
    const path = join(folder, `training.${name}`)
    writeFileSync(path, littleEndianBytes(data))
    return { name, path, dataOffsetBytes: 0, dataLengthBytes: data.byteLength, shape, dtype: 'fp32' }
  })
  const settings = {
    sequences,
    sequenceTokens,
    learningRate: 1e-3,
    warmUpSteps: 10,
    weightDecay: 0.1,
    clipNorm: 1,
    balance: 0.01,
    zLoss: 0.001
  }
  return engine.openTraining({ model: 'bench', architecture, parts, trained: 'all', settings })
}

/** How much later the first token of a prompt comes while the training goes on: medians of a few prompts, one after the other. */
export async function addedLatencyMs(
  training: Training,
  firstTokenMs: (seed: number) => Promise<number>
): Promise<number> {
  const quietMs = await medianMs(firstTokenMs)
  const controller = new AbortController()
  const going = train(training, controller.signal)
  await going.begun
  const busyMs = await medianMs(firstTokenMs)
  controller.abort(new Error('measured'))
  await going.ended
  return busyMs - quietMs
}

function train(training: Training, signal: AbortSignal): { begun: Promise<void>; ended: Promise<void> } {
  const { promise: begun, resolve, reject } = Promise.withResolvers<void>()
  const run = async (): Promise<void> => {
    for await (const _ of training.train({ batches: batches(), signal })) resolve()
  }
  const ended = run().catch(error => {
    reject(error)
    if (!signal.aborted) throw error
  })
  return { begun, ended }
}

function* batches(): Generator<Uint32Array> {
  for (let step = 0; ; step++) {
    yield Uint32Array.from({ length: sequences * (sequenceTokens + 1) }, (_, i) => (step * 31 + i * 7) % 97)
  }
}

async function medianMs(firstTokenMs: (seed: number) => Promise<number>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < prompts; i++) times.push(await firstTokenMs(i))
  return median(times)
}
