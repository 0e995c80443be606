import { Waiters } from './waiters.ts'

/**
 * Who computes next. ONNX Runtime runs one graph at a time in this process; background work asks for each of its graphs
 * and is let in only between answers, or after `patienceMs`, so that it never stands still altogether.
 */
export interface Turns {
  /** An answer computes from now on. Each call is paired with one of `leave`. */
  enter(): void
  leave(): void
  /** Resolves when background work may run one graph. */
  background(): Promise<void>
}

const patienceMs = 250

export function createTurns(): Turns {
  return new AnswersFirst()
}

class AnswersFirst implements Turns {
  #computing = 0
  readonly #waiting = new Waiters()

  enter(): void {
    this.#computing++
  }

  leave(): void {
    this.#computing--
    if (this.#computing === 0) this.#waiting.wakeAll()
  }

  async background(): Promise<void> {
    const deadlineMs = performance.now() + patienceMs
    // Frames that have arrived are read first: one of them may be a prompt.
    await nextTurn()
    while (this.#computing > 0) {
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) return
      await this.#waiting.wait(leftMs)
      await nextTurn()
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
