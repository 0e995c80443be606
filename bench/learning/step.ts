import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { productsGraph, productsPerRun } from '../../src/experts/devices/measuring-graphs.ts'
import { createEngine, describeModel, genesisArchitecture, type TrainingStep } from '../../src/experts/index.ts'
import { median, type Options, plain, type Result, rate } from '../report.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'
import { BenchModel } from './bench-model.ts'
import { batchOfStep, type StepAnswer, type StepPlan } from './step-plan.ts'
import { readTexts } from './texts.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {} }
/** Sessions are made and memory is found in the first ones. */
const warmUpSteps = 2
const jaxWarmUpSteps = 1
const lossDistanceMax = 0.01
const architecture = genesisArchitecture('blyan-bench')

const plan: StepPlan = {
  architecture,
  settings: {
    sequences: 8,
    sequenceTokens: 128,
    learningRate: 0.001,
    warmUpSteps: 0,
    weightDecay: 0.1,
    clipNorm: 1,
    balance: 0.01,
    zLoss: 0.001
  },
  steps: 0
}

/**
 * One step of the 3.5 M parameter byte model: 1024 tokens, forward, backward and AdamW, in the engine as a learner has it, on one
 * thread; beside it the rate at which this machine multiplies matrices, and @jax-js/jax on the same step. Both start from
 * the same parameters and must come to the same losses.
 */
export async function stepResults({ quick, note }: Options): Promise<Result[]> {
  const steps = quick ? 6 : 16
  note(`training step, ${tokensOf(plan)} tokens`)
  const before = await ourSteps({ ...plan, steps }, 1)
  const limits = await gemmRates(quick ? 5 : 15)
  note('the same step in @jax-js/jax')
  const jax = await jaxSteps({ ...plan, steps: jaxWarmUpSteps + (quick ? 2 : 4) })
  note('training step again, then on all cores')
  const after = await ourSteps({ ...plan, steps }, 1)
  const all = await ourSteps({ ...plan, steps }, availableParallelism())
  jax.losses.forEach((loss, i) => {
    const own = before[i]!.lossNats
    if (Math.abs(loss - own) > lossDistanceMax) {
      throw new Error(`step ${i + 1}: ${own} nats here, ${loss} in @jax-js/jax: not the same step`)
    }
  })
  const own = [...before.slice(warmUpSteps), ...after.slice(warmUpSteps)]
  const rates = own.map(rateOf)
  const tokens = tokensOf(plan)
  const jaxRates = jax.times.slice(jaxWarmUpSteps).map(elapsedMs => (tokens * 1000) / elapsedMs)
  const bounds = limits.map(operationsPerSecond => operationsPerSecond / operationsPerToken())
  return [
    rate('learning.step.rate', 'tokens/s', rates, bounds, 'all its products at the rate of 512^3 GEMM, one thread'),
    rate(
      'learning.step',
      'share of a step inside ONNX Runtime',
      own.map(step => inRuntimePercent(step) / 100),
      [0.9],
      'wanted'
    ),
    plain('learning.step.allCores', 'tokens/s', all.slice(warmUpSteps).map(rateOf)),
    rate('learning.vsJaxJs', 'tokens/s', rates, jaxRates, '@jax-js/jax (wasm), the same step')
  ]
}

function tokensOf({ settings }: StepPlan): number {
  return settings.sequences * settings.sequenceTokens
}

function rateOf({ tokens, elapsedMs }: TrainingStep): number {
  return (tokens * 1000) / elapsedMs
}

function inRuntimePercent({ runtimeMs, elapsedMs, waitedMs }: TrainingStep): number {
  return (100 * runtimeMs) / (elapsedMs - waitedMs)
}

function ourSteps({ settings, steps }: StepPlan, threads: number): Promise<readonly TrainingStep[]> {
  return withTemporaryFolder(async folder => {
    const engine = createEngine({ tensorFolder: folder, threads, device: 'cpu', logger: silent })
    try {
      await engine.start()
      const model = new BenchModel(engine, architecture, folder)
      const { files } = model.write(model.genesis())
      const training = await engine.openTraining({
        model: 'bench',
        architecture,
        parts: files,
        trained: 'all',
        settings
      })
      const texts = readTexts()
      const batches = Array.from({ length: steps }, (_, i) => batchOfStep(texts, settings, i + 1))
      const made: TrainingStep[] = []
      for await (const step of training.train({ batches })) made.push(step)
      return made
    } finally {
      await engine.stop()
    }
  })
}

function jaxSteps(own: StepPlan): Promise<StepAnswer> {
  const child = fork(fileURLToPath(new URL('./jax-process.ts', import.meta.url)), { stdio: 'inherit' })
  const end = (): void => void child.kill('SIGKILL')
  process.once('exit', end)
  child.send(own)
  return new Promise<StepAnswer>((resolve, reject) => {
    child.once('message', answer => resolve(answer as StepAnswer))
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`the process of @jax-js/jax ended with ${code}`)))
  }).finally(() => {
    process.removeListener('exit', end)
    end()
  })
}

/** Operations a second of products of square matrices, on one thread. */
async function gemmRates(runs: number): Promise<number[]> {
  const size = 512
  const session = await InferenceSession.create(productsGraph(size), { intraOpNumThreads: 1, interOpNumThreads: 1 })
  try {
    const left = new Tensor('float32', Float32Array.of(1), [1])
    const rates: number[] = []
    for (let run = -1; run < runs; run++) {
      const startedAtMs = performance.now()
      await session.run({ left })
      const elapsedMs = performance.now() - startedAtMs
      if (run >= 0) rates.push((productsPerRun * 2 * size ** 3 * 1000) / elapsedMs)
    }
    return [median(rates)]
  } finally {
    await session.release()
  }
}

/** Of products alone, forward and twice that backward: two for each weight a token meets, and those of causal attention's square. */
function operationsPerToken(): number {
  const { experts, expertsPerToken, layers, heads, headWidth } = architecture
  const weights = describeModel(architecture)
    .flatMap(part => part.slices.map(slice => ({ part, slice })))
    .filter(({ slice }) => slice.shape.length > 1)
    .reduce((sum, { part, slice }) => {
      const share = part.expert === null ? 1 : expertsPerToken / experts
      return sum + (share * slice.lengthBytes) / 4
    }, 0)
  return 3 * (2 * weights + 4 * plan.settings.sequenceTokens * heads * headWidth * layers)
}
