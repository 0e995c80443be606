import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'

/** Writes that are kept only when all of it went well: what a proposal does, it does whole or not at all. */
export class TrialState implements StateView {
  readonly #state: StateView
  readonly #written = new Map<string, CanonicalValue | undefined>()

  constructor(state: StateView) {
    this.#state = state
  }

  get(key: string): CanonicalValue | undefined {
    return this.#written.has(key) ? this.#written.get(key) : this.#state.get(key)
  }

  set(key: string, value: CanonicalValue): void {
    this.#written.set(key, value)
  }

  delete(key: string): void {
    this.#written.set(key, undefined)
  }

  /** In the order in which keys were first written. */
  keep(): void {
    for (const [key, value] of this.#written) {
      if (value !== undefined) this.#state.set(key, value)
      else if (this.#state.get(key) !== undefined) this.#state.delete(key)
    }
    this.#written.clear()
  }
}
