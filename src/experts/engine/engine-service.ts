import { BlyanError } from '../../errors/index.ts'
import { evaluateWindows } from '../model/evaluate.ts'
import { generateBytes } from '../model/generate.ts'
import { parseArchitecture } from '../model/parse-architecture.ts'
import { describeModel } from '../model/part-layout.ts'
import { createTokenChooser } from '../model/sampling.ts'
import { type EngineBounds, type EngineOperation, errorToFrame } from './engine-protocol.ts'
import type { Frame } from './frame-channel.ts'
import {
  bytesField,
  flagField,
  integerField,
  integersField,
  listField,
  mapField,
  numberField,
  textField,
  textsField
} from './frame-fields.ts'
import type { SessionSettings } from './graph-session.ts'
import { createLoadedModel, type LoadedModel } from './loaded-model.ts'
import type { SessionLease } from './model-sessions.ts'
import { modelStatusToFrame } from './model-status.ts'
import { packResults, unpackLoads, wordBytes, wordsField } from './packed-rows.ts'
import { type LocatedPart, locatePart, type PartFile, partFileFromFrame } from './part-file.ts'
import { createRemoteCalls, type RemoteCalls } from './remote-calls.ts'
import { type Handler, signOfLife, type Turn } from './service-turn.ts'
import { createTrainingDesk } from './training-desk.ts'
import { createTurns, type Turns } from './turns.ts'

/** Answers frames in the engine process. Requests run side by side: every graph that runs lets the next in line go. */
export interface EngineService {
  handle(frame: Frame): void
}

export type EngineServiceNeeds = SessionSettings & {
  readonly bounds: EngineBounds
  readonly send: (frame: Frame) => void
}

export function createEngineService(needs: EngineServiceNeeds): EngineService {
  return new SessionEngineService(needs)
}

const locatedPerSignOfLife = 256

class SessionEngineService implements EngineService {
  readonly #needs: EngineServiceNeeds
  readonly #models = new Map<string, LoadedModel>()
  readonly #open = new Map<number, AbortController>()
  readonly #calls: RemoteCalls
  readonly #turns: Turns = createTurns()
  readonly #handlers: Readonly<Record<EngineOperation, Handler>>

  constructor(needs: EngineServiceNeeds) {
    this.#needs = needs
    this.#calls = createRemoteCalls(needs.send)
    const { trainingBytesMax } = needs.bounds
    const trainings = createTrainingDesk({ settings: needs, turns: this.#turns, trainingBytesMax })
    this.#handlers = {
      loadModel: (frame, turn) => this.#loadModel(frame, turn),
      replacePart: frame => this.#replacePart(frame),
      dropPart: frame => this.#dropPart(frame),
      setElsewhere: async frame => this.#setElsewhere(frame),
      evaluate: (frame, turn) => this.#evaluate(frame, bytesField(frame, 'bytes'), turn),
      evaluateTokens: (frame, turn) => this.#evaluate(frame, wordsField(frame, 'tokens'), turn),
      generate: (frame, turn) => this.#generate(frame, turn),
      generateTokens: (frame, turn) => this.#generateTokens(frame, turn),
      runExperts: (frame, turn) => this.#runExperts(frame, turn),
      release: frame => this.#release(frame),
      status: async () => this.#status(),
      ...trainings.handlers
    }
  }

  handle(frame: Frame): void {
    const id = integerField(frame, 'id')
    const operation = textField(frame, 'operation')
    if (operation === 'cancel') this.#open.get(id)?.abort(refused('it was cancelled'))
    else if (operation === 'answerCall') this.#calls.receive(frame)
    else void this.#answer(id, operation, frame)
  }

  async #answer(id: number, operation: string, frame: Frame): Promise<void> {
    const { send } = this.#needs
    const controller = new AbortController()
    this.#open.set(id, controller)
    try {
      if (!isOperation(operation, this.#handlers)) throw refused(`"${operation}" is no operation`)
      const turn = { id, signal: controller.signal, tell: (event: Frame) => send({ id, event }) }
      send({ id, result: await this.#handlers[operation](frame, turn) })
    } catch (error) {
      send({ id, error: errorToFrame(operation, error) })
    } finally {
      this.#open.delete(id)
    }
  }

  async #loadModel(frame: Frame, turn: Turn): Promise<Frame> {
    const model = textField(frame, 'model')
    const architecture = parseArchitecture(mapField(frame, 'architecture'))
    const descriptions = new Map(describeModel(architecture).map(part => [part.name, part]))
    const parts: LocatedPart[] = []
    for (const entry of listField(frame, 'parts')) {
      const part = partFileFromFrame(entry)
      const description = descriptions.get(part.name)
      if (description === undefined) throw new BlyanError('PART_UNKNOWN', { part: part.name })
      parts.push(await locatePart(part, description, this.#needs.tensorFolder))
      if (parts.length % locatedPerSignOfLife === 0) turn.tell({})
    }
    const loaded = createLoadedModel({
      model,
      architecture,
      parts,
      callExperts: flagField(frame, 'canCall') ? call => this.#calls.call(call) : undefined,
      memoryBytesMax: integerField(frame, 'memoryBytesMax'),
      settings: this.#needs,
      bounds: this.#needs.bounds,
      turns: this.#turns
    })
    loaded.setElsewhere(textsField(frame, 'elsewhere'))
    const before = this.#models.get(model)
    this.#models.set(model, loaded)
    await before?.release()
    return loadOf(loaded)
  }

  async #replacePart(frame: Frame): Promise<Frame> {
    const model = this.#model(frame)
    await model.sessions.put(await this.#locate(model, partFileFromFrame(mapField(frame, 'part'))))
    return loadOf(model)
  }

  async #dropPart(frame: Frame): Promise<Frame> {
    const model = this.#model(frame)
    await model.sessions.drop(model.describe(textField(frame, 'name')).name)
    return loadOf(model)
  }

  #setElsewhere(frame: Frame): Frame {
    this.#model(frame).setElsewhere(textsField(frame, 'experts'))
    return {}
  }

  async #evaluate(frame: Frame, tokens: Uint8Array | Uint32Array, turn: Turn): Promise<Frame> {
    const model = this.#model(frame)
    if (tokens.length < 2) throw refused('two at least are needed to score one')
    const part = frame.replacement === undefined ? undefined : partFileFromFrame(mapField(frame, 'replacement'))
    const lease = model.sessions.lease(part && (await this.#locate(model, part)))
    return this.#withLease(lease, async () => {
      const runner = model.runner(lease, {
        requestId: `evaluation-${turn.id}`,
        priority: 'background',
        signal: turn.signal,
        onGraph: signOfLife(turn)
      })
      let lossNats = 0
      let scored = 0
      for await (const window of evaluateWindows(runner, tokens)) {
        lossNats += window.lossNats
        scored += window.scoredTokens
        turn.tell({ scored })
      }
      // DAG-CBOR has no NaN or infinity; null stands for "not finite".
      return { meanLossNats: Number.isFinite(lossNats) ? lossNats / scored : null, scored }
    })
  }

  async #generate(frame: Frame, turn: Turn): Promise<Frame> {
    const model = this.#model(frame)
    const prompt = bytesField(frame, 'prompt')
    if (prompt.length === 0) throw refused('the prompt is empty')
    const sampling = { temperature: numberField(frame, 'temperature'), topP: 1, seed: textField(frame, 'seed') }
    const tokensMax = integerField(frame, 'tokensMax')
    const lease = model.sessions.lease()
    this.#turns.enter()
    return this.#withLease(lease, async () => {
      const requestId = `bytes-${turn.id}`
      const runner = model.runner(lease, { requestId, priority: 'answer', signal: turn.signal })
      let made = 0
      try {
        for await (const byte of generateBytes(runner, prompt, tokensMax, createTokenChooser(sampling))) {
          turn.tell({ byte })
          made++
        }
      } finally {
        this.#turns.leave()
      }
      return { made }
    })
  }

  async #generateTokens(frame: Frame, turn: Turn): Promise<Frame> {
    const tokensMax = integerField(frame, 'tokensMax')
    if (tokensMax < 1) throw refused('no tokens are to be made')
    const sampling = {
      temperature: numberField(frame, 'temperature'),
      topP: numberField(frame, 'topP'),
      seed: textField(frame, 'seed')
    }
    const made = await this.#model(frame).answer({
      requestId: textField(frame, 'requestId'),
      tokens: wordsField(frame, 'tokens'),
      tokensMax,
      stopTokens: integersField(frame, 'stopTokens'),
      choose: createTokenChooser(sampling),
      signal: turn.signal,
      tell: tokens => turn.tell(tokens.length === 0 ? {} : { tokens: wordBytes(tokens) })
    })
    return { made }
  }

  async #runExperts(frame: Frame, turn: Turn): Promise<Frame> {
    const priority = textField(frame, 'priority') === 'background' ? 'background' : 'answer'
    return packResults(await this.#model(frame).runExperts(unpackLoads(frame), priority, turn.signal))
  }

  async #release(frame: Frame): Promise<Frame> {
    const model = this.#model(frame)
    this.#models.delete(textField(frame, 'model'))
    await model.release()
    return {}
  }

  #status(): Frame {
    const models = [...this.#models.values()].map(model => modelStatusToFrame(model.status()))
    return { residentBytes: process.memoryUsage.rss(), models }
  }

  #model(frame: Frame): LoadedModel {
    const model = textField(frame, 'model')
    const loaded = this.#models.get(model)
    if (loaded === undefined) throw new BlyanError('MODEL_NOT_LOADED', { model })
    return loaded
  }

  #locate(model: LoadedModel, part: PartFile): Promise<LocatedPart> {
    return locatePart(part, model.describe(part.name), this.#needs.tensorFolder)
  }

  async #withLease<Value>(lease: SessionLease, work: () => Promise<Value>): Promise<Value> {
    try {
      return await work()
    } finally {
      await lease.end()
    }
  }
}

function loadOf(model: LoadedModel): Frame {
  return { parts: model.sessions.parts.size, mappedBytes: model.sessions.mappedBytes }
}

function isOperation(name: string, handlers: object): name is EngineOperation {
  return Object.hasOwn(handlers, name)
}

function refused(reason: string): BlyanError {
  return new BlyanError('ENGINE_REQUEST_INVALID', { reason })
}
