import type { RequestTally } from '../../routing/index.ts'
import type { AnswerPlan, AnswerReport, RunningAnswer } from './answer-types.ts'

export type AnswerRun = {
  readonly id: string
  readonly model: string
  readonly plan: AnswerPlan
  readonly promptTokens: number
  readonly stopTokens: readonly number[]
  readonly nowMs: () => number
  /** The tokens as they are made, a stop token included. */
  readonly make: () => AsyncIterable<{ readonly tokens: Uint32Array }>
  readonly tally: () => readonly RequestTally[]
  /** For each step: tokens made, and the time since the step before. */
  readonly onStep: (tokens: number, elapsedMs: number) => void
  /** Called once, whatever the end was. */
  readonly onEnd: (report: AnswerReport) => void
}

export interface MeteredAnswer extends RunningAnswer {
  /** Ends an answer whose first step nobody has taken; one that runs ends by its signal. */
  abandon(): void
}

/** An answer whose steps are taken one by one; what it reports is of the moment it is asked. */
export function runAnswer(run: AnswerRun): MeteredAnswer {
  return new MeasuredAnswer(run)
}

class MeasuredAnswer implements MeteredAnswer {
  readonly #run: AnswerRun
  readonly #startedMs: number
  readonly steps: AsyncIterable<{ readonly tokens: Uint32Array }>
  #firstTokenMs: number | null = null
  #lastTokenMs = 0
  #tokens = 0
  #isTaken = false
  #endedMs: number | undefined
  #tally: readonly RequestTally[] | undefined

  constructor(run: AnswerRun) {
    this.#run = run
    this.#startedMs = run.nowMs()
    this.steps = this.#take()
  }

  get id(): string {
    return this.#run.id
  }

  get model(): string {
    return this.#run.model
  }

  get plan(): AnswerPlan {
    return this.#run.plan
  }

  report(): AnswerReport {
    const { promptTokens, plan, nowMs, tally } = this.#run
    const holders = this.#tally ?? tally()
    const afterFirstMs = this.#lastTokenMs - (this.#firstTokenMs ?? 0)
    return {
      promptTokens,
      tokens: this.#tokens,
      elapsedMs: (this.#endedMs ?? nowMs()) - this.#startedMs,
      firstTokenMs: this.#firstTokenMs,
      tokensPerSecond: this.#tokens < 2 || afterFirstMs <= 0 ? 0 : ((this.#tokens - 1) * 1000) / afterFirstMs,
      predictedTokensPerSecond: plan.predictedTokensPerSecond,
      holders: holders.map(({ peerId, account, calls, rows, costUnits }) => {
        return { peerId, account, calls, rows, costUnits: costUnits.toString() }
      }),
      costUnits: holders.reduce((total, { costUnits }) => total + costUnits, 0n).toString(),
      coin: 'BLY'
    }
  }

  abandon(): void {
    if (!this.#isTaken) this.#end()
  }

  #end(): void {
    if (this.#endedMs !== undefined) return
    this.#endedMs = this.#run.nowMs()
    this.#tally = this.#run.tally()
    this.#run.onEnd(this.report())
  }

  async *#take(): AsyncGenerator<{ readonly tokens: Uint32Array }> {
    const { make, stopTokens, nowMs, onStep } = this.#run
    this.#isTaken = true
    if (this.#endedMs !== undefined) return
    let stepMs = nowMs()
    try {
      for await (const step of make()) {
        const stop = step.tokens.findIndex(token => stopTokens.includes(token))
        const tokens = stop === -1 ? step.tokens : step.tokens.subarray(0, stop)
        const atMs = nowMs()
        onStep(step.tokens.length, atMs - stepMs)
        stepMs = atMs
        if (tokens.length > 0) {
          this.#firstTokenMs ??= atMs - this.#startedMs
          this.#lastTokenMs = atMs - this.#startedMs
          this.#tokens += tokens.length
          yield { tokens }
        }
        if (stop !== -1) return
      }
    } finally {
      this.#end()
    }
  }
}
