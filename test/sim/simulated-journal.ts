import type { Effect } from '../../src/consensus/core/replica-types.ts'
import type { Part, SimulatedDisk } from './simulated-disk.ts'
import type { Checkpoint, Executed, Ledger } from './simulated-ledger.ts'
import { eventIds } from './vertex-verdicts.ts'

const commitsPerBatchMax = 32
const flushAfterMs = 100

export type ExecutedOutcome = {
  readonly commitIndex: number
  readonly ordered: readonly string[]
  readonly early: readonly string[]
  readonly eventsSinceCheckpoint: number
  readonly checkpoint: Checkpoint | undefined
  readonly epochClosesAt: number | undefined
}

export type JournalNeeds = {
  readonly disk: SimulatedDisk
  readonly ledger: Ledger
  /** Runs `what` after a delay, unless the process has died by then. */
  readonly later: (delayMs: number, what: () => void) => void
  readonly nowMs: () => number
  readonly latencyMs: () => number
  readonly onCommit: (executed: Executed) => void
  readonly onExecuted: (outcome: ExecutedOutcome) => void
}

/** All writes of a node in one order, batched as src/consensus/journal.ts does it. */
export class SimulatedJournal {
  readonly #needs: JournalNeeds
  #waiting: Part[] = []
  #isFlushDue = false
  #queue: Executed[] = []
  #isExecuting = false
  #lastEndsAtMs = 0

  constructor(needs: JournalNeeds) {
    this.#needs = needs
  }

  add(part: Part): void {
    this.#waiting.push(part)
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    this.#needs.later(flushAfterMs, () => this.#flush([], false, () => {}))
  }

  /** Calls back once the part and everything before it are on disk. */
  keep(part: Part, done: () => void): void {
    this.#waiting.push(part)
    this.#flush([], true, done)
  }

  /** What waits goes to the disk now; nothing more is executed here. */
  settle(): void {
    this.#flush([], false, () => {})
  }

  execute(effect: Extract<Effect, { kind: 'commit' }>): void {
    const { commit, commitBytes, digest, vertices } = effect
    this.#queue.push({ commit, bytes: commitBytes, digest, ids: vertices.flatMap(eventIds) })
    if (this.#isExecuting) return
    this.#isExecuting = true
    this.#needs.later(0, () => this.#executeSome())
  }

  #executeSome(): void {
    const batch = this.#queue.splice(0, commitsPerBatchMax)
    if (batch.length === 0) {
      this.#isExecuting = false
      return
    }
    const { ledger } = this.#needs
    const outcomes = batch.map((executed): ExecutedOutcome => {
      const outcome = ledger.execute(executed)
      this.#needs.onCommit(executed)
      return {
        commitIndex: executed.commit.index,
        ...outcome,
        eventsSinceCheckpoint: ledger.eventsSinceCheckpoint,
        epochClosesAt: ledger.epochClosesAt
      }
    })
    const parts = batch.map((executed): Part => ({ kind: 'commit', executed }))
    const isDurable = outcomes.some(outcome => outcome.checkpoint !== undefined)
    this.#flush(parts, isDurable, () => {
      for (const outcome of outcomes) this.#needs.onExecuted(outcome)
      this.#executeSome()
    })
  }

  #flush(more: readonly Part[], isDurable: boolean, done: () => void): void {
    const { disk, later, nowMs, latencyMs } = this.#needs
    const parts = [...this.#waiting, ...more]
    this.#waiting = []
    this.#isFlushDue = false
    const count = parts.length === 0 ? disk.batches : disk.append(parts)
    this.#lastEndsAtMs = Math.max(this.#lastEndsAtMs, nowMs()) + (isDurable ? latencyMs() : 0)
    later(this.#lastEndsAtMs - nowMs(), () => {
      if (isDurable) disk.synced(count)
      done()
    })
  }
}
