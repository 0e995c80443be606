/** Those that wait for a change, each no longer than it wants to. */
export class Waiters {
  readonly #waiting = new Set<() => void>()

  wakeAll(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves with the next `wakeAll`, or after the time. */
  wait(timeoutMs: number): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, timeoutMs)
      this.#waiting.add(wake)
    })
  }
}
