import { BlyanError } from '../../errors/index.ts'
import type { KeyValueCache } from '../model/key-value-cache.ts'
import { type Answer, type AnswerRequest, createAnswer } from './answer-state.ts'
import type { NamedSequence } from './expert-runner.ts'
import type { SessionLease } from './model-sessions.ts'
import type { Turns } from './turns.ts'

/**
 * All answers of one model, computed together: each step takes one token of every answer that is being written and a
 * piece of every prompt that is being read, so that a long prompt holds nobody up.
 */
export interface AnswerLoop {
  /** Resolves to the number of tokens made. Throws ENGINE_BUSY, ENGINE_REQUEST_INVALID, or what failed its step. */
  answer(request: AnswerRequest): Promise<number>
  status(): { readonly running: number; readonly waiting: number; readonly keyValueBytes: number }
}

/** One answer's share of a step; `wantsLogits`: whether the last of `tokens` is to be answered. */
type StepSequence = NamedSequence & { readonly tokens: Uint32Array; readonly wantsLogits: boolean }

export type Step = {
  readonly lease: SessionLease
  readonly sequences: readonly StepSequence[]
  readonly signal: AbortSignal
  /** Ends answers in the middle of the step; the others go on. */
  readonly onLost: (requests: readonly string[], error: unknown) => void
}

export type AnswerLoopNeeds = {
  readonly contextTokens: number
  readonly keyValueBytesPerToken: number
  readonly answersMax: number
  readonly answersWaitingMax: number
  readonly keyValueBytesMax: number
  readonly turns: Turns
  readonly lease: () => SessionLease
  readonly createCache: (rowsMax: number) => KeyValueCache
  /** Moves rows into a larger cache. */
  readonly growCache: (cache: KeyValueCache, rowsMax: number) => KeyValueCache
  /** Reads all tokens, advances all caches only if all went well, and returns one row of logits for each that wants it. */
  readonly step: (step: Step) => Promise<readonly Float32Array[]>
}

/** How many tokens of prompts one step reads. */
const promptTokensMax = 128
/** What each prompt may read at least, however many there are. */
const promptTokensMin = 8
const signOfLifeMs = 5000

export function createAnswerLoop(needs: AnswerLoopNeeds): AnswerLoop {
  return new BatchedAnswers(needs)
}

class BatchedAnswers implements AnswerLoop {
  readonly #needs: AnswerLoopNeeds
  readonly #waiting: Answer[] = []
  #running: Answer[] = []
  #inStep: { readonly answers: readonly Answer[]; readonly controller: AbortController } | undefined
  #isLooping = false
  #toldAtMs = 0

  constructor(needs: AnswerLoopNeeds) {
    this.#needs = needs
  }

  async answer(request: AnswerRequest): Promise<number> {
    const { answersWaitingMax, keyValueBytesMax, keyValueBytesPerToken, contextTokens } = this.#needs
    request.signal.throwIfAborted()
    const { length } = request.tokens
    if (length === 0) throw refused('the prompt is empty')
    if (length > contextTokens)
      throw refused(`${length} tokens of a prompt are more than the context's ${contextTokens}`)
    const rowsMax = Math.min(contextTokens, Math.floor(keyValueBytesMax / keyValueBytesPerToken))
    if (length > rowsMax) throw refused(`keys and values of ${length} tokens do not fit into ${keyValueBytesMax} bytes`)
    if (this.#waiting.length >= answersWaitingMax) {
      throw new BlyanError('ENGINE_BUSY', { openRequests: this.#waiting.length + this.#running.length })
    }
    const answer = createAnswer(request, Math.min(rowsMax, length + request.tokensMax), this.#needs.lease())
    const cancel = (): void => this.#end(answer, { error: request.signal.reason })
    request.signal.addEventListener('abort', cancel, { once: true })
    this.#waiting.push(answer)
    void this.#loop()
    try {
      return await answer.outcome
    } finally {
      request.signal.removeEventListener('abort', cancel)
      await answer.lease.end()
    }
  }

  status(): ReturnType<AnswerLoop['status']> {
    return { running: this.#running.length, waiting: this.#waiting.length, keyValueBytes: this.#keyValueBytes() }
  }

  async #loop(): Promise<void> {
    if (this.#isLooping) return
    this.#isLooping = true
    const { turns } = this.#needs
    turns.enter()
    try {
      for (this.#admit(); this.#running.length > 0; this.#admit()) await this.#step()
    } finally {
      turns.leave()
      this.#isLooping = false
    }
  }

  /** First come, first served: who needs much room is not passed by those who need little. */
  #admit(): void {
    const { answersMax, keyValueBytesMax, keyValueBytesPerToken } = this.#needs
    while (this.#waiting.length > 0 && this.#running.length < answersMax) {
      const next = this.#waiting[0]!
      const rows = next.rowsToBegin()
      const fits = this.#keyValueBytes() + rows * keyValueBytesPerToken <= keyValueBytesMax
      if (!fits && this.#running.length > 0) return
      this.#waiting.shift()
      try {
        next.cache = this.#needs.createCache(rows)
        this.#running.push(next)
      } catch (error) {
        this.#end(next, { error })
      }
    }
  }

  async #step(): Promise<void> {
    const answers = this.#choose()
    if (answers.length === 0) {
      this.#running = this.#running.filter(answer => !answer.isOver)
      return
    }
    const sequences = answers.map(({ answer, count }): StepSequence => {
      return {
        requestId: answer.requestId,
        tokens: answer.pending.subarray(0, count),
        cache: answer.cache!,
        isPrompt: answer.isReading,
        wantsLogits: count === answer.pending.length
      }
    })
    const controller = new AbortController()
    const { signal } = controller
    const together = answers.map(({ answer }) => answer)
    this.#inStep = { answers: together, controller }
    this.#showLife()
    try {
      const { lease } = together[0]!
      const onLost = (requests: readonly string[], error: unknown): void => this.#lose(together, requests, error)
      const logits = await this.#needs.step({ lease, sequences, signal, onLost })
      let row = 0
      for (const { answer, count } of answers) {
        if (answer.read(count)) this.#take(answer, logits[row++]!)
      }
    } catch (error) {
      for (const answer of together) this.#end(answer, { error })
    } finally {
      this.#inStep = undefined
    }
    this.#running = this.#running.filter(answer => !answer.isOver)
  }

  /** Those that hold the same parts as the one whose turn it is, and how many tokens each reads now. */
  #choose(): { answer: Answer; count: number }[] {
    const first = this.#running.shift()!
    this.#running.push(first)
    const together = this.#running.filter(
      answer => answer.lease.snapshot === first.lease.snapshot && this.#makeRoom(answer)
    )
    const reading = together.filter(answer => answer.pending.length > 1).length
    const share = Math.max(promptTokensMin, Math.floor(promptTokensMax / Math.max(1, reading)))
    return together.map(answer => ({ answer, count: Math.min(answer.pending.length, share) }))
  }

  /** Grows an answer's cache for what it reads next; without memory for it, the answer waits and is read again later. */
  #makeRoom(answer: Answer): boolean {
    const { keyValueBytesMax, keyValueBytesPerToken } = this.#needs
    const cache = answer.cache!
    if (cache.rows < cache.rowsMax) return true
    const rows = Math.min(answer.rowsMax, cache.rowsMax * 2)
    const growBytes = (rows - cache.rowsMax) * keyValueBytesPerToken
    if (this.#keyValueBytes() + growBytes <= keyValueBytesMax || this.#running.length === 1) {
      try {
        answer.cache = this.#needs.growCache(cache, rows)
        return true
      } catch (error) {
        // The machine has less memory than the limit says.
        this.#end(answer, { error })
        return false
      }
    }
    answer.startAgain()
    this.#running = this.#running.filter(other => other !== answer)
    this.#waiting.unshift(answer)
    return false
  }

  #take(answer: Answer, logits: Float32Array): void {
    if (answer.isOver) return
    const isLast = answer.take(logits)
    if (isLast) this.#end(answer, { made: answer.made })
  }

  #lose(answers: readonly Answer[], requests: readonly string[], error: unknown): void {
    const lost = new Set(requests)
    for (const answer of answers) if (lost.has(answer.requestId)) this.#end(answer, { error })
  }

  #end(answer: Answer, outcome: { made: number } | { error: unknown }): void {
    if (answer.isOver) return
    answer.settle(outcome)
    const at = this.#waiting.indexOf(answer)
    if (at >= 0) this.#waiting.splice(at, 1)
    if (this.#inStep?.answers.every(other => other.isOver)) this.#inStep.controller.abort(new Error('nobody needs it'))
  }

  /** Those that make no token for long would be taken for stuck. */
  #showLife(): void {
    const nowMs = performance.now()
    if (nowMs - this.#toldAtMs < signOfLifeMs) return
    this.#toldAtMs = nowMs
    for (const answer of [...this.#waiting, ...this.#running]) answer.showLife()
  }

  #keyValueBytes(): number {
    const rows = this.#running.reduce((sum, { cache }) => sum + (cache?.rowsMax ?? 0), 0)
    return rows * this.#needs.keyValueBytesPerToken
  }
}

function refused(reason: string): BlyanError {
  return new BlyanError('ENGINE_REQUEST_INVALID', { reason })
}
