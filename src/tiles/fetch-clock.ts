import { setMaxListeners } from 'node:events'

/** When a fetch has to ask again, and when it has to give up. */
export interface FetchClock {
  /** Aborted when the caller gives up, the time is over, or nothing has come for too long. */
  attempt(): AbortSignal
  /** Something has come. */
  progress(): void
  readonly isOver: boolean
  readonly reasonToStop: 'aborted' | 'timeout' | undefined
  stop(): void
}

export function createFetchClock(options: {
  signal?: AbortSignal
  timeoutMs: number
  stallTimeoutMs: number
}): FetchClock {
  return new TimerFetchClock(options)
}

class TimerFetchClock implements FetchClock {
  readonly #signal: AbortSignal | undefined
  readonly #deadline: NodeJS.Timeout
  readonly #stall: NodeJS.Timeout
  readonly #onAbort = () => this.#end('aborted')
  #attempt = manyListeners()
  #isOver = false
  #reason: 'aborted' | 'timeout' | undefined

  constructor(options: { signal?: AbortSignal; timeoutMs: number; stallTimeoutMs: number }) {
    this.#signal = options.signal
    this.#deadline = setTimeout(() => this.#end('timeout'), options.timeoutMs)
    this.#stall = setInterval(() => this.#askAgain(), options.stallTimeoutMs)
    if (options.signal?.aborted === true) this.#onAbort()
    else options.signal?.addEventListener('abort', this.#onAbort)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get reasonToStop(): 'aborted' | 'timeout' | undefined {
    return this.#reason
  }

  attempt(): AbortSignal {
    return this.#attempt.signal
  }

  progress(): void {
    this.#stall.refresh()
  }

  stop(): void {
    this.#end(undefined)
  }

  #askAgain(): void {
    const stalled = this.#attempt
    this.#attempt = manyListeners()
    stalled.abort()
  }

  #end(reason: 'aborted' | 'timeout' | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#reason = reason
    clearTimeout(this.#deadline)
    clearInterval(this.#stall)
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#attempt.abort()
  }
}

/** One signal is listened to by every block that is on its way. */
function manyListeners(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
