import { BlyanError } from '../../errors/index.ts'
import { parseArchitecture } from '../model/parse-architecture.ts'
import { createCallDesk } from './call-desk.ts'
import { spawnEngineProcess } from './engine-child.ts'
import { defaultEngineLimits } from './engine-limits.ts'
import { createEngineLink, type EngineLink, type RequestOptions } from './engine-link.ts'
import type { EngineOperation } from './engine-protocol.ts'
import type {
  Engine,
  EngineLimits,
  EngineNeeds,
  EngineStatus,
  Evaluation,
  GenerateRequest,
  GenerateTokensRequest,
  LoadModelRequest,
  ModelLoad,
  TokenEvaluation
} from './engine-types.ts'
import { eventStream } from './event-stream.ts'
import type { Frame } from './frame-channel.ts'
import { integerField, listField, numberField } from './frame-fields.ts'
import { type KnownModel, loadModelFrame } from './known-model.ts'
import { modelStatusFromFrame } from './model-status.ts'
import { packLoads, unpackResults, wordBytes, wordsField } from './packed-rows.ts'
import { type PartFile, partFileToFrame } from './part-file.ts'
import { type AskTraining, openRemoteTraining } from './remote-training.ts'
import type { OpenTrainingRequest, Training } from './training-types.ts'

/** An engine that is not started yet. It holds no process, file or timer until `start`. */
export function createEngine(needs: EngineNeeds): Engine {
  return new ProcessEngine(needs, { ...defaultEngineLimits, ...needs.limits })
}

const executableFromBytes = 4 * 1024 * 1024

class ProcessEngine implements Engine {
  readonly #link: EngineLink
  readonly #needs: EngineNeeds
  readonly #limits: EngineLimits
  readonly #models = new Map<string, KnownModel>()
  #trainings = 0

  constructor(needs: EngineNeeds, limits: EngineLimits) {
    const { tensorFolder, threads, logger } = needs
    const provider = needs.device ?? 'cpu'
    const { answersMax, answersWaitingMax, keyValueBytesMax, expertRowsWaitingMax, mappedSessionsMax } = limits
    const answers = { answersMax, answersWaitingMax, keyValueBytesMax, expertRowsWaitingMax }
    const bounds = { ...answers, mappedSessionsMax, trainingBytesMax: limits.trainingBytesMax }
    const { frameBytesMax, expertMemoryBytesMax } = limits
    const task = {
      task: 'serve',
      tensorFolder,
      provider,
      threads,
      frameBytesMax,
      bounds,
      expertMemoryBytesMax,
      executables: needs.executables && { fromBytes: executableFromBytes, ...needs.executables }
    } as const
    const callExpertsOf = (model: string) => this.#models.get(model)?.callExperts
    const calls = createCallDesk({ callExpertsOf, callsMax: limits.openRequestsMax })
    this.#link = createEngineLink({ spawnProcess: () => spawnEngineProcess(task), calls, limits, logger })
    this.#needs = needs
    this.#limits = limits
  }

  start(): Promise<void> {
    return this.#link.start()
  }

  stop(): Promise<void> {
    return this.#link.stop()
  }

  async loadModel(request: LoadModelRequest): Promise<ModelLoad> {
    const startedAtMs = performance.now()
    const known: KnownModel = {
      architecture: parseArchitecture(request.architecture),
      parts: new Map(request.parts.map(part => [part.name, part])),
      callExperts: request.callExperts,
      memoryBytesMax: request.memoryBytesMax ?? this.#limits.memoryBytesMax,
      elsewhere: [],
      loading: undefined
    }
    const answer = await this.#load(request.model, known, await this.#link.ready())
    this.#models.set(request.model, known)
    return modelLoad(answer, startedAtMs)
  }

  async replacePart({ model, part }: { model: string; part: PartFile }): Promise<ModelLoad> {
    const startedAtMs = performance.now()
    const known = this.#known(model)
    const before = known.parts.get(part.name)
    known.parts.set(part.name, part)
    try {
      return modelLoad(await this.#ask(model, 'replacePart', { part: partFileToFrame(part) }), startedAtMs)
    } catch (error) {
      // Refused: the one before still stands in the engine, or is what a new process will be given.
      if (known.parts.get(part.name) === part) {
        if (before === undefined) known.parts.delete(part.name)
        else known.parts.set(part.name, before)
      }
      throw error
    }
  }

  async dropPart({ model, name }: { model: string; name: string }): Promise<ModelLoad> {
    const startedAtMs = performance.now()
    this.#known(model).parts.delete(name)
    return modelLoad(await this.#ask(model, 'dropPart', { name }), startedAtMs)
  }

  async setElsewhere({ model, experts }: { model: string; experts: readonly string[] }): Promise<void> {
    this.#known(model).elsewhere = experts
    await this.#ask(model, 'setElsewhere', { experts })
  }

  async evaluate(request: Parameters<Engine['evaluate']>[0]): Promise<Evaluation> {
    const startedAtMs = performance.now()
    const { bytes, replacement, signal } = request
    atMost('bytes to evaluate', bytes.length, this.#limits.evaluateBytesMax)
    const fields = { bytes, ...replacementFields(replacement) }
    const answer = await this.#ask(request.model, 'evaluate', fields, { signal })
    return {
      lossNatsPerByte: meanLoss(answer),
      scoredBytes: integerField(answer, 'scored'),
      elapsedMs: performance.now() - startedAtMs
    }
  }

  async evaluateTokens(request: Parameters<Engine['evaluateTokens']>[0]): Promise<TokenEvaluation> {
    const startedAtMs = performance.now()
    const { tokens, replacement, signal } = request
    atMost('tokens to evaluate', tokens.length, this.#limits.evaluateTokensMax)
    const fields = { tokens: wordBytes(tokens), ...replacementFields(replacement) }
    const answer = await this.#ask(request.model, 'evaluateTokens', fields, { signal })
    return {
      lossNatsPerToken: meanLoss(answer),
      scoredTokens: integerField(answer, 'scored'),
      elapsedMs: performance.now() - startedAtMs
    }
  }

  async *generate(request: GenerateRequest): AsyncGenerator<Uint8Array> {
    const { model, prompt, tokensMax, temperature, seed, signal } = request
    atMost('bytes of a prompt', prompt.length, this.#limits.promptBytesMax)
    atMost('bytes to generate', tokensMax, this.#limits.generateTokensMax)
    checkTemperature(temperature)
    const fields = { prompt, tokensMax, temperature, seed }
    const ask = (options: RequestOptions): Promise<Frame> => this.#ask(model, 'generate', fields, options)
    const read = (event: Frame): number | undefined =>
      event.byte === undefined ? undefined : integerField(event, 'byte')
    for await (const bytes of eventStream(ask, read, signal)) yield Uint8Array.from(bytes)
  }

  async *generateTokens(request: GenerateTokensRequest): AsyncGenerator<{ readonly tokens: Uint32Array }> {
    const { model, tokens, tokensMax, stopTokens, sampling, requestId, signal } = request
    atMost('tokens to generate', tokensMax, this.#limits.generateTokensMax)
    checkTemperature(sampling.temperature)
    if (!(sampling.topP > 0 && sampling.topP <= 1)) throw refused('topP is not above 0 and at most 1')
    const fields = { ...sampling, tokens: wordBytes(tokens), tokensMax, stopTokens, requestId }
    const ask = (options: RequestOptions): Promise<Frame> => this.#ask(model, 'generateTokens', fields, options)
    const read = (event: Frame): Uint32Array | undefined =>
      event.tokens === undefined ? undefined : wordsField(event, 'tokens')
    for await (const made of eventStream(ask, read, signal)) {
      yield { tokens: Uint32Array.from(made.flatMap(chosen => [...chosen])) }
    }
  }

  async runExperts(request: Parameters<Engine['runExperts']>[0]): Promise<readonly Float32Array[]> {
    const { model, loads, priority, signal } = request
    const answer = await this.#ask(model, 'runExperts', { ...packLoads(loads), priority }, { signal })
    return unpackResults(answer)
  }

  async runExpert(request: Parameters<Engine['runExpert']>[0]): Promise<Float32Array> {
    const { model, name, tokens, signal } = request
    const results = await this.runExperts({ model, loads: [{ name, rows: tokens }], priority: 'answer', signal })
    return results[0]!
  }

  async release({ model }: { readonly model: string }): Promise<void> {
    const known = this.#known(model)
    this.#models.delete(model)
    const generation = known.loading?.generation
    // A process that died meanwhile holds nothing that could be released.
    if (this.#link.state === 'running' && generation === (await this.#link.ready())) {
      await this.#link.request(generation, 'release', { model })
    }
  }

  async openTraining(request: OpenTrainingRequest): Promise<Training> {
    const training = ++this.#trainings
    const generation = await this.#link.ready()
    const ask: AskTraining = (operation, fields, options) =>
      this.#link.request(generation, operation, { ...fields, training }, options)
    const architecture = parseArchitecture(request.architecture)
    return openRemoteTraining({ ...request, architecture }, ask, this.#limits.frameBytesMax / 2)
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
      const models = listField(answer, 'models').map(modelStatusFromFrame)
      return { ...still, residentBytes: integerField(answer, 'residentBytes'), models }
    } catch {
      return { ...still, state: this.#link.state, residentBytes: 0, models: [] }
    }
  }

  /** Sends a request about a model, after loading that again if the process is a new one. */
  async #ask(model: string, operation: EngineOperation, fields: Frame, options: RequestOptions = {}): Promise<Frame> {
    const known = this.#known(model)
    const generation = await this.#link.ready()
    await this.#load(model, known, generation)
    return this.#link.request(generation, operation, { ...fields, model }, options)
  }

  #load(model: string, known: KnownModel, generation: number): Promise<Frame> {
    if (known.loading?.generation === generation) return known.loading.answer
    const answer = this.#link.request(generation, 'loadModel', loadModelFrame(model, known))
    known.loading = { generation, answer }
    answer.catch(() => {
      known.loading = undefined
    })
    return answer
  }

  #known(model: string): KnownModel {
    const known = this.#models.get(model)
    if (known === undefined) throw new BlyanError('MODEL_NOT_LOADED', { model })
    return known
  }
}

function modelLoad(answer: Frame, startedAtMs: number): ModelLoad {
  return {
    parts: integerField(answer, 'parts'),
    mappedBytes: integerField(answer, 'mappedBytes'),
    elapsedMs: performance.now() - startedAtMs
  }
}

/** DAG-CBOR has no infinity; null stands for it. */
function meanLoss(answer: Frame): number {
  return answer.meanLossNats === null ? Number.POSITIVE_INFINITY : numberField(answer, 'meanLossNats')
}

function replacementFields(replacement: PartFile | undefined): Frame {
  return replacement === undefined ? {} : { replacement: partFileToFrame(replacement) }
}

function checkTemperature(temperature: number): void {
  if (!(temperature >= 0 && temperature <= 100)) throw refused('the temperature is not from 0 to 100')
}

function atMost(what: string, count: number, countMax: number): void {
  if (count > countMax) throw refused(`${count} ${what} are more than ${countMax}`)
}

function refused(reason: string): BlyanError {
  return new BlyanError('ENGINE_REQUEST_INVALID', { reason })
}
