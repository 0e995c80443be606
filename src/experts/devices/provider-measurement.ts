import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node'
import type { Provider } from '../engine/engine-protocol.ts'
import { measuringGraph } from '../model/graphs.ts'
import { writeOnnxModel } from '../model/onnx-writer.ts'

export type ProviderMeasurement =
  | { readonly ok: true; readonly gigaflopsPerSecond: number; readonly startMs: number }
  | { readonly ok: false; readonly reason: string }

const matrixSize = 512
const measuringMs = 120

/**
 * Runs in a throw-away process: starts the provider, checks one product, then measures how many fp32 operations a
 * second it does on square matrices of 512. The best run counts, since others share the machine.
 */
export async function measureProvider(provider: Provider, threads: number): Promise<ProviderMeasurement> {
  try {
    // ONNX Runtime drops a provider it does not know with no more than a message.
    if (!listSupportedBackends().some(({ name }) => name === provider)) {
      return { ok: false, reason: 'this build of ONNX Runtime does not have it' }
    }
    const startedAt = performance.now()
    const session = await InferenceSession.create(writeOnnxModel(measuringGraph(matrixSize)), {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
      extra: { session: { 'intra_op.allow_spinning': '0' } }
    })
    const run = createRun(session)
    const product = await run()
    if (product.some(value => Math.abs(value - matrixSize / 2) > 1e-2))
      return { ok: false, reason: 'it computes wrongly' }
    const startMs = performance.now() - startedAt
    return { ok: true, gigaflopsPerSecond: await bestSpeed(run), startMs }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Ones times halves: every element of the product is half the size. */
function createRun(session: InferenceSession): () => Promise<Float32Array> {
  const elements = matrixSize * matrixSize
  const left = new Tensor('float32', new Float32Array(elements).fill(1), [matrixSize, matrixSize])
  const right = new Tensor('float32', new Float32Array(elements).fill(0.5), [matrixSize, matrixSize])
  return async () => (await session.run({ left, right })).product!.data as Float32Array
}

async function bestSpeed(run: () => Promise<Float32Array>): Promise<number> {
  const startedAt = performance.now()
  let bestMs = Number.POSITIVE_INFINITY
  while (performance.now() - startedAt < measuringMs) {
    const runStartedAt = performance.now()
    await run()
    bestMs = Math.min(bestMs, performance.now() - runStartedAt)
  }
  return (2 * matrixSize ** 3) / (bestMs * 1e6)
}
