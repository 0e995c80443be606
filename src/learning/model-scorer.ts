import { BlyanError, isBlyanError } from '../errors/index.ts'
import type { Engine, Training, TrainingSettings } from '../experts/index.ts'
import type { TensorInfo } from '../tiles/index.ts'
import { byShortName, type ModelParts, partFileOf } from './model-parts.ts'

/** Losses of whole versions of one model, and of changes to them. */
export interface ModelScorer {
  /** Mean nats per token of each sequence. `tensors` of all parts and `changes` by the name on chain. Throws as Engine does. */
  score(request: {
    readonly tensors: ReadonlyMap<string, string>
    readonly tokens: Uint32Array
    readonly sequenceTokens: number
    readonly changes?: ReadonlyMap<string, Float32Array>
    readonly signal?: AbortSignal
  }): Promise<Float64Array>
  /** Has everything ready for `score` of these versions, as far as that is possible. */
  prepare(tensors: ReadonlyMap<string, string>, sequenceTokens: number): Promise<void>
  close(): Promise<void>
}

export type ModelScorerNeeds = {
  readonly parts: ModelParts
  readonly engine: () => Promise<Engine>
  /** A version of a part, here. */
  readonly ensure: (name: string, tensor: string, signal?: AbortSignal) => Promise<TensorInfo>
}

/** One training that trains nothing, moved from version to version. One question after another. */
export function createModelScorer(needs: ModelScorerNeeds): ModelScorer {
  return new EngineScorer(needs)
}

type Opened = { readonly training: Training; readonly sequenceTokens: number; tensors: ReadonlyMap<string, string> }

class EngineScorer implements ModelScorer {
  readonly #needs: ModelScorerNeeds
  #opened: Opened | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor(needs: ModelScorerNeeds) {
    this.#needs = needs
  }

  score(request: Parameters<ModelScorer['score']>[0]): Promise<Float64Array> {
    return this.#inTurn(async () => {
      request.signal?.throwIfAborted()
      try {
        return await this.#score(request)
      } catch (error) {
        if (!isBlyanError(error, 'ENGINE_LOST')) throw error
        this.#opened = undefined
        return this.#score(request)
      }
    })
  }

  async prepare(tensors: ReadonlyMap<string, string>, sequenceTokens: number): Promise<void> {
    await this.#inTurn(() => this.#at(tensors, sequenceTokens, undefined))
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#close())
  }

  async #score(request: Parameters<ModelScorer['score']>[0]): Promise<Float64Array> {
    const { tokens, changes, signal } = request
    const training = await this.#at(request.tensors, request.sequenceTokens, signal)
    const { model } = this.#needs.parts
    return training.score({
      tokens,
      ...(changes === undefined ? {} : { changes: byShortName(model, changes) }),
      ...(signal === undefined ? {} : { signal })
    })
  }

  async #at(
    tensors: ReadonlyMap<string, string>,
    sequenceTokens: number,
    signal: AbortSignal | undefined
  ): Promise<Training> {
    const { parts } = this.#needs
    const before = this.#opened
    if (before !== undefined && before.sequenceTokens !== sequenceTokens) await this.#close()
    const now = this.#opened
    const wanted = parts.all.filter(({ name }) => now?.tensors.get(name) !== tensors.get(name))
    const files = await Promise.all(
      wanted.map(async part => {
        const tensor = tensors.get(part.name)
        if (tensor === undefined) throw new BlyanError('PART_NOT_LOADED', { part: part.name })
        return partFileOf(part, await this.#needs.ensure(part.name, tensor, signal))
      })
    )
    if (now !== undefined) {
      if (files.length > 0) await now.training.rebase({ parts: files, keep: false })
      now.tensors = tensors
      return now.training
    }
    const engine = await this.#needs.engine()
    const training = await engine.openTraining({
      model: `score ${parts.model}`,
      architecture: parts.architecture,
      parts: files,
      trained: 'none',
      settings: scoringSettings(sequenceTokens)
    })
    this.#opened = { training, sequenceTokens, tensors }
    return training
  }

  async #close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    await opened?.training.close().catch(() => {})
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(work)
    this.#turn = next.catch(() => {})
    return next
  }
}

function scoringSettings(sequenceTokens: number): TrainingSettings {
  return {
    sequences: 8,
    sequenceTokens,
    learningRate: 0,
    warmUpSteps: 0,
    weightDecay: 0,
    clipNorm: 1,
    balance: 0,
    zLoss: 0
  }
}
