import type { SequenceSource } from '../datasets/index.ts'
import { BlyanError, describeError, isBlyanError } from '../errors/index.ts'
import type { TensorInfo, TensorStore } from '../tiles/index.ts'
import { examineValues } from './candidate-values.ts'
import { type Candidate, type LearningSettings, type Measurement, measurementSeed } from './chain/index.ts'
import { roundRules } from './core/rules.ts'
import { figuresOf, type GainFigures, judgeGain, judgeHeldOut, nameRefusal, type Verdict } from './core/verdict.ts'
import type { LearningChain, LearningLogger } from './learning-chain.ts'
import { createLineageExaminer, type LineageExaminer } from './lineage-examiner.ts'
import { drawMeasuredText, type MeasuredText } from './measured-text.ts'
import { type ModelParts, newestTensors } from './model-parts.ts'
import type { ModelScorer } from './model-scorer.ts'

/** One model on this machine, as far as measuring needs it. */
export type MeasuredModel = {
  readonly parts: ModelParts
  readonly sequences: SequenceSource
  readonly scorer: ModelScorer
  ensure(name: string, tensor: string, signal?: AbortSignal): Promise<TensorInfo>
}

export type MeasurerNeeds = {
  readonly chain: LearningChain
  readonly tensors: Pick<TensorStore, 'fetchTensor' | 'info'>
  readonly settings: () => LearningSettings
  /** Digest of a checkpoint, hex, once a quorum has signed it. */
  readonly checkpointDigest: (sequence: number) => Promise<string | undefined>
  readonly signal: AbortSignal
  readonly logger: LearningLogger
}

export type MeasurerCounts = { readonly measured: number; readonly accepted: number; readonly refused: number }

/** What an operator says of a candidate, as event `learning-measure` takes it. */
export type MeasurementPayload = Omit<Measurement, 'operator' | 'atMs'>

/**
 * Measures candidates for the operator of a validator: on text that nobody could foresee when the candidate was made, and
 * that is another one for each operator. One after another, rounds before proposals. Source: docs/design.md, "Proof of Learning".
 */
export interface Measurer {
  /** Measures and submits; undefined when it came too late. Throws what keeps this machine from measuring: then it abstains. */
  measure(candidate: Candidate, model: MeasuredModel): Promise<MeasurementPayload | undefined>
  /** What it finds, without saying so on chain. */
  find(candidate: Candidate, model: MeasuredModel, signal: AbortSignal): Promise<MeasurementPayload>
  /** Whether held-out text was found in a shard that is published to train on. */
  isKnownMixed(shard: string): boolean
  readonly counts: MeasurerCounts
}

export function createMeasurer(needs: MeasurerNeeds): Measurer {
  return new OperatorMeasurer(needs)
}

/** The measurement has to be final before time is up. */
const marginMs = 1000
const lookEveryMs = 100
const waitingMax = 256
const shardTimeoutMsMin = 1_000
const shardTimeoutMsMax = 10_000

class OperatorMeasurer implements Measurer {
  readonly #needs: MeasurerNeeds
  readonly #lineages: LineageExaminer = createLineageExaminer()
  readonly #waiting: { readonly isRound: boolean; start(): Promise<void> }[] = []
  #isMeasuring = false
  #counts: MeasurerCounts = { measured: 0, accepted: 0, refused: 0 }

  constructor(needs: MeasurerNeeds) {
    this.#needs = needs
  }

  get counts(): MeasurerCounts {
    return this.#counts
  }

  isKnownMixed(shard: string): boolean {
    return this.#lineages.isKnownMixed(shard)
  }

  measure(candidate: Candidate, model: MeasuredModel): Promise<MeasurementPayload | undefined> {
    if (this.#waiting.length === waitingMax) return Promise.resolve(undefined)
    const { promise, resolve, reject } = Promise.withResolvers<MeasurementPayload | undefined>()
    const start = (): Promise<void> => this.#measure(candidate, model).then(resolve, reject)
    this.#waiting.push({ isRound: candidate.source === 'round', start })
    if (!this.#isMeasuring) void this.#measureAll()
    return promise
  }

  /** A round waits for nobody's proposals. */
  async #measureAll(): Promise<void> {
    this.#isMeasuring = true
    // Those who ask at the same moment are all on the list then.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const place = Math.max(
        0,
        this.#waiting.findIndex(({ isRound }) => isRound)
      )
      const [next] = this.#waiting.splice(place, 1)
      await next!.start()
    }
    this.#isMeasuring = false
  }

  async find(candidate: Candidate, model: MeasuredModel, signal: AbortSignal): Promise<MeasurementPayload> {
    const { id, checkpoint } = candidate
    const found = await this.#examine(candidate, model, signal)
    const { sequences = 0, ...figures } = found.figures ?? {}
    return { candidate: id, checkpoint, sequences, ...noFigures, ...figures, ...found.verdict }
  }

  async #measure(candidate: Candidate, model: MeasuredModel): Promise<MeasurementPayload | undefined> {
    const { chain, logger, signal } = this.#needs
    const leftMs = candidate.dueAtMs - chain.nowMs() - marginMs
    if (leftMs <= 0) return undefined
    const payload = await this.find(candidate, model, AbortSignal.any([signal, AbortSignal.timeout(leftMs)]))
    const { verdict, reason, gainNano } = payload
    logger.debug({ candidate: candidate.id, verdict, reason, gainNano }, 'a candidate was measured')
    try {
      await chain.submit('learning-measure', payload)
    } catch (error) {
      if (!isBlyanError(error, 'MEASURED_ALREADY') && !isBlyanError(error, 'CANDIDATE_DECIDED')) throw error
      return undefined
    }
    const { measured, accepted, refused } = this.#counts
    const isAccepted = verdict === 'accept'
    this.#counts = {
      measured: measured + 1,
      accepted: accepted + (isAccepted ? 1 : 0),
      refused: refused + (isAccepted ? 0 : 1)
    }
    return payload
  }

  async #examine(candidate: Candidate, model: MeasuredModel, signal: AbortSignal): Promise<Found> {
    const { chain, tensors } = this.#needs
    const before = newestTensors(model.parts, name => chain.newest(name))
    if (before === undefined) throw new BlyanError('MODEL_INCOMPLETE', { model: candidate.model })
    const digest = await this.#checkpointDigest(candidate.checkpoint, signal)
    const seed = measurementSeed({ checkpoint: digest, candidate: candidate.id, operator: chain.account })
    const needs = { chain, tensors, model, signal }
    const lineages = this.#lineages.examine({ ...needs, candidate, seed })
    lineages.catch(() => {})
    try {
      const fault = (await examineValues(needs, candidate, this.#fetchMs(candidate))) ?? (await lineages)
      if (fault !== undefined) return { verdict: { verdict: 'refuse', reason: fault }, figures: undefined }
      return await this.#score(candidate, model, { before, seed, signal })
    } catch (error) {
      signal.throwIfAborted()
      if (isOutOfReach(error)) {
        this.#needs.logger.debug({ candidate: candidate.id, code: describeError(error).code }, 'out of reach')
        return { verdict: { verdict: 'refuse', reason: 'unavailable' }, figures: undefined }
      }
      throw error
    }
  }

  /** A proposal that cannot be had must not take the time of the others, of which one may be a round's. */
  #fetchMs({ source, dueAtMs }: Candidate): number {
    const leftMs = dueAtMs - this.#needs.chain.nowMs()
    return Math.max(shardTimeoutMsMin, Math.round(leftMs / (source === 'proposal' ? 6 : 2)))
  }

  async #score(candidate: Candidate, model: MeasuredModel, at: ScoreAt): Promise<Found> {
    const { chain, settings } = this.#needs
    const { sequences, gainPpm } = settings()
    const { parts, scorer } = model
    const sequenceTokens = Math.min(roundRules.gateTokensMax, parts.architecture.contextTokens - 1)
    const text: MeasuredText = await drawMeasuredText({
      chain,
      sequences: model.sequences,
      candidate,
      seed: at.seed,
      count: Math.max(2, sequences),
      sequenceTokens,
      timeoutMs: Math.max(shardTimeoutMsMin, Math.min(shardTimeoutMsMax, (candidate.dueAtMs - chain.nowMs()) / 6))
    })
    const after = new Map([...at.before, ...candidate.parts.map(({ name, tensor }) => [name, tensor] as const)])
    const compare = async (tokens: Uint32Array | undefined): Promise<GainFigures | undefined> => {
      if (tokens === undefined) return undefined
      const given = { tokens, sequenceTokens, signal: at.signal }
      const losses = await scorer.score({ ...given, tensors: at.before })
      return figuresOf({ before: losses, after: await scorer.score({ ...given, tensors: after }) })
    }
    const figures = await compare(text.heldOut)
    const first = judgeHeldOut(figures, gainPpm)
    if (figures !== undefined && first.verdict === 'accept')
      return { figures, verdict: judgeGain(figures, await compare(await text.training())) }
    return { figures, verdict: nameRefusal(first, await compare(await text.own()), gainPpm) }
  }

  async #checkpointDigest(sequence: number, signal: AbortSignal): Promise<string> {
    for (;;) {
      signal.throwIfAborted()
      const digest = await this.#needs.checkpointDigest(sequence)
      if (digest !== undefined) return digest
      await new Promise(resolve => setTimeout(resolve, lookEveryMs))
    }
  }
}

type ScoreAt = {
  /** By the name on chain. */
  readonly before: ReadonlyMap<string, string>
  readonly seed: Uint8Array
  readonly signal: AbortSignal
}

type Found = { readonly verdict: Verdict; readonly figures: GainFigures | undefined }

const noFigures = { beforeNano: null, afterNano: null, gainNano: null, errorNano: null }

/** The candidate, or all text to measure it on: what cannot be had is not accepted. */
function isOutOfReach(error: unknown): boolean {
  return isBlyanError(error) && (error.code.startsWith('TENSOR_') || error.code === 'DRAW_IMPOSSIBLE')
}
