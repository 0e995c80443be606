import { Worker } from 'node:worker_threads'
import { BlyanError } from '../errors/index.ts'
import type { Precision } from '../experts/index.ts'
import { readCheckpointHead } from './checkpoint-head.ts'
import type { FromWorker, ImportPlan, ToWorker, WorkerInput } from './import-protocol.ts'

/** A checkpoint that is being read in a thread of its own. */
export interface CheckpointImport {
  readonly plan: ImportPlan
  /**
   * The data of the parts with these numbers, one after the other, each to be taken whole before the next. At most
   * `aheadBytesMax` wait in memory. Throws what a weight that cannot be used throws.
   */
  read(parts: readonly number[]): AsyncGenerator<{ readonly part: number; readonly data: AsyncIterable<Uint8Array> }>
  /** Ends the thread at once; what is read after it throws IMPORT_STOPPED. */
  close(): Promise<void>
}

/** Starts the thread; everything but the values of weights is checked when this resolves. */
export async function openCheckpointImport(input: {
  readonly folder: string
  readonly precision: Precision
}): Promise<CheckpointImport> {
  const { folder, precision } = input
  const opened = new ThreadedImport({ folder, head: await readCheckpointHead(folder, precision) })
  try {
    await opened.begin()
    return opened
  } catch (error) {
    await opened.close()
    throw error
  }
}

class ThreadedImport implements CheckpointImport {
  readonly #worker: Worker
  /** What arrived and was not taken; bounded, because the thread waits to be told what was. */
  readonly #arrived: FromWorker[] = []
  #arrival = Promise.withResolvers<void>()
  #failure: unknown
  #plan: ImportPlan | undefined

  constructor(workerData: WorkerInput) {
    const source = new URL(`./import-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
    this.#worker = new Worker(source, { workerData, name: 'import' })
    this.#worker.on('message', (message: FromWorker) => this.#arrive(message))
    this.#worker.on('error', error => this.#fail(error))
    this.#worker.on('exit', () => this.#fail(new BlyanError('IMPORT_STOPPED')))
  }

  get plan(): ImportPlan {
    return this.#plan!
  }

  async begin(): Promise<void> {
    const message = await this.#next()
    if (message.kind !== 'plan') throw new Error(`the import thread began with ${message.kind}`)
    this.#plan = message.plan
  }

  async *read(
    parts: readonly number[]
  ): AsyncGenerator<{ readonly part: number; readonly data: AsyncIterable<Uint8Array> }> {
    this.#tell({ kind: 'read', parts })
    for (const part of parts) yield { part, data: this.#dataOf(part) }
  }

  async close(): Promise<void> {
    // What arrived already is not taken any more: a stop is a stop.
    this.#arrived.length = 0
    this.#fail(new BlyanError('IMPORT_STOPPED'))
    await this.#worker.terminate()
  }

  async *#dataOf(part: number): AsyncGenerator<Uint8Array> {
    for (;;) {
      const message = await this.#next()
      if (message.kind === 'end' && message.part === part) return
      if (message.kind !== 'chunk' || message.part !== part)
        throw new Error('parts of an import must be taken in order')
      yield message.bytes
      // Asked for more, the taker is done with these, or holds few of them.
      this.#tell({ kind: 'taken', bytes: message.bytes.length })
    }
  }

  async #next(): Promise<FromWorker> {
    while (this.#arrived.length === 0) {
      if (this.#failure !== undefined) throw this.#failure
      await this.#arrival.promise
    }
    return this.#arrived.shift()!
  }

  #tell(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  #arrive(message: FromWorker): void {
    if (message.kind === 'failed') {
      this.#fail(message.code === null ? new Error(message.message) : new BlyanError(message.code, message.payload))
      return
    }
    this.#arrived.push(message)
    this.#wake()
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    this.#wake()
  }

  #wake(): void {
    this.#arrival.resolve()
    this.#arrival = Promise.withResolvers()
  }
}
