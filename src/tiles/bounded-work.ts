/**
 * Runs promises side by side, at most so many at a time. The first failure is thrown by the next call;
 * no work is started after it, and `settle` waits until none is running.
 */
export interface BoundedWork {
  /** Starts the work once there is room for it. */
  add(work: () => Promise<void>): Promise<void>
  /** Waits for all of it and throws the first failure. */
  finish(): Promise<void>
  /** Waits for all of it and throws nothing: for cleaning up after a failure. */
  settle(): Promise<void>
}

export function createBoundedWork(concurrency: number): BoundedWork {
  return new CountedWork(concurrency)
}

class CountedWork implements BoundedWork {
  readonly #concurrency: number
  readonly #running = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined

  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  async add(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#concurrency) await Promise.race(this.#running)
    this.#throwFailure()
    const running = work()
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  async finish(): Promise<void> {
    await this.settle()
    this.#throwFailure()
  }

  async settle(): Promise<void> {
    await Promise.all(this.#running)
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
