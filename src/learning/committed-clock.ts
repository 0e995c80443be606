/**
 * Committed time between commits. Each commit says what time it was at least; the most that any of the last ones says, with
 * the time gone by here since then, is the best guess. No wall clock: one that is an hour wrong changes nothing.
 */
export interface CommittedClock {
  note(committedMs: number): void
  nowMs(): number
}

const samplesMax = 64

export function createCommittedClock(monotonicMs: () => number): CommittedClock {
  const offsets: number[] = []
  return {
    note(committedMs) {
      offsets.push(committedMs - monotonicMs())
      if (offsets.length > samplesMax) offsets.shift()
    },
    nowMs: () => (offsets.length === 0 ? 0 : Math.round(Math.max(...offsets) + monotonicMs()))
  }
}
