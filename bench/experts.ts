import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import {
  type Architecture,
  createEngine,
  describeModel,
  type Engine,
  genesisArchitecture,
  genesisParts,
  littleEndianBytes,
  type PartFile,
  probeDevice
} from '../src/experts/index.ts'
import type { EvaluateResult } from '../src/node/index.ts'
import { openReferenceBlockstore } from '../src/storage/index.ts'
import { createTensorStore } from '../src/tiles/index.ts'
import { measureAnswers } from './experts/answers.ts'
import { measureDistributed } from './experts/distributed.ts'
import { measureImporting } from './experts/import.ts'
import { measureInt8Loss } from './experts/int8-loss.ts'
import { measureMapping } from './experts/mapping.ts'
import { withNetwork } from './network.ts'
import { type Options, plain, type Result, rate } from './report.ts'
import { withTemporaryFolder } from './temporary-folder.ts'

const model = 'bench'
const threads = availableParallelism()
const evaluatedBytes = 16 * 1024
const generatedTokens = 128
const delayWindowMs = 6000
const silent = { debug: () => {}, info: () => {}, warn: () => {} }

export function expertsSuite(options: Options): Promise<Result[]> {
  return withTemporaryFolder(async root => {
    const architecture = genesisArchitecture('blyan-bench')
    const parts = await writeParts(root, architecture)
    const probe = await probeDevice({ threads, logger: silent })
    const device = probe.provider ?? 'cpu'
    const engine = createEngine({ tensorFolder: join(root, 'tensors'), threads, device, logger: silent })
    try {
      await engine.start()
      await engine.loadModel({ model, architecture, parts })
      return [
        ...(await measureEngine(engine, architecture, options)),
        ...(await measureAnswers(options)),
        ...(await measureDistributed(options)),
        ...(await measureMapping(options)),
        ...(await measureImporting(options)),
        await measureInt8Loss(options),
        await measureEventLoop(options)
      ]
    } finally {
      await engine.stop()
    }
  })
}

async function writeParts(root: string, architecture: Architecture): Promise<PartFile[]> {
  await mkdir(join(root, 'blocks'))
  const blockstore = await openReferenceBlockstore({
    blocksFolder: join(root, 'blocks'),
    tensorsFolder: join(root, 'tensors')
  })
  const store = await createTensorStore({ blockstore })
  const files: PartFile[] = []
  for (const { name, shape, data } of genesisParts(architecture)) {
    const info = await store.putTensor({ name, dtype: 'fp32', shape, data: littleEndianBytes(data) })
    const { path, dataOffsetBytes, dataLengthBytes } = info
    files.push({ name, path, dataOffsetBytes, dataLengthBytes, shape, dtype: 'fp32' })
  }
  await store.close()
  await blockstore.close()
  return files
}

/** The genesis model: what its matrices would allow at the speed of one large matrix product, and what it does. */
async function measureEngine(engine: Engine, architecture: Architecture, { quick, note }: Options): Promise<Result[]> {
  const text = textOf(evaluatedBytes)
  const evaluated: number[] = []
  const generated: number[] = []
  const limits: number[] = []
  for (let run = -1; run < (quick ? 3 : 9); run++) {
    note(run < 0 ? 'engine, warming up' : `engine, run ${run + 1}`)
    const { gigaflopsPerSecond } = await probeDevice({ threads, logger: silent })
    const { scoredBytes, elapsedMs } = await engine.evaluate({ model, bytes: text })
    const startedAtMs = performance.now()
    let tokens = 0
    const request = { model, prompt: text.subarray(0, 32), tokensMax: generatedTokens, temperature: 0, seed: '0' }
    for await (const bytes of engine.generate(request)) tokens += bytes.length
    if (run < 0) continue
    evaluated.push((scoredBytes * 1000) / elapsedMs)
    generated.push((tokens * 1000) / (performance.now() - startedAtMs))
    limits.push((gigaflopsPerSecond * 1e9) / operationsPerToken(architecture))
  }
  const limitName = 'fp32 matrix products of 512 x 512, at the operations a token needs'
  return [
    rate('experts.evaluate', 'bytes/s', evaluated, limits, limitName),
    rate('experts.generate', 'tokens/s', generated, limits, limitName)
  ]
}

/** Two for each parameter that a token meets; attention scores over a full context come to a few percent more. */
function operationsPerToken(architecture: Architecture): number {
  const { experts, expertsPerToken } = architecture
  return describeModel(architecture).reduce((sum, { blockType, shape }) => {
    const parameters = shape.reduce((product, extent) => product * extent, 1)
    return sum + 2 * parameters * (blockType === 'expert' ? expertsPerToken / experts : 1)
  }, 0)
}

/** How late the loop of a whole daemon runs (consensus, API and all) while its engine process computes without pause. */
async function measureEventLoop({ quick, note }: Options): Promise<Result> {
  note('event loop of a daemon whose engine is busy')
  const delays: number[] = []
  await withNetwork({ validators: 1, learners: 0 }, async ({ nodes }) => {
    const node = nodes[0]!
    const evaluate = (): Promise<EvaluateResult> => {
      const text = textOf(evaluatedBytes)
      return node.daemon.json({
        method: 'POST',
        path: '/v0/evaluate',
        upload: { bytes: once(text), sizeBytes: text.length },
        timeoutMs: 120_000
      })
    }
    await evaluate()
    for (let run = 0; run < (quick ? 3 : 7); run++) {
      await node.probe()
      for (const endsAtMs = performance.now() + delayWindowMs / (quick ? 2 : 1); performance.now() < endsAtMs; )
        await evaluate()
      delays.push((await node.probe()).eventLoopDelayP99Ms)
    }
  })
  return plain('experts.eventLoopDelay.p99', 'ms', delays)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

function textOf(sizeBytes: number): Uint8Array {
  return Buffer.alloc(sizeBytes, 'The quick brown fox jumps over the lazy dog, and what it owns it owns together. ')
}
