import type { ExecutedEvent } from '../dag/index.ts'

/** An event that this node took in, that is executed, and that no certificate covers yet. */
export type DegradedEvent<Entry> = {
  readonly entry: Entry
  readonly executed: ExecutedEvent
  readonly commitIndex: number
  /** When its submitter is told that it is degraded, if it is not final by then. */
  readonly dueAtMs: number
}

/**
 * What waits for the last signatures in a network that orders without a full quorum, in the order of execution. Bounded:
 * the oldest are let go; they become final all the same, only nobody here is told.
 */
export class DegradedEvents<Entry> {
  readonly #countMax: number
  readonly #byDigest = new Map<string, DegradedEvent<Entry>>()
  /** Those whose submitters have not been told anything; due in the order of execution. */
  readonly #untold = new Map<string, DegradedEvent<Entry>>()

  constructor(countMax: number) {
    this.#countMax = countMax
  }

  get size(): number {
    return this.#byDigest.size
  }

  has(digest: string): boolean {
    return this.#byDigest.has(digest)
  }

  get(digest: string): DegradedEvent<Entry> | undefined {
    return this.#byDigest.get(digest)
  }

  /** Gives back what had to be let go to make room. */
  add(event: DegradedEvent<Entry>): DegradedEvent<Entry> | undefined {
    const { digest } = event.executed.event
    this.#byDigest.set(digest, event)
    this.#untold.set(digest, event)
    if (this.#byDigest.size <= this.#countMax) return undefined
    const [oldest, dropped] = this.#byDigest.entries().next().value!
    this.#byDigest.delete(oldest)
    this.#untold.delete(oldest)
    return dropped
  }

  /** A certificate covers the commits up to `commitIndex`: takes out what is final with it. */
  takeCertified(commitIndex: number): DegradedEvent<Entry>[] {
    const final: DegradedEvent<Entry>[] = []
    for (const [digest, event] of this.#byDigest) {
      if (event.commitIndex > commitIndex) break
      this.#byDigest.delete(digest)
      this.#untold.delete(digest)
      final.push(event)
    }
    return final
  }

  /** Those whose grace has passed, each given once; they stay until a certificate covers them. */
  takeDue(nowMs: number): DegradedEvent<Entry>[] {
    const due: DegradedEvent<Entry>[] = []
    for (const [digest, event] of this.#untold) {
      if (event.dueAtMs > nowMs) continue
      this.#untold.delete(digest)
      due.push(event)
    }
    return due
  }
}
