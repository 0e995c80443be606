import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { buildCorpus, drawSequences, type Shard } from '../../datasets/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { Engine } from '../../experts/index.ts'
import {
  createLearner,
  createLocalTraining,
  type LearnerActivity,
  type LearningSettings,
  type LocalTraining,
  learnerOf,
  matchesPart,
  readCorpus
} from '../../learning/index.ts'
import {
  type CodecName,
  codecNames,
  createFeedbackStore,
  defaultCodec,
  isCodecName,
  type TensorStore
} from '../../tiles/index.ts'
import type { Logger } from '../logging.ts'
import type { ChainWatch } from './chain-watch.ts'
import { createLearnerRecord, type LearnerRecord } from './learner-record.ts'
import type { LearningModel, LearningModels } from './learning-models.ts'
import { trainingSettings } from './learning-settings.ts'
import type { LearnRequest } from './learning-status-types.ts'

export type NodeLearnerNeeds = {
  readonly watch: ChainWatch
  readonly models: LearningModels
  readonly tensors: TensorStore
  readonly engine: () => Promise<Engine>
  readonly settings: () => LearningSettings
  readonly region: string
  /** Where checkpoints and what codecs left out are kept. */
  readonly folder: string
  readonly onChange: () => void
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn'>
}

/** One learner of this node: from the folder of text to the loop over rounds. */
export interface NodeLearner {
  readonly model: string
  readonly record: LearnerRecord
  readonly activity: 'reading' | LearnerActivity
  /** Resolves when it has joined. Throws CORPUS_*, LEARNING_PART_UNKNOWN, LEARNING_CODEC_UNKNOWN, MODEL_UNKNOWN, and what events are refused with. */
  readonly joined: Promise<void>
  /** Resolves when it has ended, with why it failed, or undefined when it was told to end. */
  readonly ended: Promise<unknown>
  /** Ends with all on disk. */
  stop(): Promise<void>
}

export const defaultModel = 'genesis'
const heldOutSequences = 16
const heldOutSeed = new Uint8Array(32)
const licence = 'as the author says'

export function startNodeLearner(needs: NodeLearnerNeeds, request: LearnRequest): NodeLearner {
  return new RunningLearner(needs, request)
}

/** Throws LEARNING_CODEC_UNKNOWN. */
export function codecOf(name: string | undefined): CodecName {
  if (name === undefined || name === '' || name === 'auto') return defaultCodec
  if (!isCodecName(name)) throw new BlyanError('LEARNING_CODEC_UNKNOWN', { codec: name, known: codecNames.join(', ') })
  return name
}

class RunningLearner implements NodeLearner {
  readonly #needs: NodeLearnerNeeds
  readonly #request: LearnRequest
  readonly #stopping = new AbortController()
  readonly #codec: CodecName
  readonly model: string
  readonly record: LearnerRecord
  readonly joined: Promise<void>
  readonly ended: Promise<unknown>
  activity: 'reading' | LearnerActivity = 'reading'

  constructor(needs: NodeLearnerNeeds, request: LearnRequest) {
    this.#needs = needs
    this.#request = request
    this.model = request.model ?? defaultModel
    this.#codec = codecOf(request.codec)
    this.record = createLearnerRecord(request.folder, this.#codec)
    const joined = Promise.withResolvers<void>()
    this.joined = joined.promise
    joined.promise.catch(() => {})
    this.ended = this.#run(joined.resolve).then(
      () => undefined,
      error => {
        joined.reject(error)
        return this.#stopping.signal.aborted ? undefined : error
      }
    )
    void this.ended.then(() => joined.reject(this.#endedError()))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.ended
  }

  async #run(onJoined: () => void): Promise<void> {
    const { models, settings, watch } = this.#needs
    const model = await models.get(this.model)
    const patterns = this.#patterns(model)
    const { signal } = this.#stopping
    const corpus = await buildCorpus({
      folder: this.#request.folder,
      store: this.#needs.tensors,
      ...(this.#request.bytesMax === undefined ? {} : { bytesMax: this.#request.bytesMax }),
      signal,
      onProgress: progress => {
        this.record.noteCorpus(progress)
        this.#needs.onChange()
      }
    })
    this.record.noteCorpus(corpus)
    for (const { cid } of [...corpus.training, ...corpus.heldOut]) await this.#needs.tensors.pin(cid)
    this.#now('joining')
    await this.#publishCorpus(corpus)
    const local = await this.#localTraining(model)
    const heldOutTokens = await this.#heldOutTokens(model, corpus.heldOut)
    const folder = this.#needs.folder
    const watching = this.#tellWhenJoined(onJoined)
    await createLearner({
      chain: watch,
      parts: model.parts,
      local,
      tensors: this.#needs.tensors,
      feedback: createFeedbackStore({ folder: join(folder, 'feedback') }),
      folder,
      shards: corpus.training,
      join: { region: this.#needs.region, parts: patterns, bytesMax: 0 },
      codec: this.#codec,
      settings,
      listener: {
        onActivity: activity => this.#now(activity),
        onCommitted: ({ sizeBytes }) => {
          this.record.noteCommitted(sizeBytes)
          this.#needs.onChange()
        },
        onOutcome: (outcome, sizeBytes) => {
          this.record.noteOutcome(outcome, sizeBytes)
          this.#needs.onChange()
        },
        onBase: () => this.#noteBase(local, heldOutTokens)
      },
      logger: this.#needs.logger
    }).run(signal)
    await watching
  }

  #now(activity: 'reading' | LearnerActivity): void {
    if (this.activity === activity) return
    this.activity = activity
    this.#needs.onChange()
  }

  async #tellWhenJoined(onJoined: () => void): Promise<void> {
    const { watch } = this.#needs
    const { signal } = this.#stopping
    while (!signal.aborted && learnerOf(watch.state, this.model, watch.account) === undefined)
      await watch.changed(signal)
    if (!signal.aborted) onJoined()
  }

  #patterns(model: LearningModel): readonly string[] {
    const patterns = this.#request.parts ?? ['*']
    for (const pattern of patterns) {
      if (model.parts.all.some(({ name }) => matchesPart([pattern], this.model, name))) continue
      const known = model.parts.all.slice(0, 8).map(({ part }) => part)
      throw new BlyanError('LEARNING_PART_UNKNOWN', { model: this.model, part: pattern, known: known.join(', ') })
    }
    return patterns
  }

  /** So that everybody knows what was trained on, and what nobody may train on. */
  async #publishCorpus(corpus: {
    readonly name: string
    readonly training: readonly Shard[]
    readonly heldOut: readonly Shard[]
  }): Promise<void> {
    const { watch } = this.#needs
    if (readCorpus(watch.state, watch.account)?.name === corpus.name) return
    await watch.submit('corpus', {
      name: corpus.name,
      training: corpus.training.map(({ cid, bytes }) => ({ shard: cid, bytes })),
      heldOut: corpus.heldOut.map(({ cid, bytes }) => ({ shard: cid, bytes })),
      licence
    })
  }

  async #localTraining(model: LearningModel): Promise<LocalTraining> {
    const { engine, folder, watch, logger } = this.#needs
    const settings = trainingSettings(model.parts.architecture)
    await mkdir(folder, { recursive: true })
    return createLocalTraining({
      parts: model.parts,
      engine,
      ensure: async (name, tensor, signal) => {
        const isHere = this.#needs.tensors.has(tensor)
        const info = await model.ensure(name, tensor, signal)
        if (!isHere) this.record.noteDownload(info.sizeBytes)
        return info
      },
      sequences: model.sequences,
      bytesEach: model.sequences.bytesEach(settings.sequenceTokens),
      settings,
      folder,
      nowMs: () => watch.nowMs(),
      onStep: step => {
        this.record.noteStep(step)
        this.#needs.onChange()
      },
      logger
    })
  }

  async #heldOutTokens(model: LearningModel, heldOut: readonly Shard[]): Promise<Uint32Array> {
    const { sequenceTokens } = trainingSettings(model.parts.architecture)
    const bytesEach = model.sequences.bytesEach(sequenceTokens)
    const draws = drawSequences({ seed: heldOutSeed, shards: heldOut, count: heldOutSequences, bytesEach })
    return model.sequences.batch(draws, sequenceTokens)
  }

  async #noteBase(local: LocalTraining, tokens: Uint32Array): Promise<void> {
    this.record.noteBase()
    const losses = await local.score(tokens, this.#stopping.signal)
    this.record.noteHeldOutLoss(losses.reduce((sum, loss) => sum + loss, 0) / losses.length)
    this.#needs.onChange()
  }

  #endedError(): BlyanError {
    return new BlyanError('LEARNING_ENDED', { folder: this.#request.folder, reason: 'it was told to stop' })
  }
}
