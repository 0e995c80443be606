import type { Vote } from '../consensus/index.ts'
import type { Checkpoint } from './core/checkpoint.ts'
import type { Executor } from './core/executor.ts'
import type { StateMemory } from './core/state.ts'

/** A checkpoint whose state can still be told, because what changed since is remembered. */
export type Remembered = {
  readonly checkpoint: Checkpoint
  readonly bytes: Uint8Array
  readonly executor: Executor
  readonly memory: StateMemory
  /** Blocks of chain B at the checkpoint. */
  readonly partHeight: number
}

export type CertifiedMoment = Remembered & { readonly votes: readonly Vote[] }

const certificatesMax = 32

/**
 * Chooses the checkpoints that become snapshots, alike at every node, so that their chunks are alike: the first that
 * ends no epoch after every `everyCommits` commits. It waits until the checkpoint is both on disk and certified; until
 * then, and while it is written, the state remembers what it was.
 */
export class SnapshotMaker {
  readonly #everyCommits: number
  readonly #onReady: (moment: CertifiedMoment) => void
  readonly #certificates = new Map<number, readonly Vote[]>()
  #newest: Remembered | undefined
  #candidate: Remembered | undefined
  #storedSequence = 0
  #isWanted = false
  /** Handed out and not done with. */
  readonly #written = new Set<number>()
  /** How many times `everyCommits` had passed at the checkpoint before. */
  #dueFrom = 0

  constructor(everyCommits: number, onReady: (moment: CertifiedMoment) => void) {
    this.#everyCommits = everyCommits
    this.#onReady = onReady
  }

  /** A checkpoint was executed: the state stands exactly there. */
  executed(checkpoint: Checkpoint, bytes: Uint8Array, executor: Executor): void {
    const before = this.#newest
    this.#newest = undefined
    if (before !== undefined) this.#releaseIfUnused(before)
    const isDue = this.#isWanted || this.#isDue(checkpoint.commitIndex)
    this.#isWanted = isDue
    if (checkpoint.nextSet !== undefined) return
    const memory = executor.state.remember()
    this.#newest = { checkpoint, bytes, executor, memory, partHeight: executor.chain('B').height }
    if (isDue && this.#candidate === undefined) this.#choose(this.#newest)
  }

  /** Everything up to this checkpoint is on disk. */
  stored(sequence: number): void {
    this.#storedSequence = Math.max(this.#storedSequence, sequence)
    this.#check()
  }

  certified(sequence: number, votes: readonly Vote[]): void {
    this.#certificates.set(sequence, votes)
    if (this.#certificates.size > certificatesMax) this.#certificates.delete(this.#certificates.keys().next().value!)
    this.#check()
  }

  /** A snapshot is asked for: of the newest checkpoint, or of the next. False when there is none to make one of yet. */
  want(): boolean {
    this.#isWanted = true
    const hasOne = this.#candidate !== undefined || this.#newest !== undefined
    if (this.#candidate === undefined && this.#newest !== undefined) this.#choose(this.#newest)
    return hasOne
  }

  /** The moment that was handed out is written, or could not be. */
  done(moment: Remembered): void {
    this.#written.delete(moment.checkpoint.sequence)
    this.#releaseIfUnused(moment)
  }

  /** The state begins at this commit, or another one takes its place. */
  reset(commitIndex: number): void {
    for (const moment of [this.#newest, this.#candidate]) moment?.executor.state.forget(moment.memory)
    this.#newest = undefined
    this.#candidate = undefined
    this.#certificates.clear()
    this.#storedSequence = 0
    this.#dueFrom = Math.floor(commitIndex / this.#everyCommits)
  }

  #releaseIfUnused(moment: Remembered): void {
    const { sequence } = moment.checkpoint
    const uses = [this.#newest, this.#candidate].map(used => used?.checkpoint.sequence)
    if (!uses.includes(sequence) && !this.#written.has(sequence)) moment.executor.state.forget(moment.memory)
  }

  #isDue(commitIndex: number): boolean {
    const turn = Math.floor(commitIndex / this.#everyCommits)
    const isDue = turn > this.#dueFrom
    this.#dueFrom = Math.max(turn, this.#dueFrom)
    return isDue
  }

  #choose(moment: Remembered): void {
    this.#candidate = moment
    this.#check()
  }

  #check(): void {
    const candidate = this.#candidate
    if (candidate === undefined) return
    const { sequence } = candidate.checkpoint
    const votes = this.#certificates.get(sequence)
    if (votes !== undefined && this.#storedSequence >= sequence) {
      this.#candidate = undefined
      this.#isWanted = false
      this.#written.add(sequence)
      this.#onReady({ ...candidate, votes })
    } else if (votes === undefined && [...this.#certificates.keys()].some(later => later > sequence)) {
      // A later one was certified in its place: that one, or the next.
      this.#candidate = undefined
      this.#releaseIfUnused(candidate)
      if (this.#newest !== undefined && this.#newest !== candidate) this.#choose(this.#newest)
    }
  }
}
