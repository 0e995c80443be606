/** Answers of one engine process: alone, eight together, beside background work, and what the daemon's loop feels of it. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type CallExperts, createEngine, type Engine, type Training } from '../../src/experts/index.ts'
import { type Options, plain, type Result, rate } from '../report.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'
import { addedLatencyMs, openBenchTraining } from './background.ts'
import { benchArchitecture, writeRandomParts } from './random-model.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {} }
const architecture = benchArchitecture({})
const batch = 8
const tokensMax = 32
const promptTokens = 32

export function measureAnswers({ quick, note }: Options): Promise<Result[]> {
  return withTemporaryFolder(async folder => {
    note('writing a model of 100 MB')
    const parts = writeRandomParts(folder, architecture)
    const create = (): Engine => createEngine({ tensorFolder: folder, threads: 1, logger: silent })
    const engine = create()
    const holder = create()
    const callExperts: CallExperts = ({ layer, loads, signal }) => {
      const named = loads.map(({ expert, rows }) => ({ name: `layer${layer}.expert${expert}`, rows }))
      return holder.runExperts({ model: 'bench', loads: named, priority: 'answer', signal })
    }
    try {
      await Promise.all([engine.start(), holder.start()])
      await engine.loadModel({ model: 'bench', architecture, parts })
      await holder.loadModel({ model: 'bench', architecture, parts })
      const withoutExperts = parts.filter(({ name }) => !name.includes('.expert'))
      await engine.loadModel({ model: 'remote', architecture, parts: withoutExperts, callExperts })
      return await measureAll(engine, await openBenchTraining(engine, folder), quick ? 3 : 7, note)
    } finally {
      await Promise.all([engine.stop(), holder.stop()])
    }
  })
}

async function measureAll(engine: Engine, training: Training, runs: number, note: Options['note']): Promise<Result[]> {
  const firstTokenMs = async (seed: number): Promise<number> => (await answer(engine, 'bench', seed, 1)).firstTokenMs
  const alone: number[] = []
  const together: number[] = []
  const remote: number[] = []
  const delays: number[] = []
  const added: number[] = []
  for (let run = -1; run < runs; run++) {
    note(run < 0 ? 'answers, warming up' : `answers, run ${run + 1}`)
    const one = await tokensPerSecond(engine, 'bench', 1)
    const eight = await tokensPerSecond(engine, 'bench', batch)
    const loop = monitorEventLoopDelay({ resolution: 1 })
    loop.enable()
    const away = await tokensPerSecond(engine, 'remote', batch)
    loop.disable()
    const addedMs = await addedLatencyMs(training, firstTokenMs)
    if (run < 0) continue
    alone.push(one)
    together.push(eight)
    remote.push(away)
    delays.push(loop.percentile(99) / 1e6)
    added.push(addedMs)
  }
  return [
    rate('experts.answers.together', 'tokens/s', together, alone, 'one answer at a time'),
    rate(
      'experts.answers.remoteExperts',
      'tokens/s',
      remote,
      together,
      'the same answers with all experts in one process'
    ),
    plain('experts.channel.eventLoopDelay.p99', 'ms', delays),
    plain('experts.background.addedLatency', 'ms', added)
  ]
}

async function tokensPerSecond(engine: Engine, model: string, answers: number): Promise<number> {
  const startedAtMs = performance.now()
  const made = await Promise.all(Array.from({ length: answers }, (_, i) => answer(engine, model, i)))
  return (made.reduce((sum, { tokens }) => sum + tokens, 0) * 1000) / (performance.now() - startedAtMs)
}

async function answer(
  engine: Engine,
  model: string,
  seed: number,
  made = tokensMax
): Promise<{ tokens: number; firstTokenMs: number }> {
  const startedAtMs = performance.now()
  let firstTokenMs = Number.NaN
  let tokens = 0
  const prompt = Uint32Array.from({ length: promptTokens }, (_, i) => (seed * 97 + i * 31) % architecture.vocabulary)
  const sampling = { temperature: 0, topP: 1, seed: '' }
  const request = { model, tokens: prompt, tokensMax: made, stopTokens: [], sampling, requestId: `answer-${seed}` }
  for await (const step of engine.generateTokens(request)) {
    if (tokens === 0) firstTokenMs = performance.now() - startedAtMs
    tokens += step.tokens.length
  }
  return { tokens, firstTokenMs }
}
