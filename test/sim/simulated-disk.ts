import type { CertifiedCheckpoint } from '../../src/consensus/core/votes.ts'
import type { Vertex } from '../../src/consensus/index.ts'
import type { Random } from './random.ts'
import type { Checkpoint, Executed, Ledger } from './simulated-ledger.ts'

export type Snapshot = {
  readonly ledger: Ledger
  readonly checkpoint: Checkpoint
  readonly certificate: CertifiedCheckpoint
  /** The last commits: a node that begins here has to know what is committed already. */
  readonly recent: readonly Executed[]
  /** Bytes that do not hash to the checkpoint's state root. */
  readonly isForged: boolean
}

/** One record of a batch. */
export type Part =
  | { readonly kind: 'vertex'; readonly vertex: Vertex }
  | { readonly kind: 'commit'; readonly executed: Executed }
  | {
      readonly kind: 'certificate'
      readonly certificate: CertifiedCheckpoint
      readonly checkpoint: Checkpoint | undefined
    }
  /** Signed by enough to order, not by enough to be final. */
  | { readonly kind: 'ordered'; readonly certificate: CertifiedCheckpoint; readonly checkpoint: Checkpoint }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'installed'; readonly snapshot: Snapshot }
  | { readonly kind: 'pruned'; readonly belowIndex: number }

/** A batch is written whole or not at all: `partsCount` stands for the checksum that LevelDB's log keeps. */
type Batch = { readonly parts: readonly Part[]; readonly partsCount: number }

/** The process dies at this very write. */
export class CrashSignal extends Error {
  readonly how: CrashPoint

  constructor(how: CrashPoint) {
    super(`crash ${how} a write`)
    this.how = how
  }
}

export type CrashPoint = 'before' | 'within' | 'after'

/** What a reader of the store sees. */
export class DiskImage {
  readonly vertices = new Map<string, Vertex>()
  commits: Executed[] = []
  readonly certificates = new Map<number, { certificate: CertifiedCheckpoint; checkpoint: Checkpoint | undefined }>()
  readonly orderCertificates = new Map<number, { certificate: CertifiedCheckpoint; checkpoint: Checkpoint }>()
  readonly checkpoints = new Map<number, Checkpoint>()
  base: Snapshot | undefined
  snapshot: Snapshot | undefined

  get oldestCommitIndex(): number {
    return this.commits[0]?.commit.index ?? (this.base?.checkpoint.commitIndex ?? 0) + 1
  }

  commit(index: number): Executed | undefined {
    return this.commits[index - this.oldestCommitIndex]
  }

  apply(part: Part): void {
    if (part.kind === 'vertex') this.vertices.set(part.vertex.digest, part.vertex)
    if (part.kind === 'commit') this.commits.push(part.executed)
    if (part.kind === 'certificate') this.certificates.set(part.certificate.sequence, part)
    if (part.kind === 'ordered') this.orderCertificates.set(part.certificate.sequence, part)
    if (part.kind === 'snapshot') this.snapshot = part.snapshot
    if (part.kind === 'pruned') {
      this.base = this.snapshot
      this.commits = this.commits.filter(({ commit }) => commit.index >= part.belowIndex)
    }
    if (part.kind !== 'installed') return
    this.base = part.snapshot
    this.snapshot = part.snapshot
    this.commits = [...part.snapshot.recent]
    this.certificates.clear()
    const { certificate, checkpoint } = part.snapshot
    this.certificates.set(certificate.sequence, { certificate, checkpoint })
  }
}

/** A log of batches. What was synced stays; of the rest any beginning may, and the next batch in part. */
export class SimulatedDisk {
  image = new DiskImage()
  writes = 0
  #log: Batch[] = []
  #syncedCount = 0
  readonly #syncPoints: number[] = []
  #crashAtWrite: { readonly write: number; readonly how: CrashPoint } | undefined

  get isEmpty(): boolean {
    return this.#log.length === 0
  }

  get batches(): number {
    return this.#log.length
  }

  armCrash(inWrites: number, how: CrashPoint): void {
    this.#crashAtWrite = { write: this.writes + inWrites, how }
  }

  disarm(): void {
    this.#crashAtWrite = undefined
  }

  /** Throws CrashSignal when the process dies here. Returns how many batches have to be synced to make this one durable. */
  append(parts: readonly Part[]): number {
    this.writes++
    const crash = this.#crashAtWrite
    const isNow = crash !== undefined && this.writes >= crash.write
    if (isNow) this.#crashAtWrite = undefined
    if (isNow && crash.how === 'before') throw new CrashSignal('before')
    if (isNow && crash.how === 'within') {
      this.#log.push({ parts: parts.slice(0, parts.length >> 1), partsCount: parts.length })
      throw new CrashSignal('within')
    }
    this.#log.push({ parts, partsCount: parts.length })
    for (const part of parts) this.image.apply(part)
    if (isNow) throw new CrashSignal('after')
    return this.#log.length
  }

  synced(count: number): void {
    if (count <= this.#syncedCount) return
    this.#syncedCount = count
    this.#syncPoints.push(count)
  }

  /** Power goes: of what was not synced a beginning is left, perhaps with half a batch at its end. */
  powerCut(random: Random): { lost: number; torn: number } {
    const unsynced = this.#log.length - this.#syncedCount
    const kept = this.#syncedCount + random.integer(0, unsynced)
    const next = this.#log[kept]
    const lost = this.#log.length - kept
    this.#log.length = kept
    const isTorn = next !== undefined && next.parts.length > 1 && random.chance(0.5)
    if (isTorn)
      this.#log.push({
        parts: next.parts.slice(0, random.integer(1, next.parts.length - 1)),
        partsCount: next.partsCount
      })
    return { lost, torn: isTorn ? 1 : 0 }
  }

  /** As LevelDB reads its log: the first batch that is not whole ends it. Returns how many were dropped. */
  reopen(): number {
    const end = this.#log.findIndex(batch => batch.parts.length !== batch.partsCount)
    const dropped = end === -1 ? 0 : this.#log.length - end
    if (end !== -1) this.#log.length = end
    this.#syncedCount = this.#log.length
    if (this.#syncPoints.at(-1) !== this.#log.length) this.#syncPoints.push(this.#log.length)
    this.image = new DiskImage()
    for (const batch of this.#log) for (const part of batch.parts) this.image.apply(part)
    return dropped
  }

  /** The store as it was at an earlier sync: a copy put back, a disk that lied. Returns the batches lost. */
  rollBack(random: Random): number {
    const points = this.#syncPoints.filter(point => point < this.#log.length)
    const point = points.length === 0 ? 0 : random.pick(points)
    const lost = this.#log.length - point
    this.#cut(point)
    return lost
  }

  wipe(): number {
    const lost = this.#log.length
    this.#cut(0)
    return lost
  }

  #cut(count: number): void {
    this.#log.length = count
    this.#syncedCount = Math.min(this.#syncedCount, count)
    while ((this.#syncPoints.at(-1) ?? 0) > count) this.#syncPoints.pop()
  }
}
