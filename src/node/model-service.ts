import type { Genesis, ParamIndex, PartVersion } from '../dag/index.ts'
import {
  createEngine,
  describeModel,
  type Engine,
  genesisParts,
  littleEndianBytes,
  type PartFile,
  type Provider,
  parseArchitecture,
  probeDevice
} from '../experts/index.ts'
import type { TensorInfo, TensorStore } from '../tiles/index.ts'
import type { EvaluateResult } from './blyan-node.ts'
import type { Config } from './config-schema.ts'
import type { Logger } from './logging.ts'

export type ModelServiceNeeds = {
  readonly genesis: Genesis
  readonly parts: ParamIndex
  readonly tensors: TensorStore
  readonly tensorFolder: string
  readonly settings: Config['experts']
  readonly logger: Logger
}

/** The network's newest model on this machine: brings its parts here, maps them into the engine, computes with it. */
export interface ModelService {
  readonly device: { readonly provider: string; readonly name: string }
  /** Draws the tensors of the genesis model from its seed, so that nobody has to send them. */
  ensureGenesisTensors(): Promise<void>
  evaluate(input: { text: Uint8Array; timeoutMs: number }): Promise<EvaluateResult>
  generate(input: {
    prompt: Uint8Array
    tokensMax: number
    temperature: number
    seed: number
    signal?: AbortSignal
  }): AsyncIterable<Uint8Array>
  stop(): Promise<void>
}

export function createModelService(needs: ModelServiceNeeds): ModelService {
  return new EngineModelService(needs)
}

const modelName = 'network'

class EngineModelService implements ModelService {
  readonly #needs: ModelServiceNeeds
  device = { provider: 'none', name: 'starts with the first question' }
  #engine: Promise<Engine> | undefined
  #loaded = new Map<string, string>()
  #genesisTensors: Promise<void> | undefined
  #loading: Promise<unknown> = Promise.resolve()
  #isStopped = false

  constructor(needs: ModelServiceNeeds) {
    this.#needs = needs
  }

  ensureGenesisTensors(): Promise<void> {
    this.#genesisTensors ??= this.#drawGenesisTensors().catch(error => {
      this.#genesisTensors = undefined
      throw error
    })
    return this.#genesisTensors
  }

  async evaluate({ text, timeoutMs }: { text: Uint8Array; timeoutMs: number }): Promise<EvaluateResult> {
    const { engine, newest } = await this.#ready(timeoutMs)
    const result = await engine.evaluate({ model: modelName, bytes: text, signal: AbortSignal.timeout(timeoutMs) })
    const changed = newest.find(part => this.#needs.parts.history(part.name).length > 1)
    return {
      lossNatsPerByte: result.lossNatsPerByte,
      bytes: result.scoredBytes,
      elapsedMs: result.elapsedMs,
      device: this.device.provider,
      replaced: changed === undefined ? null : { name: changed.name, tensor: changed.tensor }
    }
  }

  async *generate(input: {
    prompt: Uint8Array
    tokensMax: number
    temperature: number
    seed: number
    signal?: AbortSignal
  }): AsyncIterable<Uint8Array> {
    const { engine } = await this.#ready(generatePreparationMs)
    yield* engine.generate({ ...input, model: modelName, seed: String(input.seed) })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    const engine = await this.#engine?.catch(() => undefined)
    await engine?.stop()
  }

  async #drawGenesisTensors(): Promise<void> {
    const architecture = parseArchitecture(this.#needs.genesis.file.model.architecture)
    const wanted = new Map(this.#needs.genesis.file.model.parts.map(part => [part.name, part.tensor]))
    if ([...wanted.values()].every(cid => this.#needs.tensors.info(cid) !== undefined)) return
    for (const part of genesisParts(architecture)) {
      if (this.#isStopped) return
      const cid = wanted.get(part.name)
      if (cid === undefined || this.#needs.tensors.info(cid) !== undefined) continue
      const made = await this.#needs.tensors.putTensor({
        name: part.name,
        dtype: 'fp32',
        shape: part.shape,
        data: littleEndianBytes(part.data)
      })
      await this.#needs.tensors.pin(made.cid)
    }
  }

  /** One at a time: the newest version of every part is here and mapped. */
  #ready(timeoutMs: number): Promise<{ engine: Engine; newest: PartVersion[] }> {
    const next = this.#loading.then(() => this.#load(timeoutMs))
    this.#loading = next.catch(() => {})
    return next
  }

  async #load(timeoutMs: number): Promise<{ engine: Engine; newest: PartVersion[] }> {
    await this.ensureGenesisTensors()
    this.#engine ??= this.#startEngine().catch(error => {
      this.#engine = undefined
      throw error
    })
    const engine = await this.#engine
    const newest = describeModel(parseArchitecture(this.#needs.genesis.file.model.architecture)).map(
      part => this.#needs.parts.newest(part.name)!
    )
    const changed = newest.filter(part => this.#loaded.get(part.name) !== part.tensor)
    const files = await Promise.all(
      changed.map(async part => partFile(part, await this.#needs.tensors.fetchTensor(part.tensor, { timeoutMs })))
    )
    if (this.#loaded.size === 0) {
      await engine.loadModel({
        model: modelName,
        architecture: parseArchitecture(this.#needs.genesis.file.model.architecture),
        parts: files
      })
    } else {
      for (const part of files) await engine.replacePart({ model: modelName, part })
    }
    for (const part of changed) this.#loaded.set(part.name, part.tensor)
    return { engine, newest }
  }

  async #startEngine(): Promise<Engine> {
    const { settings, logger, tensorFolder } = this.#needs
    let provider: Provider = 'cpu'
    if (settings.device === 'auto') {
      const probe = await probeDevice({ threads: settings.threads, logger })
      provider = probe.provider ?? 'cpu'
      this.device = { provider, name: probe.name }
    } else {
      provider = settings.device
      this.device = { provider, name: `${settings.device}, as config.toml says` }
    }
    const engine = createEngine({ tensorFolder, threads: settings.threads, device: provider, logger })
    await engine.start()
    return engine
  }
}

const generatePreparationMs = 120_000

function partFile(part: PartVersion, info: TensorInfo): PartFile {
  return {
    name: part.name,
    path: info.path,
    dataOffsetBytes: info.dataOffsetBytes,
    dataLengthBytes: info.dataLengthBytes,
    shape: part.shape,
    dtype: 'fp32'
  }
}
