import type { SyncPhase, SyncStatus } from './status-types.ts'

/** What the quorum says of catching up, as far as it knows. */
export type SyncInput = {
  readonly phase: SyncPhase
  readonly commit: number
  readonly targetCommit: number
  readonly bytesDone: number
  readonly bytesTotal: number
}

const windowMs = 10_000
const sampleEveryMs = 250

/** Rates over the last seconds, from what is seen now and then. Time is given, so that a test can tell it. */
export class SyncProgress {
  #phase: SyncPhase | undefined
  #samples: { atMs: number; commit: number; bytes: number }[] = []

  /** `undefined` when nothing is being caught up. */
  see(nowMs: number, input: SyncInput | undefined): SyncStatus | null {
    if (input === undefined) {
      this.#phase = undefined
      this.#samples = []
      return null
    }
    // A snapshot moves the commit by thousands at once: each phase has its own rate.
    if (input.phase !== this.#phase) this.#samples = []
    this.#phase = input.phase
    const last = this.#samples.at(-1)
    if (last === undefined || nowMs - last.atMs >= sampleEveryMs)
      this.#samples.push({ atMs: nowMs, commit: input.commit, bytes: input.bytesDone })
    while (this.#samples.length > 2 && nowMs - this.#samples[0]!.atMs > windowMs) this.#samples.shift()
    const first = this.#samples[0]!
    const perSecond = (done: number): number =>
      nowMs <= first.atMs ? 0 : Math.max(0, Math.round((done * 1000) / (nowMs - first.atMs)))
    const commitsPerSecond = perSecond(input.commit - first.commit)
    const bytesPerSecond = perSecond(input.bytesDone - first.bytes)
    const etaMs =
      input.phase === 'snapshot'
        ? timeLeftMs(input.bytesTotal - input.bytesDone, bytesPerSecond)
        : timeLeftMs(input.targetCommit - input.commit, commitsPerSecond)
    return { ...input, commitsPerSecond, bytesPerSecond, etaMs }
  }
}

/** The line for people: what is being fetched, how far, how fast, how long still. */
export function syncText(sync: SyncStatus): string {
  const left = sync.etaMs === null ? 'time left unknown' : `${durationText(sync.etaMs)} left`
  if (sync.phase === 'snapshot') {
    const share = sync.bytesTotal === 0 ? 0 : Math.floor((sync.bytesDone * 100) / sync.bytesTotal)
    return `snapshot: ${megabytes(sync.bytesDone)} of ${megabytes(sync.bytesTotal)} MB (${share}%), ${megabytes(sync.bytesPerSecond)} MB a second, ${left}`
  }
  return `${sync.phase}: commit ${sync.commit} of ${sync.targetCommit}, ${sync.commitsPerSecond} a second, ${left}`
}

export function durationText(durationMs: number): string {
  const seconds = Math.ceil(durationMs / 1000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.ceil(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

function timeLeftMs(remaining: number, perSecond: number): number | null {
  if (remaining <= 0) return 0
  return perSecond === 0 ? null : Math.round((remaining * 1000) / perSecond)
}
