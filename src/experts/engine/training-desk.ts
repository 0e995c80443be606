import { BlyanError } from '../../errors/index.ts'
import { parseArchitecture } from '../model/parse-architecture.ts'
import type { TrainingOperation } from './engine-protocol.ts'
import type { Frame } from './frame-channel.ts'
import { flagField, integerField, listField, mapField, textField } from './frame-fields.ts'
import type { SessionSettings } from './graph-session.ts'
import { type OpenTraining, openTraining, planTraining } from './open-training.ts'
import { packResults, unpackResults, wordsField } from './packed-rows.ts'
import { partFileFromFrame } from './part-file.ts'
import { type Handler, showLife, type Turn } from './service-turn.ts'
import { doubleBytes, settingsFromFrame, trainedFromFrame } from './training-frames.ts'
import { createTrainingGraphs, type TrainingGraphs } from './training-graphs.ts'
import type { Turns } from './turns.ts'
import { piecesFromFrame } from './value-pieces.ts'

/** All trainings of the engine process, by the number that the daemon gave them. */
export interface TrainingDesk {
  readonly handlers: Readonly<Record<TrainingOperation, Handler>>
}

export type TrainingDeskNeeds = {
  readonly settings: SessionSettings
  readonly turns: Turns
  readonly trainingBytesMax: number
}

export function createTrainingDesk(needs: TrainingDeskNeeds): TrainingDesk {
  return new NumberedTrainings(needs)
}

type Entry = {
  readonly training: OpenTraining
  readonly bytes: number
  /** Values that the next scoring adds, in pieces as they come. */
  readonly changes: Map<string, Float32Array>
  last: Promise<unknown>
  stop: AbortController | undefined
}

class NumberedTrainings implements TrainingDesk {
  readonly #needs: TrainingDeskNeeds
  readonly #graphs: TrainingGraphs
  readonly #open = new Map<number, Entry>()
  #bytes = 0

  readonly handlers: Readonly<Record<TrainingOperation, Handler>> = {
    openTraining: (frame, turn) => showLife(turn, () => this.#openTraining(frame)),
    trainStep: (frame, turn) => this.#trainStep(this.#entry(frame), frame, turn),
    stopStep: async frame => this.#stopStep(this.#entry(frame)),
    readDelta: (frame, turn) => this.#inTurn(frame, turn, entry => this.#readDelta(entry, frame)),
    rebaseTraining: (frame, turn) => this.#inTurn(frame, turn, entry => this.#rebase(entry, frame)),
    stageChanges: (frame, turn) => this.#inTurn(frame, turn, entry => this.#stageChanges(entry, frame)),
    dropChanges: (frame, turn) => this.#inTurn(frame, turn, entry => this.#dropChanges(entry)),
    scoreTraining: (frame, turn) => this.#inTurn(frame, turn, entry => this.#score(entry, frame, turn.signal)),
    saveTraining: (frame, turn) => this.#inTurn(frame, turn, entry => this.#save(entry, frame)),
    closeTraining: (frame, turn) => this.#inTurn(frame, turn, entry => this.#close(entry, frame))
  }

  constructor(needs: TrainingDeskNeeds) {
    this.#needs = needs
    this.#graphs = createTrainingGraphs(needs.settings)
  }

  async #openTraining(frame: Frame): Promise<Frame> {
    const { settings, turns } = this.#needs
    const request = {
      model: textField(frame, 'model'),
      architecture: parseArchitecture(mapField(frame, 'architecture')),
      trained: trainedFromFrame(frame),
      settings: settingsFromFrame(mapField(frame, 'settings'))
    }
    const plan = planTraining(request, settings)
    const parts = listField(frame, 'parts').map(partFileFromFrame)
    const resume = frame.resume === undefined ? undefined : textField(frame, 'resume')
    const { bytes } = plan.runs
    this.#reserve(bytes)
    try {
      const needs = { settings, turns, graphs: this.#graphs }
      const training = await openTraining(plan, parts, resume, needs)
      const entry = { training, bytes, changes: new Map(), last: Promise.resolve(), stop: undefined }
      this.#open.set(integerField(frame, 'training'), entry)
      return { step: training.step, sequencesPerRun: plan.runs.sequencesPerRun, bytes }
    } catch (error) {
      this.#bytes -= bytes
      throw error
    }
  }

  #trainStep(entry: Entry, frame: Frame, turn: Turn): Promise<Frame> {
    const stop = new AbortController()
    entry.stop = stop
    return this.#inTurn(frame, turn, async () => {
      const made = await entry.training.makeStep(wordsField(frame, 'tokens'), stop.signal)
      if (entry.stop === stop) entry.stop = undefined
      const answer: Frame = made === undefined ? { stopped: true } : made
      return answer
    })
  }

  #stopStep(entry: Entry): Frame {
    entry.stop?.abort()
    return {}
  }

  async #readDelta({ training }: Entry, frame: Frame): Promise<Frame> {
    const pieces = piecesFromFrame(frame)
    return packResults(pieces.map(({ part, from, count }) => training.delta(part, from, count)))
  }

  async #rebase({ training }: Entry, frame: Frame): Promise<Frame> {
    await training.rebase(listField(frame, 'parts').map(partFileFromFrame), flagField(frame, 'keep'))
    return {}
  }

  async #stageChanges({ training, changes }: Entry, frame: Frame): Promise<Frame> {
    const values = unpackResults(frame)
    piecesFromFrame(frame).forEach(({ part, from }, i) => {
      const { dataLengthBytes } = training.describe(part)
      const piece = values[i]
      if (piece === undefined || from < 0 || (from + piece.length) * 4 > dataLengthBytes) {
        throw refused(`changes of part ${part} do not fit it`)
      }
      if (!changes.has(part)) {
        this.#reserve(dataLengthBytes)
        changes.set(part, new Float32Array(dataLengthBytes / 4))
      }
      changes.get(part)!.set(piece, from)
    })
    return {}
  }

  async #dropChanges({ changes }: Entry): Promise<Frame> {
    for (const values of changes.values()) this.#bytes -= values.byteLength
    changes.clear()
    return {}
  }

  async #score({ training, changes }: Entry, frame: Frame, signal: AbortSignal): Promise<Frame> {
    const tokens = wordsField(frame, 'tokens')
    const parts = listField(frame, 'parts').map(partFileFromFrame)
    const losses = await training.score({ tokens, parts, changes, signal })
    return { losses: doubleBytes(losses) }
  }

  async #save({ training }: Entry, frame: Frame): Promise<Frame> {
    await training.save(textField(frame, 'path'))
    return {}
  }

  async #close(entry: Entry, frame: Frame): Promise<Frame> {
    this.#open.delete(integerField(frame, 'training'))
    await this.#dropChanges(entry)
    this.#bytes -= entry.bytes
    await entry.training.close()
    return {}
  }

  #entry(frame: Frame): Entry {
    const training = integerField(frame, 'training')
    const entry = this.#open.get(training)
    if (entry === undefined) throw new BlyanError('TRAINING_NOT_OPEN', { training })
    return entry
  }

  /** A call that the daemon gave up may still run when the next one comes. */
  #inTurn(frame: Frame, turn: Turn, work: (entry: Entry) => Promise<Frame>): Promise<Frame> {
    const entry = this.#entry(frame)
    const result = showLife(turn, () => entry.last.then(() => work(entry)))
    entry.last = result.catch(() => {})
    return result
  }

  #reserve(bytes: number): void {
    const { trainingBytesMax: bytesMax } = this.#needs
    const neededBytes = this.#bytes + bytes
    if (neededBytes > bytesMax) throw new BlyanError('TRAINING_TOO_LARGE', { neededBytes, bytesMax })
    this.#bytes = neededBytes
  }
}

function refused(reason: string): BlyanError {
  return new BlyanError('ENGINE_REQUEST_INVALID', { reason })
}
