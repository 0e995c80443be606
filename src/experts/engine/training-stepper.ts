import { BlyanError } from '../../errors/index.ts'
import type { Feeds } from '../model/forward.ts'
import type { AdamW } from '../training/adamw.ts'
import type { SliceValues, TrainingState } from '../training/training-state.ts'
import type { GraphSession } from './graph-session.ts'
import type { TokenFeeds } from './token-feeds.ts'
import type { TrainingSettings, TrainingStep } from './training-types.ts'
import type { Turns } from './turns.ts'

/** Makes the steps of one training, between prompts. */
export interface TrainingStepper {
  /** Undefined when `stop` was aborted before anything changed. Throws TRAINING_NOT_FINITE; nothing has changed then. */
  step(tokens: Uint32Array, stop: AbortSignal): Promise<TrainingStep | undefined>
}

export type TrainingStepperNeeds = {
  readonly settings: TrainingSettings
  readonly sequencesPerRun: number
  readonly state: TrainingState
  readonly optimiser: AdamW
  readonly session: GraphSession
  /** The graph adds to gradients that it is fed. */
  readonly accumulates: boolean
  readonly feeds: TokenFeeds
  readonly turns: Turns
}

export function createTrainingStepper(needs: TrainingStepperNeeds): TrainingStepper {
  return new MicroBatchStepper(needs)
}

type Gradients = ReadonlyMap<string, Float32Array>

/** What was lost to prompts and spent in ONNX Runtime during one step. */
type Times = { waitedMs: number; runtimeMs: number }

class MicroBatchStepper implements TrainingStepper {
  readonly #needs: TrainingStepperNeeds
  readonly #weights: Feeds
  readonly #trained: readonly SliceValues[]
  readonly #values: Gradients
  readonly #zeros: Gradients

  constructor(needs: TrainingStepperNeeds) {
    const { slices, trained } = needs.state
    const names = new Set(trained.map(part => part.name))
    this.#needs = needs
    this.#trained = slices.filter(({ part }) => names.has(part))
    this.#weights = Object.fromEntries(
      slices.map(({ name, shape, values }) => [name, { data: values, dimensions: shape }])
    )
    this.#values = new Map(this.#trained.map(({ name, values }) => [name, values]))
    const zeros = new Float32Array(Math.max(0, ...this.#trained.map(({ values }) => values.length)))
    this.#zeros = new Map(this.#trained.map(({ name, values }) => [name, zeros.subarray(0, values.length)]))
  }

  async step(tokens: Uint32Array, stop: AbortSignal): Promise<TrainingStep | undefined> {
    const { settings, optimiser, feeds } = this.#needs
    const startedAtMs = performance.now()
    const times: Times = { waitedMs: 0, runtimeMs: 0 }
    let gradients = this.#zeros
    let lossNats = 0
    for (const { piece, sequences } of this.#cut(tokens)) {
      await this.#wait(times)
      if (stop.aborted) return undefined
      const share = sequences / settings.sequences
      const results = await this.#run({ ...this.#weights, ...feeds.of(piece), ...this.#sums(gradients, share) }, times)
      gradients = new Map(this.#trained.map(({ name }) => [name, results[`d ${name}`]!]))
      lossNats += results.perSequence!.reduce((sum, loss) => sum + loss, 0) / settings.sequences
    }
    if (!Number.isFinite(lossNats))
      throw new BlyanError('TRAINING_NOT_FINITE', { step: optimiser.steps + 1, what: 'loss' })
    const gradientNorm = await this.#apply(gradients, times)
    const elapsedMs = performance.now() - startedAtMs
    const tokensRead = settings.sequences * settings.sequenceTokens
    return { step: optimiser.steps, lossNats, tokens: tokensRead, gradientNorm, elapsedMs, ...times }
  }

  /** Prompts go first between its pieces, too. Returns the norm of the gradients. */
  async #apply(gradients: Gradients, times: Times): Promise<number> {
    const { settings, optimiser } = this.#needs
    const pieces = optimiser.stepInPieces(this.#values, gradients, rateAfter(optimiser.steps, settings))
    for (;;) {
      await this.#wait(times)
      const { done, value } = pieces.next()
      if (done === true) return value.gradientNorm
    }
  }

  *#cut(tokens: Uint32Array): Generator<{ piece: Uint32Array; sequences: number }> {
    const { settings, sequencesPerRun } = this.#needs
    const rowTokens = settings.sequenceTokens + 1
    for (let at = 0; at < settings.sequences; at += sequencesPerRun) {
      const sequences = Math.min(sequencesPerRun, settings.sequences - at)
      yield { piece: tokens.subarray(at * rowTokens, (at + sequences) * rowTokens), sequences }
    }
  }

  async #run(feeds: Feeds, times: Times): Promise<Record<string, Float32Array>> {
    const beginMs = performance.now()
    const results = await this.#needs.session.run(feeds)
    times.runtimeMs += performance.now() - beginMs
    return results
  }

  /** Each run adds its share to the gradients of those before; a batch of one run adds to nothing. */
  #sums(gradients: Gradients, share: number): Feeds {
    if (!this.#needs.accumulates) return {}
    const sums = this.#trained.map(({ name, shape }) => {
      return [`sum ${name}`, { data: gradients.get(name)!, dimensions: shape }] as const
    })
    return { weight: { data: Float32Array.of(share), dimensions: [] }, ...Object.fromEntries(sums) }
  }

  async #wait(times: Times): Promise<void> {
    const beginMs = performance.now()
    await this.#needs.turns.background()
    times.waitedMs += performance.now() - beginMs
  }
}

/** The rate of the step that follows so many others. */
function rateAfter(steps: number, { learningRate, warmUpSteps, coolDown }: TrainingSettings): number {
  const warm = Math.min(1, (steps + 1) / Math.max(1, warmUpSteps))
  if (coolDown === undefined) return learningRate * warm
  const { fromStep, toStep } = coolDown
  return learningRate * warm * Math.max(0, Math.min(1, (toStep - steps) / (toStep - fromStep)))
}
