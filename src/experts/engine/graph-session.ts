import { join } from 'node:path'
import { env, InferenceSession, Tensor } from 'onnxruntime-node'
import type { Feeds } from '../model/forward.ts'
import type { ExecutableSettings, Provider } from './engine-protocol.ts'

export type SessionSettings = {
  readonly provider: Provider
  readonly threads: number
  readonly tensorFolder: string
  /** An expert that is larger is computed tile by tile within so much memory; without it all are mapped whole. */
  readonly expertMemoryBytesMax?: number | undefined
  /** Where executables of experts are kept; without it none are made. */
  readonly executables?: ExecutableSettings | undefined
}

/** A session of ONNX Runtime that is released when everybody who entered has left it. */
export interface GraphSession {
  enter(): void
  leave(): Promise<void>
  run(feeds: Feeds): Promise<Record<string, Float32Array>>
}

/** Opens a session, entered once. With `isPacked` the weights are copied into private memory in the order the kernels like; otherwise they are mapped. */
export async function openGraphSession(
  model: Uint8Array,
  threads: number,
  isPacked: boolean,
  settings: SessionSettings
): Promise<GraphSession> {
  const session = await InferenceSession.create(
    model,
    optionsOf(threads, settings, {
      disable_prepacking: isPacked ? '0' : '1',
      model_external_initializers_file_folder_path: settings.tensorFolder
    })
  )
  return new SharedSession(session)
}

const executableFile = 'graph.onnx'
const executableWeightsFile = 'weights.bin'
/** Smaller constants stay in the graph. */
const executableWeightBytesMin = 1024

/** Writes the graph as ONNX Runtime optimised it for this device, and its prepacked weights beside it, into `folder`. */
export async function writeExecutableGraph(
  model: Uint8Array,
  folder: string,
  settings: SessionSettings
): Promise<void> {
  const session = await InferenceSession.create(model, {
    ...optionsOf(1, settings, {
      model_external_initializers_file_folder_path: settings.tensorFolder,
      save_external_prepacked_constant_initializers: '1',
      optimized_model_external_initializers_file_name: executableWeightsFile,
      optimized_model_external_initializers_min_size_in_bytes: `${executableWeightBytesMin}`
    }),
    optimizedModelFilePath: join(folder, executableFile)
  })
  await session.release()
}

/** Opens what `writeExecutableGraph` wrote, entered once: its weights are mapped, and need no prepacking. */
export async function openExecutableGraph(
  folder: string,
  threads: number,
  settings: SessionSettings
): Promise<GraphSession> {
  return new SharedSession(
    await InferenceSession.create(join(folder, executableFile), optionsOf(threads, settings, {}))
  )
}

/** Which ONNX Runtime this is. */
export const runtimeVersion = env.versions.common

function optionsOf(
  threads: number,
  settings: SessionSettings,
  session: Readonly<Record<string, string>>
): InferenceSession.SessionOptions {
  return {
    executionProviders: [settings.provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    extra: { session: { ...session, 'intra_op.allow_spinning': '0' } }
  }
}

class SharedSession implements GraphSession {
  readonly #session: InferenceSession
  #users = 1

  constructor(session: InferenceSession) {
    this.#session = session
  }

  enter(): void {
    this.#users++
  }

  async leave(): Promise<void> {
    this.#users--
    if (this.#users === 0) await this.#session.release()
  }

  async run(feeds: Feeds): Promise<Record<string, Float32Array>> {
    const tensors = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, toTensor(feed)]))
    const results = await this.#session.run(tensors)
    return Object.fromEntries(Object.entries(results).map(([name, result]) => [name, result.data as Float32Array]))
  }
}

function toTensor(feed: Feeds[string]): Tensor {
  return feed.data instanceof BigInt64Array
    ? new Tensor('int64', feed.data, feed.dimensions)
    : new Tensor('float32', feed.data, feed.dimensions)
}
