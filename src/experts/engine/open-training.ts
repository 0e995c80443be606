import { encodeCanonical, sha256Hex } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { type Architecture, shapeOf } from '../model/architecture.ts'
import { describeModel, type PartDescription } from '../model/part-layout.ts'
import { type AdamW, createAdamW, decays } from '../training/adamw.ts'
import { type CheckpointSection, readCheckpoint, writeCheckpoint } from '../training/checkpoint.ts'
import { planRuns, type RunPlan } from '../training/run-plan.ts'
import { scoringGraph, trainingGraph } from '../training/training-graph.ts'
import { createTrainingState, type TrainingState, trainedParts } from '../training/training-state.ts'
import type { GraphSession, SessionSettings } from './graph-session.ts'
import type { PartFile } from './part-file.ts'
import { readPartValues } from './part-values.ts'
import { createTokenFeeds, type TokenFeeds } from './token-feeds.ts'
import type { TrainingGraphs } from './training-graphs.ts'
import { type PartValues, scoreSequences } from './training-scorer.ts'
import { createTrainingStepper, type TrainingStepper } from './training-stepper.ts'
import type { TrainingSettings, TrainingStep } from './training-types.ts'
import type { Turns } from './turns.ts'

/** One training in the engine process. Calls must not overlap. */
export interface OpenTraining {
  readonly settings: TrainingSettings
  readonly step: number
  /** Throws ENGINE_REQUEST_INVALID where nothing is trained. */
  makeStep(tokens: Uint32Array, stop: AbortSignal): Promise<TrainingStep | undefined>
  delta(part: string, from: number, count: number): Float32Array
  rebase(parts: readonly PartFile[], keep: boolean): Promise<void>
  /** Throws TRAINING_PART_UNKNOWN. */
  describe(part: string): PartDescription
  score(request: {
    readonly tokens: Uint32Array
    readonly parts: readonly PartFile[]
    readonly changes: PartValues
    readonly signal: AbortSignal
  }): Promise<Float64Array>
  save(path: string): Promise<void>
  close(): Promise<void>
}

export type OpenTrainingNeeds = {
  readonly settings: SessionSettings
  readonly graphs: TrainingGraphs
  readonly turns: Turns
}

export type TrainingPlan = {
  readonly model: string
  readonly architecture: Architecture
  readonly trained: readonly PartDescription[]
  readonly settings: TrainingSettings
  readonly runs: RunPlan
}

/** What a training will be, and what memory it takes; nothing is read yet. Throws TRAINING_PART_UNKNOWN, TRAINING_UNSUPPORTED. */
export function planTraining(
  request: Pick<TrainingPlan, 'model' | 'architecture' | 'settings'> & {
    readonly trained: readonly string[] | 'all' | 'none'
  },
  { provider }: SessionSettings
): TrainingPlan {
  const { model, architecture, settings } = request
  if (shapeOf(architecture).precision !== 'fp32') {
    throw new BlyanError('TRAINING_UNSUPPORTED', { reason: 'its matrices are stored in int8' })
  }
  const trained = trainedParts(architecture, request.trained)
  const runs = planRuns({ architecture, trained, ...settings, isGraphicsDevice: provider !== 'cpu' })
  return { model, architecture, trained, settings, runs }
}

/** Reads the parts, and the checkpoint where there is one. */
export async function openTraining(
  plan: TrainingPlan,
  parts: readonly PartFile[],
  resume: string | undefined,
  needs: OpenTrainingNeeds
): Promise<OpenTraining> {
  const { model, architecture, trained } = plan
  const descriptions = new Map(describeModel(architecture).map(part => [part.name, part]))
  const base = new Map<string, Float32Array>()
  for (const part of parts) {
    base.set(part.name, await readPartValues(part, descriptions, needs.settings.tensorFolder))
  }
  const missing = [...descriptions.keys()].find(name => !base.has(name))
  if (missing !== undefined) throw new BlyanError('PART_NOT_LOADED', { model, part: missing })
  const state = createTrainingState(architecture, base, trained)
  const optimiser = createOptimiser(state, plan.settings)
  const training = new StandingTraining({ plan, descriptions, state, optimiser, needs })
  if (resume !== undefined) await training.resume(resume)
  return training
}

type Standing = {
  readonly plan: TrainingPlan
  readonly descriptions: ReadonlyMap<string, PartDescription>
  readonly state: TrainingState
  readonly optimiser: AdamW
  readonly needs: OpenTrainingNeeds
}

class StandingTraining implements OpenTraining {
  readonly #standing: Standing
  readonly #feeds: TokenFeeds
  #sequencesPerRun: number
  #stepper: Promise<TrainingStepper> | undefined
  #scoring: Promise<GraphSession> | undefined
  readonly #sessions: GraphSession[] = []

  constructor(standing: Standing) {
    const { architecture, settings, runs } = standing.plan
    this.#standing = standing
    this.#feeds = createTokenFeeds(shapeOf(architecture), settings.sequenceTokens)
    this.#sequencesPerRun = runs.sequencesPerRun
  }

  get settings(): TrainingSettings {
    return this.#standing.plan.settings
  }

  get step(): number {
    return this.#standing.optimiser.steps
  }

  async makeStep(tokens: Uint32Array, stop: AbortSignal): Promise<TrainingStep | undefined> {
    const { sequences, sequenceTokens } = this.settings
    if (this.#standing.state.trained.length === 0) throw refused('this training trains nothing')
    if (tokens.length !== sequences * (sequenceTokens + 1)) {
      throw refused(`${tokens.length} tokens are not ${sequences} sequences of ${sequenceTokens + 1}`)
    }
    this.#checkTokens(tokens)
    this.#stepper ??= this.#openStepper()
    return (await this.#stepper).step(tokens, stop)
  }

  delta(part: string, from: number, count: number): Float32Array {
    return this.#standing.state.delta(part, from, count)
  }

  async rebase(parts: readonly PartFile[], keep: boolean): Promise<void> {
    // All are read before the first is taken: a file that cannot be read must not leave half a version behind.
    const values = await this.#read(parts)
    this.#standing.state.rebase(values, keep)
  }

  describe(part: string): PartDescription {
    const found = this.#standing.descriptions.get(part)
    if (found === undefined) throw new BlyanError('TRAINING_PART_UNKNOWN', { part })
    return found
  }

  async score(request: Parameters<OpenTraining['score']>[0]): Promise<Float64Array> {
    const { descriptions, state, needs, plan } = this.#standing
    const { sequenceTokens } = this.settings
    const { tokens } = request
    if (tokens.length === 0 || tokens.length % (sequenceTokens + 1) !== 0) {
      throw refused(`${tokens.length} tokens are not sequences of ${sequenceTokens + 1}`)
    }
    this.#checkTokens(tokens)
    this.#scoring ??= this.#enter(scoringGraph(plan.architecture, { precision: 'fp32' }).model)
    const session = await this.#scoring
    const sequencesPerRun = plan.runs.sequencesPerScoringRun
    const base = (part: string): Float32Array => state.base(part)
    const { feeds, turns } = { feeds: this.#feeds, turns: needs.turns }
    return scoreSequences(
      { descriptions, base, session, feeds, sequenceTokens, sequencesPerRun, turns },
      { ...request, replaced: await this.#read(request.parts) }
    )
  }

  save(path: string): Promise<void> {
    const { optimiser } = this.#standing
    const head = { identity: this.#identity(), step: optimiser.steps, sequencesPerRun: this.#sequencesPerRun }
    return writeCheckpoint(path, head, this.#sections(floatsOf(optimiser.state())))
  }

  /** Parts whose base has changed since it was saved are rebased and keep their work. */
  async resume(path: string): Promise<void> {
    const { state, optimiser } = this.#standing
    const given = new Map(state.trained.map(({ name }) => [name, Float32Array.from(state.base(name))]))
    const moments = floatsOf(optimiser.state())
    const head = await readCheckpoint(path, this.#identity(), this.#sections(moments))
    optimiser.restore(new Uint8Array(moments.buffer))
    this.#sequencesPerRun = this.settings.sequencesPerRun ?? Math.min(head.sequencesPerRun, this.settings.sequences)
    state.rebase(new Map([...given].filter(([part, values]) => !isSame(values, state.base(part)))), true)
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.splice(0)) await session.leave()
  }

  async #openStepper(): Promise<TrainingStepper> {
    const { plan, state, optimiser, needs } = this.#standing
    const { balance, zLoss } = this.settings
    const trained = new Set(state.trained.map(part => part.name))
    const sequencesPerRun = this.#sequencesPerRun
    const accumulate = sequencesPerRun < this.settings.sequences
    const { model } = trainingGraph(plan.architecture, { trained, balance, zLoss, precision: 'fp32', accumulate })
    return createTrainingStepper({
      settings: this.settings,
      sequencesPerRun,
      state,
      optimiser,
      session: await this.#enter(model),
      accumulates: accumulate,
      feeds: this.#feeds,
      turns: needs.turns
    })
  }

  async #enter(model: Uint8Array): Promise<GraphSession> {
    const { turns, graphs } = this.#standing.needs
    // A session takes as long to open as many runs.
    await turns.background()
    const session = await graphs.enter(model)
    this.#sessions.push(session)
    return session
  }

  async #read(parts: readonly PartFile[]): Promise<Map<string, Float32Array>> {
    const { descriptions, needs } = this.#standing
    const values = new Map<string, Float32Array>()
    for (const part of parts) {
      values.set(part.name, await readPartValues(part, descriptions, needs.settings.tensorFolder))
    }
    return values
  }

  #checkTokens(tokens: Uint32Array): void {
    const { vocabulary } = this.#standing.plan.architecture
    if (tokens.some(token => token >= vocabulary)) throw refused(`a token is not below ${vocabulary}`)
  }

  #sections(moments: Float32Array): readonly CheckpointSection[] {
    return [...this.#standing.state.sections(), { name: 'moments', values: moments }]
  }

  #identity(): string {
    const { architecture, trained } = this.#standing.plan
    const router = { ...architecture.router }
    return sha256Hex(
      encodeCanonical({ architecture: { ...architecture, router }, trained: trained.map(part => part.name) })
    )
  }
}

/** What most who train transformers take; of the rest the settings speak. */
const momentSettings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8 }

function createOptimiser({ slices, trained }: TrainingState, { weightDecay, clipNorm }: TrainingSettings): AdamW {
  const isTrained = new Set(trained.map(part => part.name))
  const parameters = new Map(
    slices
      .filter(({ part }) => isTrained.has(part))
      .map(slice => [slice.name, { length: slice.values.length, decays: decays(slice) }])
  )
  return createAdamW({ settings: { ...momentSettings, weightDecay, clipNorm }, parameters })
}

function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}

/** Bit by bit, since -0 and 0 are not the same start. */
function isSame(first: Float32Array, second: Float32Array): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength)
  return bytes(first).equals(bytes(second))
}

function refused(reason: string): BlyanError {
  return new BlyanError('ENGINE_REQUEST_INVALID', { reason })
}
