import type { Database, Write } from '../storage/index.ts'
import type { Commit } from './core/commit.ts'
import type { Vertex } from './core/vertex.ts'
import type { CommitExecuted, CommitToExecute, ExecutionPort } from './execution-port.ts'
import type { VertexStore } from './vertex-store.ts'

export type JournalNeeds = {
  readonly database: Database
  readonly store: VertexStore
  readonly execution: ExecutionPort
  readonly onExecuted: (commitIndex: number, outcome: CommitExecuted) => void
  readonly onFailed: (error: unknown) => void
}

const commitsPerBatchMax = 32
const flushAfterMs = 100

/**
 * All writes of the quorum, in one order. Vertices of others wait a moment and go out with the next batch: with our own
 * next vertex (durably, before it is shown) or with the commit that holds them (before it is announced).
 */
export class Journal {
  readonly #needs: JournalNeeds
  #waiting: Write[] = []
  #flushTimer: NodeJS.Timeout | undefined
  #commits: { commit: Commit; write: Write; executed: CommitToExecute }[] = []
  #executing: Promise<void> | undefined
  #lastWrite: Promise<void> = Promise.resolve()
  #hasFailed = false

  constructor(needs: JournalNeeds) {
    this.#needs = needs
  }

  add(vertices: readonly Vertex[]): void {
    for (const vertex of vertices) this.#waiting.push(...this.#needs.store.writesOf(vertex))
    this.#flushSoon()
  }

  addWrite(write: Write): void {
    this.#waiting.push(write)
    this.#flushSoon()
  }

  /** Resolves once our vertex and everything before it are on disk. */
  async keepOwn(vertex: Vertex): Promise<void> {
    this.#waiting.push(...this.#needs.store.writesOf(vertex))
    await this.#flush([], true)
  }

  /** Executes in order, some commits at a time; what they change is written in the batch that holds them. */
  execute(executed: CommitToExecute, bytes: Uint8Array): void {
    this.#commits.push({
      commit: executed.commit,
      write: this.#needs.store.commitWrite(executed.commit, bytes),
      executed
    })
    this.#executing ??= this.#executeAll().catch(error => this.#fail(error))
  }

  /** Resolves once everything handed over is executed and on disk. */
  async settled(): Promise<void> {
    await this.#executing
    await this.#flush([], true)
  }

  async close(): Promise<void> {
    clearTimeout(this.#flushTimer)
    await this.#executing
    if (!this.#hasFailed) await this.#flush([], true)
    await this.#lastWrite.catch(() => {})
  }

  async #executeAll(): Promise<void> {
    // What arrived in the same turn of the event loop goes into one batch.
    await Promise.resolve()
    while (this.#commits.length > 0 && !this.#hasFailed) {
      const batch = this.#commits.splice(0, commitsPerBatchMax)
      const outcomes = batch.map(({ executed }) => this.#needs.execution.execute(executed))
      const writes = batch.map(({ write }) => write)
      for (const outcome of outcomes) writes.push(...outcome.writes)
      await this.#flush(
        writes,
        outcomes.some(outcome => outcome.checkpoint !== undefined)
      )
      for (const [place, outcome] of outcomes.entries()) {
        outcome.announce()
        this.#needs.onExecuted(batch[place]!.commit.index, outcome)
      }
    }
    this.#executing = undefined
  }

  #flushSoon(): void {
    this.#flushTimer ??= setTimeout(() => {
      this.#flush([], false).catch(error => this.#fail(error))
    }, flushAfterMs)
  }

  #flush(more: readonly Write[], durable: boolean): Promise<void> {
    clearTimeout(this.#flushTimer)
    this.#flushTimer = undefined
    const writes = [...this.#waiting, ...more]
    this.#waiting = []
    if (this.#hasFailed) return Promise.reject(new Error('an earlier write failed'))
    // One after the other: a commit must not reach the disk before the vertices it names.
    this.#lastWrite = this.#lastWrite.then(() => this.#needs.database.write(writes, { durable }))
    return this.#lastWrite
  }

  #fail(error: unknown): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#needs.onFailed(error)
  }
}
