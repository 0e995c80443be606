import { BlyanError } from '../../errors/index.ts'

/** Places for answers: so many are made at a time, so many wait, more are told when to come back. */
export interface AnswerQueue {
  readonly running: number
  readonly waiting: number
  /** Waits for a place, first come first served. Throws ANSWER_QUEUE_FULL at once, or the reason of the signal. */
  enter(signal: AbortSignal): Promise<AnswerPlace>
}

export interface AnswerPlace {
  /** Gives the place to who waits longest. Again: does nothing. `tookMs` of a whole answer helps to say when to come back. */
  leave(tookMs?: number): void
}

export const retryAfterMsMin = 250
export const retryAfterMsMax = 60_000
/** Until an answer was seen. */
const firstGuessMs = 2_000

export type AnswerQueueLimits = { readonly answersMax: number; readonly queueMax: number }

export function createAnswerQueue(limits: AnswerQueueLimits): AnswerQueue {
  return new FairAnswerQueue(limits)
}

class FairAnswerQueue implements AnswerQueue {
  readonly #limits: AnswerQueueLimits
  readonly #waiting = new Set<() => void>()
  #running = 0
  /** Of the last answers, newer ones counting more. */
  #answerMs = firstGuessMs

  constructor(limits: AnswerQueueLimits) {
    this.#limits = limits
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting.size
  }

  async enter(signal: AbortSignal): Promise<AnswerPlace> {
    signal.throwIfAborted()
    if (this.#running >= this.#limits.answersMax) {
      if (this.#waiting.size >= this.#limits.queueMax) throw this.#full()
      await this.#wait(signal)
    } else this.#running++
    let left = false
    return {
      leave: tookMs => {
        if (left) return
        left = true
        if (tookMs !== undefined) this.#answerMs += (tookMs - this.#answerMs) / 8
        this.#handOn()
      }
    }
  }

  /** Resolves with a place that was taken for it. */
  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      const onAbort = (): void => {
        this.#waiting.delete(begin)
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.add(begin)
    })
  }

  #handOn(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#running--
    else {
      this.#waiting.delete(next)
      next()
    }
  }

  #full(): BlyanError {
    const { answersMax } = this.#limits
    const untilFreeMs = (this.#answerMs * (this.#waiting.size + 1)) / answersMax
    const retryAfterMs = Math.ceil(Math.min(retryAfterMsMax, Math.max(retryAfterMsMin, untilFreeMs)))
    return new BlyanError('ANSWER_QUEUE_FULL', {
      running: this.#running,
      waiting: this.#waiting.size,
      retryAfterMs
    })
  }
}
