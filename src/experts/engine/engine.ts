import { BlyanError } from '../../errors/index.ts'
import { type Architecture, parseArchitecture } from '../model/architecture.ts'
import { type EngineLogger, spawnEngineProcess } from './engine-child.ts'
import {
  createEngineLink,
  type EngineLink,
  type LinkLimits,
  type LinkState,
  type RequestOptions
} from './engine-link.ts'
import type { EngineOperation, Provider } from './engine-protocol.ts'
import type { Frame } from './frame-channel.ts'
import { asMap, floatBytes, floatsField, integerField, listField, numberField, textField } from './frame-fields.ts'
import { type PartFile, partFileToFrame } from './part-file.ts'

export type EngineLimits = LinkLimits & {
  readonly evaluateBytesMax: number
  readonly promptBytesMax: number
  readonly generateTokensMax: number
}

export const defaultEngineLimits: EngineLimits = {
  frameBytesMax: 32 * 1024 * 1024,
  openRequestsMax: 64,
  requestTimeoutMs: 30_000,
  startTimeoutMs: 20_000,
  restartsMax: 10,
  restartWindowMs: 600_000,
  backOffMs: 100,
  evaluateBytesMax: 16 * 1024 * 1024,
  promptBytesMax: 1024 * 1024,
  generateTokensMax: 65_536
}

export type EngineNeeds = {
  /** Every part file lies in here. */
  readonly tensorFolder: string
  readonly threads: number
  /** What `probeDevice` found; `cpu` unless given. */
  readonly device?: Provider
  readonly logger: EngineLogger
  readonly limits?: Partial<EngineLimits>
}

export type ModelLoad = { readonly parts: number; readonly mappedBytes: number; readonly elapsedMs: number }

export type Evaluation = {
  /** Mean over `scoredBytes`; Infinity when the model's numbers are not finite. */
  readonly lossNatsPerByte: number
  readonly scoredBytes: number
  readonly elapsedMs: number
}

export type GenerateRequest = {
  readonly model: string
  /** At least one byte; only the newest `contextTokens` are read. */
  readonly prompt: Uint8Array
  readonly tokensMax: number
  /** 0 takes the likeliest byte each time. */
  readonly temperature: number
  readonly seed: string
  readonly signal?: AbortSignal
}

export type EngineStatus = {
  readonly state: LinkState
  readonly device: Provider
  readonly threads: number
  readonly restarts: number
  readonly processId: number | null
  /** Of the engine process, mapped pages that were touched included; 0 while none runs. */
  readonly residentBytes: number
  readonly models: readonly { readonly model: string; readonly parts: number; readonly mappedBytes: number }[]
}

/**
 * Computes with parts that lie in files, in a process of its own. All methods but `status` may throw ENGINE_LOST (the
 * process died; asking again works once it is back, models are loaded again by themselves), ENGINE_TIMEOUT, ENGINE_BUSY,
 * ENGINE_FAILED, ENGINE_STOPPED, ENGINE_FAULT and ENGINE_REQUEST_INVALID; those that name a model MODEL_NOT_LOADED, those that
 * compute PART_NOT_LOADED, those that take part files PART_FILE_INVALID and PART_UNKNOWN.
 */
export interface Engine {
  start(): Promise<void>
  /** Ends the process and forgets no model: `start` brings them back on demand. */
  stop(): Promise<void>
  /** Maps a model's parts under a name of the caller's choice; some parts may be missing. Takes the place of one so named. */
  loadModel(request: {
    readonly model: string
    readonly architecture: Architecture
    readonly parts: readonly PartFile[]
  }): Promise<ModelLoad>
  /** Puts one part in the place of the one of its name, or adds it. Requests that run keep the old one until they end. */
  replacePart(request: { readonly model: string; readonly part: PartFile }): Promise<ModelLoad>
  /** Next-byte loss over `bytes`, in windows of `contextTokens`; `replacement` stands in for the part of its name, this once. */
  evaluate(request: {
    readonly model: string
    readonly bytes: Uint8Array
    readonly replacement?: PartFile
    readonly signal?: AbortSignal
  }): Promise<Evaluation>
  /** Yields the bytes of an answer as they are made, one or more at a time. Leaving the loop cancels the rest. */
  generate(request: GenerateRequest): AsyncIterable<Uint8Array>
  /** One expert on `tokens` [N, width] (normed rows) -> a new [N, width], not yet weighted. */
  runExpert(request: {
    readonly model: string
    readonly name: string
    readonly tokens: Float32Array
    readonly signal?: AbortSignal
  }): Promise<Float32Array>
  release(request: { readonly model: string }): Promise<void>
  status(): Promise<EngineStatus>
}

export function createEngine(needs: EngineNeeds): Engine {
  const limits = { ...defaultEngineLimits, ...needs.limits }
  const { tensorFolder, threads, logger } = needs
  const task = {
    task: 'serve',
    tensorFolder,
    provider: needs.device ?? 'cpu',
    threads,
    frameBytesMax: limits.frameBytesMax
  } as const
  const link = createEngineLink({ spawnProcess: () => spawnEngineProcess(task), limits, logger })
  return new ProcessEngine(link, needs, limits)
}

type KnownModel = {
  readonly architecture: Architecture
  readonly parts: Map<string, PartFile>
  /** The process that was asked to load it, and its answer. */
  loading: { readonly generation: number; readonly answer: Promise<Frame> } | undefined
}

class ProcessEngine implements Engine {
  readonly #link: EngineLink
  readonly #needs: EngineNeeds
  readonly #limits: EngineLimits
  readonly #models = new Map<string, KnownModel>()

  constructor(link: EngineLink, needs: EngineNeeds, limits: EngineLimits) {
    this.#link = link
    this.#needs = needs
    this.#limits = limits
  }

  start(): Promise<void> {
    return this.#link.start()
  }

  stop(): Promise<void> {
    return this.#link.stop()
  }

  async loadModel(request: Parameters<Engine['loadModel']>[0]): Promise<ModelLoad> {
    const startedAtMs = performance.now()
    const architecture = parseArchitecture(request.architecture)
    const parts = new Map(request.parts.map(part => [part.name, part]))
    const known: KnownModel = { architecture, parts, loading: undefined }
    const answer = await this.#load(request.model, known, await this.#link.ready())
    this.#models.set(request.model, known)
    return modelLoad(answer, startedAtMs)
  }

  async replacePart(request: Parameters<Engine['replacePart']>[0]): Promise<ModelLoad> {
    const startedAtMs = performance.now()
    const answer = await this.#ask(request.model, 'replacePart', { part: partFileToFrame(request.part) })
    this.#models.get(request.model)?.parts.set(request.part.name, request.part)
    return modelLoad(answer, startedAtMs)
  }

  async evaluate(request: Parameters<Engine['evaluate']>[0]): Promise<Evaluation> {
    const startedAtMs = performance.now()
    const { bytes, replacement, signal } = request
    atMost('bytes to evaluate', bytes.length, this.#limits.evaluateBytesMax)
    const fields: Frame = replacement === undefined ? { bytes } : { bytes, replacement: partFileToFrame(replacement) }
    const answer = await this.#ask(request.model, 'evaluate', fields, { signal })
    return {
      lossNatsPerByte:
        answer.lossNatsPerByte === null ? Number.POSITIVE_INFINITY : numberField(answer, 'lossNatsPerByte'),
      scoredBytes: integerField(answer, 'scoredBytes'),
      elapsedMs: performance.now() - startedAtMs
    }
  }

  async *generate(request: GenerateRequest): AsyncGenerator<Uint8Array> {
    const { prompt, tokensMax, temperature, seed } = request
    atMost('bytes of a prompt', prompt.length, this.#limits.promptBytesMax)
    atMost('bytes to generate', tokensMax, this.#limits.generateTokensMax)
    if (!(temperature >= 0 && temperature <= 100)) throw refused('the temperature is not from 0 to 100')
    const left = new AbortController()
    const signal = request.signal === undefined ? left.signal : AbortSignal.any([request.signal, left.signal])
    const made: number[] = []
    let ended = false
    let wake = (): void => {}
    const onEvent = (event: Frame): void => {
      made.push(integerField(event, 'byte'))
      wake()
    }
    const fields = { prompt, tokensMax, temperature, seed }
    const answer = this.#ask(request.model, 'generate', fields, { signal, onEvent })
    const end = (): void => {
      ended = true
      wake()
    }
    answer.then(end, end)
    try {
      while (!ended || made.length > 0) {
        if (made.length > 0) yield Uint8Array.from(made.splice(0))
        else await new Promise<void>(resolve => (wake = resolve))
      }
      await answer
    } finally {
      left.abort()
    }
  }

  async runExpert(request: Parameters<Engine['runExpert']>[0]): Promise<Float32Array> {
    const fields = { name: request.name, tokens: floatBytes(request.tokens) }
    return floatsField(await this.#ask(request.model, 'runExpert', fields, { signal: request.signal }), 'values')
  }

  async release(request: { readonly model: string }): Promise<void> {
    const { model } = request
    const known = this.#models.get(model)
    if (known === undefined) throw new BlyanError('MODEL_NOT_LOADED', { model })
    this.#models.delete(model)
    const generation = known.loading?.generation
    // A process that died meanwhile holds nothing that could be released.
    if (this.#link.state === 'running' && generation === (await this.#link.ready())) {
      await this.#link.request(generation, 'release', { model })
    }
  }

  async status(): Promise<EngineStatus> {
    const still = {
      state: this.#link.state,
      device: this.#needs.device ?? 'cpu',
      threads: this.#needs.threads,
      restarts: this.#link.restarts,
      processId: this.#link.processId ?? null
    }
    if (still.state !== 'running') return { ...still, residentBytes: 0, models: [] }
    try {
      const answer = await this.#link.request(await this.#link.ready(), 'status', {})
      const models = listField(answer, 'models').map(entry => {
        const fields = asMap(entry, 'model')
        return {
          model: textField(fields, 'model'),
          parts: integerField(fields, 'parts'),
          mappedBytes: integerField(fields, 'mappedBytes')
        }
      })
      return { ...still, residentBytes: integerField(answer, 'residentBytes'), models }
    } catch {
      return { ...still, state: this.#link.state, residentBytes: 0, models: [] }
    }
  }

  /** Sends a request about a model, after loading that again if the process is a new one. */
  async #ask(model: string, operation: EngineOperation, fields: Frame, options: RequestOptions = {}): Promise<Frame> {
    const known = this.#models.get(model)
    if (known === undefined) throw new BlyanError('MODEL_NOT_LOADED', { model })
    const generation = await this.#link.ready()
    await this.#load(model, known, generation)
    return this.#link.request(generation, operation, { ...fields, model }, options)
  }

  #load(model: string, known: KnownModel, generation: number): Promise<Frame> {
    if (known.loading?.generation === generation) return known.loading.answer
    const parts = [...known.parts.values()].map(partFileToFrame)
    const architecture = { ...known.architecture, router: { ...known.architecture.router } }
    const answer = this.#link.request(generation, 'loadModel', { model, architecture, parts })
    known.loading = { generation, answer }
    answer.catch(() => {
      known.loading = undefined
    })
    return answer
  }
}

function modelLoad(answer: Frame, startedAtMs: number): ModelLoad {
  return {
    parts: integerField(answer, 'parts'),
    mappedBytes: integerField(answer, 'mappedBytes'),
    elapsedMs: performance.now() - startedAtMs
  }
}

function atMost(what: string, count: number, countMax: number): void {
  if (count > countMax) throw refused(`${count} ${what} are more than ${countMax}`)
}

function refused(reason: string): BlyanError {
  return new BlyanError('ENGINE_REQUEST_INVALID', { reason })
}
