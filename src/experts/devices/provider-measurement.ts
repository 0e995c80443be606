import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node'
import type { Provider } from '../engine/engine-protocol.ts'
import { productsGraph, productsPerRun, transferGraph } from './measuring-graphs.ts'

export type ProviderMeasurement =
  | {
      readonly ok: true
      readonly gigaflopsPerSecond: number
      readonly transferBytesPerSecond: number
      readonly startMs: number
    }
  | { readonly ok: false; readonly reason: string }

/** The larger ones only for devices that are through with the smaller ones too soon to be measured with them. */
const sizes = [128, 512, 4096] as const
const tooSoonMs = 15
const transferNumbers = 4 << 20
const measuringMs = 120

/**
 * Runs in a throw-away process: starts the provider, checks one product, then measures how many fp32 operations a second it
 * does on square matrices and how fast numbers get to it. The best runs count, since others share the machine.
 */
export async function measureProvider(provider: Provider, threads: number): Promise<ProviderMeasurement> {
  try {
    // ONNX Runtime drops a provider it does not know with no more than a message.
    if (!listSupportedBackends().some(({ name }) => name === provider)) {
      return { ok: false, reason: 'this build of ONNX Runtime does not have it' }
    }
    const open = (graph: Uint8Array): Promise<InferenceSession> =>
      InferenceSession.create(graph, {
        executionProviders: [provider],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
        extra: { session: { 'intra_op.allow_spinning': '0' } }
      })
    const startedAt = performance.now()
    let startMs = 0
    let gigaflopsPerSecond = 0
    for (const size of sizes) {
      const run = createRun(await open(productsGraph(size)))
      if ((await run()).some(value => Math.abs(value - 1) > 1e-2)) return { ok: false, reason: 'it computes wrongly' }
      startMs ||= performance.now() - startedAt
      const elapsedMs = await bestMs(run)
      gigaflopsPerSecond = Math.max(gigaflopsPerSecond, speedOf(size, elapsedMs))
      if (elapsedMs > tooSoonMs) break
    }
    const transferBytesPerSecond = await measureTransfer(await open(transferGraph(transferNumbers)))
    return { ok: true, gigaflopsPerSecond, transferBytesPerSecond, startMs }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

function createRun(session: InferenceSession): () => Promise<Float32Array> {
  const left = new Tensor('float32', Float32Array.of(1), [1])
  return async () => (await session.run({ left })).sums!.data as Float32Array
}

async function measureTransfer(session: InferenceSession): Promise<number> {
  const numbers = new Tensor('float32', new Float32Array(transferNumbers).fill(1), [transferNumbers])
  const elapsedMs = await bestMs(() => session.run({ numbers }))
  return (transferNumbers * 4 * 1000) / elapsedMs
}

async function bestMs(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  let best = Number.POSITIVE_INFINITY
  while (performance.now() - startedAt < measuringMs) {
    const runStartedAt = performance.now()
    await run()
    best = Math.min(best, performance.now() - runStartedAt)
  }
  return best
}

function speedOf(size: number, elapsedMs: number): number {
  return (2 * size ** 3 * productsPerRun) / (elapsedMs * 1e6)
}
