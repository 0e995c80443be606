import type { Feedback, FeedbackStore } from '../../src/tiles/index.ts'

/** What a learner keeps on its disk. */
export class FeedbackInMemory implements FeedbackStore {
  readonly #kept = new Map<string, Feedback>()

  async read(_model: string, part: string, tile: number): Promise<Feedback | undefined> {
    return this.#kept.get(`${part} ${tile}`)
  }

  async write(_model: string, part: string, tile: number, feedback: Feedback): Promise<void> {
    this.#kept.set(`${part} ${tile}`, feedback)
  }

  async clear(): Promise<void> {
    this.#kept.clear()
  }
}
