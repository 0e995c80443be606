import type { RemoteExpertCall } from '../../experts/index.ts'
import type { AnswerReport } from './answer-types.ts'

/** What answers and their calls took on this machine: for predictions, the status and metrics. */
export interface AnswerMeter {
  /** Runs a call and counts the time its answers wait for it. */
  timeCall<T>(call: RemoteExpertCall, run: () => Promise<T>): Promise<T>
  noteStep(model: string, id: string, tokens: number, elapsedMs: number): void
  noteAnswer(id: string, report: AnswerReport): void
  /** Time of one token without waiting for others; null until one was made. */
  homeMsPerToken(model: string): number | null
  read(): AnswerFigures
}

export type AnswerFigures = {
  readonly answers: number
  readonly tokens: number
  readonly callsMade: number
  readonly callsFailed: number
  readonly rowsElsewhere: number
  /** Of the last calls; null where there were none. */
  readonly callMs: Quantiles | null
  readonly firstTokenMs: Quantiles | null
  /** Of the last answers that were predicted: measured through predicted tokens a second, 1 is right. */
  readonly predictionRatio: Quantiles | null
}

export type Quantiles = { readonly p50: number; readonly p95: number; readonly p99: number }

const samplesMax = 1024
/** Of one model. */
const homeSamplesMax = 64
const modelsMax = 256
const answersWatchedMax = 4096

export function createAnswerMeter(nowMs: () => number): AnswerMeter {
  return new SampledAnswerMeter(nowMs)
}

class SampledAnswerMeter implements AnswerMeter {
  readonly #nowMs: () => number
  readonly #homeMs = new Map<string, Samples>()
  /** What an answer has waited for calls since its last step. */
  readonly #waitedMs = new Map<string, number>()
  readonly #callMs = new Samples()
  readonly #firstTokenMs = new Samples()
  readonly #predictionRatio = new Samples()
  #answers = 0
  #tokens = 0
  #callsMade = 0
  #callsFailed = 0
  #rowsElsewhere = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  async timeCall<T>(call: RemoteExpertCall, run: () => Promise<T>): Promise<T> {
    const startedMs = this.#nowMs()
    this.#callsMade++
    for (const { requestOfRow } of call.loads) this.#rowsElsewhere += requestOfRow.length
    try {
      return await run()
    } catch (error) {
      this.#callsFailed++
      throw error
    } finally {
      const tookMs = this.#nowMs() - startedMs
      this.#callMs.add(tookMs)
      for (const id of call.requests) this.#wait(id, tookMs)
    }
  }

  noteStep(model: string, id: string, tokens: number, elapsedMs: number): void {
    this.#tokens += tokens
    const waitedMs = this.#waitedMs.get(id)
    this.#waitedMs.set(id, 0)
    // The first step also reads the prompt.
    if (waitedMs === undefined || tokens === 0) return
    const ownMs = Math.max(0, elapsedMs - waitedMs) / tokens
    const samples = this.#homeMs.get(model) ?? new Samples(homeSamplesMax)
    if (this.#homeMs.size < modelsMax) this.#homeMs.set(model, samples)
    samples.add(ownMs)
  }

  noteAnswer(id: string, report: AnswerReport): void {
    this.#answers++
    this.#waitedMs.delete(id)
    if (report.firstTokenMs !== null) this.#firstTokenMs.add(report.firstTokenMs)
    const { predictedTokensPerSecond, tokensPerSecond } = report
    if (predictedTokensPerSecond !== null && tokensPerSecond > 0)
      this.#predictionRatio.add(tokensPerSecond / predictedTokensPerSecond)
  }

  homeMsPerToken(model: string): number | null {
    return this.#homeMs.get(model)?.quantiles()?.p50 ?? null
  }

  read(): AnswerFigures {
    return {
      answers: this.#answers,
      tokens: this.#tokens,
      callsMade: this.#callsMade,
      callsFailed: this.#callsFailed,
      rowsElsewhere: this.#rowsElsewhere,
      callMs: this.#callMs.quantiles(),
      firstTokenMs: this.#firstTokenMs.quantiles(),
      predictionRatio: this.#predictionRatio.quantiles()
    }
  }

  /** Only for answers whose first step is done: what they waited before is the prompt's. */
  #wait(id: string, tookMs: number): void {
    const waitedMs = this.#waitedMs.get(id)
    if (waitedMs !== undefined && this.#waitedMs.size <= answersWatchedMax) this.#waitedMs.set(id, waitedMs + tookMs)
  }
}

/** The last so many numbers. */
export class Samples {
  readonly #values: Float64Array
  #count = 0

  constructor(countMax = samplesMax) {
    this.#values = new Float64Array(countMax)
  }

  add(value: number): void {
    this.#values[this.#count++ % this.#values.length] = value
  }

  quantiles(): Quantiles | null {
    if (this.#count === 0) return null
    const sorted = this.#values.slice(0, Math.min(this.#count, this.#values.length)).sort()
    const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1]!
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
  }
}
