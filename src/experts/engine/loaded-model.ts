import { BlyanError } from '../../errors/index.ts'
import { type Architecture, type ModelShape, shapeOf } from '../model/architecture.ts'
import { forwardBatch, forwardLogits, type ModelRunner } from '../model/forward.ts'
import { createKeyValueCache, growKeyValueCache, keyValueBytes } from '../model/key-value-cache.ts'
import { describeModel, type PartDescription } from '../model/part-layout.ts'
import { type AnswerLoop, createAnswerLoop, type Step } from './answer-loop.ts'
import type { AnswerRequest } from './answer-state.ts'
import type { EngineBounds } from './engine-protocol.ts'
import type { CallExperts, EnginePriority, ExpertLoadRequest, ModelStatus } from './engine-types.ts'
import { createExpertQueue, type ExpertQueue } from './expert-queue.ts'
import { createExpertRunner, type NamedSequence } from './expert-runner.ts'
import { createExpertUses, type ExpertUses } from './expert-uses.ts'
import type { SessionSettings } from './graph-session.ts'
import { createModelSessions, type ModelSessions, type SessionLease } from './model-sessions.ts'
import type { LocatedPart } from './part-file.ts'
import type { Turns } from './turns.ts'

/** One model in the engine process: its parts, the answers that are made with it, the experts that are run for others. */
export interface LoadedModel {
  readonly architecture: Architecture
  readonly sessions: ModelSessions
  /** Throws PART_UNKNOWN. */
  describe(part: string): PartDescription
  /** Experts that are asked of others from now on although they are here. */
  setElsewhere(experts: readonly string[]): void
  answer(request: AnswerRequest): Promise<number>
  runExperts(
    loads: readonly ExpertLoadRequest[],
    priority: EnginePriority,
    signal: AbortSignal
  ): Promise<Float32Array[]>
  /** Runs single sequences: as background work, or for bytes that somebody waits for. */
  runner(lease: SessionLease, options: RunnerOptions): ModelRunner
  status(): ModelStatus
  release(): Promise<void>
}

export type RunnerOptions = {
  readonly requestId: string
  readonly priority: EnginePriority
  readonly signal: AbortSignal
  /** Called before each graph. */
  readonly onGraph?: () => void
}

export type LoadedModelNeeds = {
  readonly model: string
  readonly architecture: Architecture
  readonly parts: readonly LocatedPart[]
  readonly callExperts: CallExperts | undefined
  readonly memoryBytesMax: number
  readonly settings: SessionSettings
  readonly bounds: EngineBounds
  readonly turns: Turns
}

export function createLoadedModel(needs: LoadedModelNeeds): LoadedModel {
  return new ServedModel(needs)
}

class ServedModel implements LoadedModel {
  readonly architecture: Architecture
  readonly sessions: ModelSessions
  readonly #needs: LoadedModelNeeds
  readonly #shape: ModelShape
  readonly #descriptions: ReadonlyMap<string, PartDescription>
  readonly #uses: ExpertUses = createExpertUses()
  readonly #experts: ExpertQueue
  readonly #answers: AnswerLoop
  #elsewhere: ReadonlySet<string> = new Set()

  constructor(needs: LoadedModelNeeds) {
    const { bounds, turns, architecture } = needs
    const shape = shapeOf(architecture)
    this.architecture = architecture
    this.sessions = createModelSessions({ ...needs, mappedSessionsMax: bounds.mappedSessionsMax })
    this.#needs = needs
    this.#shape = shape
    this.#descriptions = new Map(describeModel(architecture).map(part => [part.name, part]))
    this.#experts = createExpertQueue({
      width: shape.width,
      rowsWaitingMax: bounds.expertRowsWaitingMax,
      turns,
      runExpert: (name, rows) => this.#runExpert(name, rows)
    })
    this.#answers = createAnswerLoop({
      ...bounds,
      contextTokens: shape.contextTokens,
      keyValueBytesPerToken: keyValueBytes(shape, 1),
      turns,
      lease: () => this.sessions.lease(),
      createCache: rowsMax => createKeyValueCache(shape, rowsMax),
      growCache: growKeyValueCache,
      step: step => this.#step(step)
    })
  }

  describe(part: string): PartDescription {
    const description = this.#descriptions.get(part)
    if (description === undefined) throw new BlyanError('PART_UNKNOWN', { part })
    return description
  }

  setElsewhere(experts: readonly string[]): void {
    for (const name of experts) this.#checkExpert(name)
    this.#elsewhere = new Set(experts)
  }

  answer(request: AnswerRequest): Promise<number> {
    if (request.tokens.some(token => token >= this.#shape.vocabulary)) {
      throw refused(`a token of the prompt is not below ${this.#shape.vocabulary}`)
    }
    return this.#answers.answer(request)
  }

  async runExperts(
    loads: readonly ExpertLoadRequest[],
    priority: EnginePriority,
    signal: AbortSignal
  ): Promise<Float32Array[]> {
    const { width } = this.#shape
    for (const { name, rows } of loads) {
      this.#checkExpert(name)
      if (rows.length === 0 || rows.length % width !== 0) throw refused(`"rows" is not rows of ${width} values`)
    }
    return this.#experts.run(loads, priority, signal)
  }

  runner(lease: SessionLease, options: RunnerOptions): ModelRunner {
    const runner = this.#runner(lease, options)
    const named = { requestId: options.requestId, isPrompt: true }
    return {
      shape: this.#shape,
      run: (graph, feeds) => runner.run(graph, feeds),
      experts: (layer, loads, sequences) =>
        runner.experts(
          layer,
          loads,
          sequences.map(sequence => ({ ...sequence, ...named }))
        )
    }
  }

  status(): ModelStatus {
    return {
      model: this.#needs.model,
      parts: this.sessions.parts.size,
      mappedBytes: this.sessions.mappedBytes,
      memoryBytesMax: this.#needs.memoryBytesMax,
      ...this.sessions.status(),
      experts: this.#uses.list(),
      answers: this.#answers.status(),
      expertRowsWaiting: this.#experts.rowsWaiting
    }
  }

  release(): Promise<void> {
    return this.sessions.release()
  }

  async #step({ lease, sequences, signal, onLost }: Step): Promise<readonly Float32Array[]> {
    const { width, vocabulary } = this.#shape
    const runner = this.#runner(lease, { priority: 'answer', signal, onLost })
    const hidden = await forwardBatch(runner, sequences)
    const rows: Float32Array[] = []
    let end = 0
    for (const { tokens, wantsLogits } of sequences) {
      end += tokens.length
      if (wantsLogits) rows.push(hidden.subarray((end - 1) * width, end * width))
    }
    if (rows.length === 0) return []
    const last = new Float32Array(rows.length * width)
    rows.forEach((row, i) => {
      last.set(row, i * width)
    })
    const logits = await forwardLogits(runner, last)
    return rows.map((_, i) => logits.subarray(i * vocabulary, (i + 1) * vocabulary))
  }

  #runner(
    lease: SessionLease,
    options: Pick<Parameters<typeof createExpertRunner>[0], 'priority' | 'signal' | 'onLost' | 'onGraph'>
  ): ModelRunner<NamedSequence> {
    const { model, callExperts, turns } = this.#needs
    const shape = this.#shape
    return createExpertRunner({
      ...options,
      model,
      shape,
      lease,
      uses: this.#uses,
      elsewhere: this.#elsewhere,
      callExperts,
      turns
    })
  }

  async #runExpert(name: string, rows: Float32Array): Promise<Float32Array> {
    const { width } = this.#shape
    this.#uses.note(name, rows.length / width, false)
    const lease = this.sessions.lease()
    try {
      const { result } = await lease.run(name, { tokens: { data: rows, dimensions: [rows.length / width, width] } })
      return result!
    } finally {
      await lease.end()
    }
  }

  #checkExpert(name: string): void {
    if (this.describe(name).blockType !== 'expert') throw new BlyanError('PART_UNKNOWN', { part: name })
  }
}

function refused(reason: string): BlyanError {
  return new BlyanError('ENGINE_REQUEST_INVALID', { reason })
}
