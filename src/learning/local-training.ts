import { access, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hexToBytes } from '../codec/index.ts'
import { drawBatch, type Lineage, lineageLimits, lineageOf, type Shard, type TrainingPlan } from '../datasets/index.ts'
import { isBlyanError } from '../errors/index.ts'
import type { Engine, Training, TrainingSettings, TrainingStep } from '../experts/index.ts'
import type { TensorInfo } from '../tiles/index.ts'
import type { Assignment } from './chain/index.ts'
import { chainNameOf } from './core/part-names.ts'
import type { SequenceReader } from './held-out-draw.ts'
import type { LearningLogger } from './learning-chain.ts'
import { type ModelParts, partFileOf } from './model-parts.ts'

export type LocalTrainingNeeds = {
  readonly parts: ModelParts
  readonly engine: () => Promise<Engine>
  readonly ensure: (name: string, tensor: string, signal?: AbortSignal) => Promise<TensorInfo>
  readonly sequences: SequenceReader
  readonly bytesEach: number
  readonly settings: TrainingSettings
  /** Where checkpoints lie; it is there. */
  readonly folder: string
  readonly nowMs: () => number
  readonly onStep: (step: TrainingStep) => void
  readonly logger: LearningLogger
}

export type TrainingBase = {
  /** Round whose opening versions these are. */
  readonly round: number
  /** By the name on chain. */
  readonly tensors: ReadonlyMap<string, string>
}

/** What one learner trains on its own machine, from version to version, over losses of the engine and restarts. */
export interface LocalTraining {
  /** Undefined before the first `moveTo`. */
  readonly base: TrainingBase | undefined
  /** Trained on this base. */
  readonly steps: number
  /**
   * Starts from these versions; `keep`: what was trained stays on top. The first time it goes on from the checkpoint that
   * an earlier run left, if there is one.
   */
  moveTo(base: TrainingBase, assignment: Assignment, shards: readonly Shard[], keep: boolean): Promise<void>
  /** Trains until that time, by the clock of `nowMs`; at least a step where there is time for one. */
  train(untilMs: number, signal: AbortSignal): Promise<void>
  /** What was trained, by the name on chain, and what it was trained on. */
  take(): Promise<{ readonly changes: ReadonlyMap<string, Float32Array>; readonly lineage: Lineage }>
  /** What is held out of it: mean losses of the newest base. */
  score(tokens: Uint32Array, signal?: AbortSignal): Promise<Float64Array>
  save(): Promise<void>
  close(): Promise<void>
}

export function createLocalTraining(needs: LocalTrainingNeeds): LocalTraining {
  return new EngineTraining(needs)
}

const saveEveryMs = 60_000

class EngineTraining implements LocalTraining {
  readonly #needs: LocalTrainingNeeds
  #training: Training | undefined
  #trained = ''
  #plan: TrainingPlan | undefined
  #assignment: Assignment | undefined
  #savedAtMs = 0
  #stepMs = 0
  base: TrainingBase | undefined
  steps = 0

  constructor(needs: LocalTrainingNeeds) {
    this.#needs = needs
    this.#savedAtMs = needs.nowMs()
  }

  async moveTo(base: TrainingBase, assignment: Assignment, shards: readonly Shard[], keep: boolean): Promise<void> {
    const { parts, sequences: _, settings, bytesEach } = this.#needs
    const names = [...assignment.parts].sort()
    const trained = names.join()
    if (this.#training !== undefined && trained !== this.#trained) await this.#close()
    const before = this.#training === undefined ? undefined : this.base
    const changed = parts.all.filter(({ name }) => before?.tensors.get(name) !== base.tensors.get(name))
    const files = await Promise.all(
      changed.map(async part => partFileOf(part, await this.#needs.ensure(part.name, base.tensors.get(part.name)!)))
    )
    this.#assignment = assignment
    this.#trained = trained
    try {
      if (this.#training === undefined) await this.#open(files)
      else if (files.length > 0 || !keep) await this.#training.rebase({ parts: files, keep })
    } catch (error) {
      if (!isBlyanError(error, 'ENGINE_LOST')) throw error
      this.#training = undefined
      this.base = undefined
      throw error
    }
    this.base = base
    this.steps = 0
    this.#plan = {
      seed: hexToBytes(assignment.seed)!,
      shards: shards.slice(0, lineageLimits.shardsMax),
      sequences: settings.sequences,
      sequenceTokens: settings.sequenceTokens,
      bytesEach
    }
  }

  async train(untilMs: number, signal: AbortSignal): Promise<void> {
    const training = this.#training
    if (training === undefined) return
    const stop = new AbortController()
    try {
      for await (const step of training.train({
        batches: this.#batches(untilMs),
        signal: AbortSignal.any([signal, stop.signal])
      })) {
        this.steps++
        this.#stepMs = step.elapsedMs
        this.#needs.onStep(step)
        if (this.#needs.nowMs() - this.#savedAtMs > saveEveryMs) break
      }
    } catch (error) {
      if (signal.aborted) return
      if (isBlyanError(error, 'ENGINE_LOST')) this.#lost()
      // What was trained led nowhere: it begins anew from the version that all have.
      if (isBlyanError(error, 'TRAINING_NOT_FINITE')) {
        await training.rebase({ parts: [], keep: false })
        this.steps = 0
      }
      throw error
    } finally {
      stop.abort()
    }
    if (this.#needs.nowMs() - this.#savedAtMs > saveEveryMs) await this.save()
  }

  async take(): Promise<{ changes: ReadonlyMap<string, Float32Array>; lineage: Lineage }> {
    const { model } = this.#needs.parts
    const delta = await this.#training!.delta()
    return {
      changes: new Map([...delta].map(([part, values]) => [chainNameOf(model, part), values])),
      lineage: lineageOf(this.#plan!, this.steps)
    }
  }

  score(tokens: Uint32Array, signal?: AbortSignal): Promise<Float64Array> {
    return this.#training!.score({ tokens, ...(signal === undefined ? {} : { signal }) })
  }

  async save(): Promise<void> {
    this.#savedAtMs = this.#needs.nowMs()
    await this.#training?.save(this.#path)
  }

  close(): Promise<void> {
    return this.#close()
  }

  get #path(): string {
    return join(this.#needs.folder, `${this.#needs.parts.model}.checkpoint`)
  }

  /** A batch is drawn only while there is time for its step. */
  async *#batches(untilMs: number): AsyncGenerator<Uint32Array> {
    const { nowMs, sequences, settings } = this.#needs
    const plan = this.#plan!
    const stepsMax = Math.floor(lineageLimits.drawsMax / settings.sequences)
    for (let step = this.steps; step < stepsMax && nowMs() + this.#stepMs < untilMs; step++)
      yield await sequences.batch(drawBatch(plan, step), settings.sequenceTokens)
  }

  async #open(files: Parameters<Engine['openTraining']>[0]['parts']): Promise<void> {
    const { parts, settings, logger } = this.#needs
    const engine = await this.#needs.engine()
    const request = {
      model: `learn ${parts.model}`,
      architecture: parts.architecture,
      parts: files,
      trained: this.#trainedParts(),
      settings
    }
    if (await exists(this.#path)) {
      try {
        this.#training = await engine.openTraining({ ...request, resume: this.#path })
        logger.info({ step: this.#training.step }, 'learning goes on from its checkpoint')
        return
      } catch (error) {
        if (isBlyanError(error, 'ENGINE_LOST')) throw error
        // Of another model, other parts, or torn: it begins anew.
        logger.info({ reason: String(error) }, 'the checkpoint cannot be used')
        await rm(this.#path, { force: true })
      }
    }
    this.#training = await engine.openTraining(request)
  }

  #trainedParts(): readonly string[] {
    const { parts } = this.#needs
    const assigned = new Set(this.#assignment!.parts)
    return parts.all.filter(({ name }) => assigned.has(name)).map(({ part }) => part)
  }

  #lost(): void {
    this.#training = undefined
    this.base = undefined
    this.steps = 0
  }

  async #close(): Promise<void> {
    const training = this.#training
    this.#training = undefined
    await training?.close().catch(() => {})
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  )
}
