import { BlyanError } from '../../errors/index.ts'
import { describeModel } from '../model/part-layout.ts'
import { trainedParts } from '../training/training-state.ts'
import type { RequestOptions } from './engine-link.ts'
import type { TrainingOperation } from './engine-protocol.ts'
import type { Frame } from './frame-channel.ts'
import { integerField } from './frame-fields.ts'
import { packResults, unpackResults, wordBytes } from './packed-rows.ts'
import { type PartFile, partFileToFrame } from './part-file.ts'
import { doublesField, settingsToFrame, stepFromFrame } from './training-frames.ts'
import type { OpenTrainingRequest, ScoreRequest, Training, TrainingStep, TrainRequest } from './training-types.ts'
import { groupPieces, piecesToFrame } from './value-pieces.ts'

/** Asks the one engine process that holds the training. Throws ENGINE_LOST once that is gone. */
export type AskTraining = (operation: TrainingOperation, fields: Frame, options?: RequestOptions) => Promise<Frame>

/** Opens a training through `ask`; values travel in pieces of at most `pieceBytes`. */
export async function openRemoteTraining(
  request: OpenTrainingRequest,
  ask: AskTraining,
  pieceBytes: number
): Promise<Training> {
  const { model, architecture, parts, trained, settings, resume } = request
  const opened = await ask('openTraining', {
    model,
    architecture: { ...architecture, router: { ...architecture.router } },
    parts: parts.map(partFileToFrame),
    trained,
    settings: settingsToFrame(settings),
    ...(resume === undefined ? {} : { resume })
  })
  const lengths = new Map(describeModel(architecture).map(part => [part.name, part.dataLengthBytes / 4]))
  const names = trainedParts(architecture, trained).map(part => part.name)
  return new RemoteTraining({ ask, settings, lengths, trained: names, pieceValues: Math.floor(pieceBytes / 4) }, opened)
}

type Needs = {
  readonly ask: AskTraining
  readonly settings: OpenTrainingRequest['settings']
  /** Values of each part. */
  readonly lengths: ReadonlyMap<string, number>
  readonly trained: readonly string[]
  readonly pieceValues: number
}

class RemoteTraining implements Training {
  readonly #needs: Needs
  #step: number
  #last: Promise<unknown> = Promise.resolve()

  constructor(needs: Needs, opened: Frame) {
    this.#needs = needs
    this.#step = integerField(opened, 'step')
  }

  get step(): number {
    return this.#step
  }

  async *train({ batches, signal }: TrainRequest): AsyncGenerator<TrainingStep> {
    const source = Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]()
    const next = async (): Promise<IteratorResult<Uint32Array>> => source.next()
    const ahead = (): Promise<IteratorResult<Uint32Array>> => {
      const coming = next()
      // It fails when it is waited for, or is of no interest any more.
      coming.catch(() => {})
      return coming
    }
    let coming = ahead()
    try {
      for (;;) {
        signal?.throwIfAborted()
        const { value: tokens, done } = await orAborted(coming, signal)
        if (done === true) return
        coming = ahead()
        const made = await this.#inTurn(() => this.#makeStep(tokens, signal))
        if (made !== undefined) yield made
      }
    } finally {
      // Whoever waits for the source to end would wait for what it is reading: that is its own affair.
      void (async () => source.return?.())().catch(() => {})
    }
  }

  delta(): Promise<ReadonlyMap<string, Float32Array>> {
    return this.#inTurn(async () => {
      const { lengths, trained, pieceValues, ask } = this.#needs
      const wanted = trained.map(part => [part, lengths.get(part)!] as const)
      const delta = new Map(wanted.map(([part, length]) => [part, new Float32Array(length)]))
      for (const pieces of groupPieces(wanted, pieceValues)) {
        const found = unpackResults(await ask('readDelta', { pieces: piecesToFrame(pieces) }))
        pieces.forEach(({ part, from }, i) => {
          delta.get(part)!.set(found[i]!, from)
        })
      }
      return delta
    })
  }

  async rebase({ parts, keep }: { readonly parts: readonly PartFile[]; readonly keep: boolean }): Promise<void> {
    await this.#inTurn(() => this.#needs.ask('rebaseTraining', { parts: parts.map(partFileToFrame), keep }))
  }

  async score({ tokens, changes = new Map(), parts = [], signal }: ScoreRequest): Promise<Float64Array> {
    const { ask, settings, pieceValues } = this.#needs
    const rowTokens = settings.sequenceTokens + 1
    if (tokens.length === 0 || tokens.length % rowTokens !== 0) {
      throw refused(`${tokens.length} tokens are not sequences of ${rowTokens}`)
    }
    return this.#inTurn(async () => {
      signal?.throwIfAborted()
      try {
        await this.#stage(changes, signal)
        const losses = new Float64Array(tokens.length / rowTokens)
        const pieceTokens = Math.max(1, Math.floor(pieceValues / rowTokens)) * rowTokens
        for (let from = 0; from < tokens.length; from += pieceTokens) {
          const piece = wordBytes(tokens.subarray(from, from + pieceTokens))
          const fields = { tokens: piece, parts: parts.map(partFileToFrame) }
          const answer = await ask('scoreTraining', fields, { signal })
          losses.set(doublesField(answer, 'losses'), from / rowTokens)
        }
        return losses
      } finally {
        if (changes.size > 0) await ask('dropChanges', {}).catch(() => {})
      }
    })
  }

  async save(path: string): Promise<void> {
    await this.#inTurn(() => this.#needs.ask('saveTraining', { path }))
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#needs.ask('closeTraining', {}))
  }

  async #stage(changes: ReadonlyMap<string, Float32Array>, signal: AbortSignal | undefined): Promise<void> {
    const { ask, lengths, pieceValues } = this.#needs
    const staged = [...changes].map(([part, { length }]) => [part, length] as const)
    for (const [part, length] of staged) {
      const wanted = lengths.get(part)
      if (wanted === undefined) throw new BlyanError('TRAINING_PART_UNKNOWN', { part })
      if (length !== wanted) throw refused(`part ${part} has ${wanted} values and its change ${length}`)
    }
    for (const pieces of groupPieces(staged, pieceValues)) {
      const values = pieces.map(({ part, from, count }) => changes.get(part)!.subarray(from, from + count))
      await ask('stageChanges', { pieces: piecesToFrame(pieces), ...packResults(values) }, { signal })
    }
  }

  /** Undefined when it was given up before it changed anything. */
  async #makeStep(tokens: Uint32Array, signal: AbortSignal | undefined): Promise<TrainingStep | undefined> {
    const { ask } = this.#needs
    if (signal?.aborted) return undefined
    // Cancelling would settle the request at once, and nobody would know whether the step was made.
    const stop = (): void => void ask('stopStep', {}).catch(() => {})
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const answer = await ask('trainStep', { tokens: wordBytes(tokens) })
      if (answer.stopped === true) return undefined
      const made = stepFromFrame(answer)
      this.#step = made.step
      return made
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }
}

async function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return promise
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function refused(reason: string): BlyanError {
  return new BlyanError('ENGINE_REQUEST_INVALID', { reason })
}
