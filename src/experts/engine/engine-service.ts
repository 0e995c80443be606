import { BlyanError } from '../../errors/index.ts'
import { type Architecture, describeModel, parseArchitecture } from '../model/architecture.ts'
import { evaluateWindows } from '../model/evaluate.ts'
import { generateBytes } from '../model/generate.ts'
import { createTokenChooser } from '../model/sampling.ts'
import { type EngineOperation, errorToFrame } from './engine-protocol.ts'
import type { Frame } from './frame-channel.ts'
import {
  bytesField,
  floatBytes,
  floatsField,
  integerField,
  listField,
  mapField,
  numberField,
  textField
} from './frame-fields.ts'
import { createModelSessions, type ModelSessions, type SessionSettings } from './model-sessions.ts'
import { type LocatedPart, locatePart, partFileFromFrame } from './part-file.ts'

/** Answers frames in the engine process. Requests run side by side: every graph that runs lets the next in line go. */
export interface EngineService {
  handle(frame: Frame): void
}

export function createEngineService(needs: SessionSettings & { send: (frame: Frame) => void }): EngineService {
  return new SessionEngineService(needs)
}

type Turn = { readonly signal: AbortSignal; readonly tell: (event: Frame) => void }
type Handler = (frame: Frame, turn: Turn) => Promise<Frame>

class SessionEngineService implements EngineService {
  readonly #settings: SessionSettings
  readonly #send: (frame: Frame) => void
  readonly #models = new Map<string, ModelSessions>()
  readonly #open = new Map<number, AbortController>()
  readonly #handlers: Readonly<Record<EngineOperation, Handler>> = {
    loadModel: (frame, turn) => this.#loadModel(frame, turn),
    replacePart: frame => this.#replacePart(frame),
    evaluate: (frame, turn) => this.#evaluate(frame, turn),
    generate: (frame, turn) => this.#generate(frame, turn),
    runExpert: frame => this.#runExpert(frame),
    release: frame => this.#release(frame),
    status: async () => this.#status()
  }

  constructor(needs: SessionSettings & { send: (frame: Frame) => void }) {
    this.#settings = needs
    this.#send = needs.send
  }

  handle(frame: Frame): void {
    const id = integerField(frame, 'id')
    const operation = textField(frame, 'operation')
    if (operation === 'cancel') this.#open.get(id)?.abort()
    else void this.#answer(id, operation, frame)
  }

  async #answer(id: number, operation: string, frame: Frame): Promise<void> {
    const controller = new AbortController()
    this.#open.set(id, controller)
    try {
      if (!isOperation(operation, this.#handlers)) throw refused(`"${operation}" is no operation`)
      const turn = { signal: controller.signal, tell: (event: Frame) => this.#send({ id, event }) }
      this.#send({ id, result: await this.#handlers[operation](frame, turn) })
    } catch (error) {
      this.#send({ id, error: errorToFrame(operation, error) })
    } finally {
      this.#open.delete(id)
    }
  }

  async #loadModel(frame: Frame, turn: Turn): Promise<Frame> {
    const model = textField(frame, 'model')
    const architecture = parseArchitecture(mapField(frame, 'architecture'))
    const parts: LocatedPart[] = []
    for (const part of listField(frame, 'parts')) parts.push(await this.#locate(architecture, partFileFromFrame(part)))
    // A sign of life for each session, so that only a stuck load times out.
    const onSession = (): void => turn.tell({ mapped: true })
    const sessions = await createModelSessions(model, architecture, parts, this.#settings, onSession)
    const before = this.#models.get(model)
    this.#models.set(model, sessions)
    await before?.release()
    return { parts: parts.length, mappedBytes: mappedBytes(sessions) }
  }

  async #replacePart(frame: Frame): Promise<Frame> {
    const sessions = this.#model(frame)
    await sessions.put(await this.#locate(sessions.architecture, partFileFromFrame(mapField(frame, 'part'))))
    return { parts: sessions.parts.size, mappedBytes: mappedBytes(sessions) }
  }

  async #evaluate(frame: Frame, turn: Turn): Promise<Frame> {
    const sessions = this.#model(frame)
    const bytes = bytesField(frame, 'bytes')
    if (bytes.length < 2) throw refused('two bytes at least are needed to score one')
    const part = frame.replacement === undefined ? undefined : partFileFromFrame(mapField(frame, 'replacement'))
    const lease = await sessions.lease(part && (await this.#locate(sessions.architecture, part)))
    try {
      let lossNats = 0
      let scoredBytes = 0
      for await (const window of evaluateWindows(lease, bytes)) {
        lossNats += window.lossNats
        scoredBytes += window.scoredBytes
        if (turn.signal.aborted) throw refused('it was cancelled')
        turn.tell({ scoredBytes })
      }
      // DAG-CBOR has no NaN or infinity; null stands for "not finite".
      return { lossNatsPerByte: Number.isFinite(lossNats) ? lossNats / scoredBytes : null, scoredBytes }
    } finally {
      await lease.end()
    }
  }

  async #generate(frame: Frame, turn: Turn): Promise<Frame> {
    const prompt = bytesField(frame, 'prompt')
    if (prompt.length === 0) throw refused('the prompt is empty')
    const choose = createTokenChooser(numberField(frame, 'temperature'), textField(frame, 'seed'))
    const lease = await this.#model(frame).lease()
    try {
      let made = 0
      for await (const byte of generateBytes(lease, prompt, integerField(frame, 'tokensMax'), choose)) {
        if (turn.signal.aborted) throw refused('it was cancelled')
        turn.tell({ byte })
        made++
      }
      return { made }
    } finally {
      await lease.end()
    }
  }

  async #runExpert(frame: Frame): Promise<Frame> {
    const sessions = this.#model(frame)
    const name = textField(frame, 'name')
    const tokens = floatsField(frame, 'tokens')
    const { width } = sessions.architecture
    if (tokens.length === 0 || tokens.length % width !== 0) throw refused(`"tokens" is not rows of ${width} values`)
    const known = describeModel(sessions.architecture).some(part => part.name === name && part.blockType === 'expert')
    if (!known) throw new BlyanError('PART_UNKNOWN', { part: name })
    const lease = await sessions.lease()
    try {
      const { result } = await lease.run(name, { tokens: { data: tokens, dimensions: [tokens.length / width, width] } })
      return { values: floatBytes(result!) }
    } finally {
      await lease.end()
    }
  }

  async #release(frame: Frame): Promise<Frame> {
    const sessions = this.#model(frame)
    this.#models.delete(textField(frame, 'model'))
    await sessions.release()
    return {}
  }

  #status(): Frame {
    const models = [...this.#models].map(([model, sessions]) => {
      return { model, parts: sessions.parts.size, mappedBytes: mappedBytes(sessions) }
    })
    return { residentBytes: process.memoryUsage.rss(), models }
  }

  #model(frame: Frame): ModelSessions {
    const model = textField(frame, 'model')
    const sessions = this.#models.get(model)
    if (sessions === undefined) throw new BlyanError('MODEL_NOT_LOADED', { model })
    return sessions
  }

  async #locate(architecture: Architecture, part: ReturnType<typeof partFileFromFrame>): Promise<LocatedPart> {
    const description = describeModel(architecture).find(({ name }) => name === part.name)
    if (description === undefined) throw new BlyanError('PART_UNKNOWN', { part: part.name })
    return locatePart(part, description.shape, this.#settings.tensorFolder)
  }
}

function isOperation(name: string, handlers: object): name is EngineOperation {
  return Object.hasOwn(handlers, name)
}

function mappedBytes(sessions: ModelSessions): number {
  return [...sessions.parts.values()].reduce((total, part) => total + part.dataLengthBytes, 0)
}

function refused(reason: string): BlyanError {
  return new BlyanError('ENGINE_REQUEST_INVALID', { reason })
}
