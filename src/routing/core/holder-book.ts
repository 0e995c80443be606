import { type CallTimes, createCallTimes } from './latency.ts'

/** What happened lately between us and each holder. Knows peers by their ids only, and forgets who was used longest ago. */
export type HolderStanding = 'good' | 'probation' | 'suspect' | 'excluded'

export const holderLimits = Object.freeze({
  holdersMax: 1024,
  /** The first exclusion; each further one in a row doubles it. */
  excludedMs: 1000,
  excludedMsMax: 60_000,
  /** Answers in a row that end probation. */
  answersToRecover: 3,
  /** As long without a fault, and exclusions begin small again. */
  forgivenMs: 60_000
})

type Holder = {
  readonly times: CallTimes
  openCalls: number
  failures: number
  failedAtMs: number
  excludedUntilMs: number
  isSuspect: boolean
  /** Answers that are still missing to its being good; 0 when it is. */
  owesAnswers: number
}

export class HolderBook {
  readonly #holders = new Map<string, Holder>()

  times(peerId: string): CallTimes {
    return this.#holder(peerId).times
  }

  /** Of our calls. */
  openCalls(peerId: string): number {
    return this.#holders.get(peerId)?.openCalls ?? 0
  }

  standing(peerId: string, nowMs: number): HolderStanding {
    const holder = this.#holders.get(peerId)
    if (holder === undefined) return 'good'
    if (nowMs < holder.excludedUntilMs) return 'excluded'
    if (holder.isSuspect) return 'suspect'
    return holder.owesAnswers > 0 ? 'probation' : 'good'
  }

  asked(peerId: string): void {
    this.#holder(peerId).openCalls++
  }

  /** A call ended, however it did. */
  ended(peerId: string): void {
    const holder = this.#holder(peerId)
    holder.openCalls = Math.max(0, holder.openCalls - 1)
  }

  heard(peerId: string): void {
    const holder = this.#holders.get(peerId)
    if (holder !== undefined) holder.isSuspect = false
  }

  answered(peerId: string, rows: number, elapsedMs: number, nowMs: number): void {
    const holder = this.#holder(peerId)
    holder.isSuspect = false
    holder.times.note(rows, elapsedMs, nowMs)
    if (holder.owesAnswers > 0) holder.owesAnswers--
    if (holder.owesAnswers === 0 && nowMs - holder.failedAtMs > holderLimits.forgivenMs) holder.failures = 0
  }

  suspect(peerId: string): void {
    this.#holder(peerId).isSuspect = true
  }

  /** It let a deadline pass, broke off, or answered what makes no sense. */
  failed(peerId: string, nowMs: number): void {
    const { excludedMs, excludedMsMax, answersToRecover } = holderLimits
    const holder = this.#holder(peerId)
    // Calls that were open at the same time fail together: that is one fault.
    if (nowMs < holder.excludedUntilMs) return
    holder.failures++
    holder.failedAtMs = nowMs
    holder.isSuspect = false
    holder.excludedUntilMs = nowMs + Math.min(excludedMsMax, excludedMs * 2 ** Math.min(16, holder.failures - 1))
    holder.owesAnswers = answersToRecover
  }

  #holder(peerId: string): Holder {
    let holder = this.#holders.get(peerId)
    if (holder === undefined) {
      holder = {
        times: createCallTimes(),
        openCalls: 0,
        failures: 0,
        failedAtMs: Number.NEGATIVE_INFINITY,
        excludedUntilMs: Number.NEGATIVE_INFINITY,
        isSuspect: false,
        owesAnswers: 0
      }
      if (this.#holders.size >= holderLimits.holdersMax) this.#forgetOne()
    } else this.#holders.delete(peerId)
    this.#holders.set(peerId, holder)
    return holder
  }

  #forgetOne(): void {
    for (const [peerId, { openCalls }] of this.#holders) {
      if (openCalls > 0) continue
      this.#holders.delete(peerId)
      return
    }
  }
}
