/**
 * How long a holder takes for so many rows: a line through what it took lately, older calls counting less, and how far
 * the slow ones lie above it. Without calls the round trip stands in; what was measured long ago fades towards that, so
 * that a holder that was slow once is tried again.
 */
export interface CallTimes {
  note(rows: number, elapsedMs: number, nowMs: number): void
  noteRoundTrip(roundTripMs: number): void
  readonly roundTripMs: number | null
  readonly calls: number
  /** Expected milliseconds for so many rows. */
  expectedMs(rows: number, nowMs: number): number
  /** 95 of 100 calls are quicker. */
  slowMs(rows: number, nowMs: number): number
}

export const callTimeLimits = Object.freeze({
  /** Of a holder that was never asked. */
  firstGuessMs: 20,
  /** What a call takes beside the round trip, and for each row, until it was measured. */
  overheadMs: 3,
  rowMs: 0.02,
  slowRatioFirst: 3,
  ratiosKept: 64,
  /** So much less does each call count after the next one. */
  decay: 0.95,
  halfLifeMs: 20_000
})

export function createCallTimes(): CallTimes {
  return new FadingCallTimes()
}

class FadingCallTimes implements CallTimes {
  roundTripMs: number | null = null
  calls = 0
  #weight = 0
  #rows = 0
  #ms = 0
  #rowsRows = 0
  #rowsMs = 0
  #notedAtMs = 0
  readonly #ratios: number[] = []

  note(rows: number, elapsedMs: number, nowMs: number): void {
    if (!(elapsedMs >= 0) || !(rows > 0)) return
    const { decay, ratiosKept } = callTimeLimits
    if (this.calls > 0) {
      if (this.#ratios.length === ratiosKept) this.#ratios.shift()
      this.#ratios.push(elapsedMs / Math.max(0.01, this.expectedMs(rows, nowMs)))
    }
    this.#weight = this.#weight * decay + 1
    this.#rows = this.#rows * decay + rows
    this.#ms = this.#ms * decay + elapsedMs
    this.#rowsRows = this.#rowsRows * decay + rows * rows
    this.#rowsMs = this.#rowsMs * decay + rows * elapsedMs
    this.#notedAtMs = nowMs
    this.calls++
  }

  noteRoundTrip(roundTripMs: number): void {
    if (!(roundTripMs >= 0)) return
    // The quickest ones tell of the way, the slow ones of what was busy.
    const last = this.roundTripMs
    this.roundTripMs = last === null || roundTripMs < last ? roundTripMs : last * 0.9 + roundTripMs * 0.1
  }

  expectedMs(rows: number, nowMs: number): number {
    const { firstGuessMs, overheadMs, rowMs, halfLifeMs } = callTimeLimits
    const guessed = (this.roundTripMs ?? firstGuessMs) + overheadMs + rows * rowMs
    if (this.calls === 0) return guessed
    const measured = this.#lineAt(rows)
    if (measured <= guessed) return measured
    return guessed + (measured - guessed) * 0.5 ** (Math.max(0, nowMs - this.#notedAtMs) / halfLifeMs)
  }

  slowMs(rows: number, nowMs: number): number {
    const sorted = this.#ratios.toSorted((a, b) => a - b)
    const ratio = sorted.length < 8 ? callTimeLimits.slowRatioFirst : sorted[Math.ceil(sorted.length * 0.95) - 1]!
    return this.expectedMs(rows, nowMs) * Math.max(1, ratio)
  }

  #lineAt(rows: number): number {
    const meanRows = this.#rows / this.#weight
    const meanMs = this.#ms / this.#weight
    const spread = this.#rowsRows / this.#weight - meanRows * meanRows
    const together = this.#rowsMs / this.#weight - meanRows * meanMs
    const isLine = spread > 1e-6 * meanRows * meanRows
    // More rows never take less, and no rows not less than nothing.
    const slope = Math.min(Math.max(0, isLine ? together / spread : 0), meanMs / meanRows)
    return Math.max(0, meanMs + slope * (rows - meanRows))
  }
}
