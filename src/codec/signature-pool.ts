import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { encodeChecks, type SignatureCheck } from './signature-batch.ts'
import { verifySignature } from './signatures.ts'

/**
 * Verifies signatures away from the thread that decides. What comes together is verified together: a message with a hundred
 * checks costs the asking thread hardly more than one job of the thread pool, of which each signature would need its own.
 * Few checks go to the thread pool all the same, so a quiet node never starts a thread.
 */
export interface SignaturePool {
  /** One verdict for each check, in order. Never throws; the caller bounds what it asks for at once. */
  verify(checks: readonly SignatureCheck[]): Promise<readonly boolean[]>
  /** Ends the threads. What they have not answered is verified on the thread pool. */
  close(): Promise<void>
}

export function createSignaturePool(options: { readonly threadsMax?: number } = {}): SignaturePool {
  return new ThreadedSignaturePool(options.threadsMax ?? Math.max(1, Math.min(4, availableParallelism() - 1)))
}

/** One message is some 20 ms of work: long enough to be worth its way, short enough to share among threads. */
const checksPerMessageMax = 128
/** One at work and one waiting: a thread never waits for us, and nothing else is copied before its time. */
const messagesPerThreadMax = 2
/** Fewer than this at once are not worth a message. */
const checksPerMessageMin = 6

type Waiting = { readonly check: SignatureCheck; readonly resolve: (isRight: boolean) => void }
type Thread = { readonly worker: Worker; readonly messages: (readonly Waiting[])[] }

class ThreadedSignaturePool implements SignaturePool {
  readonly #threadsMax: number
  #threads: Thread[] = []
  #waiting: Waiting[] = []
  #isFlushing = false
  #isClosed = false

  constructor(threadsMax: number) {
    this.#threadsMax = threadsMax
  }

  verify(checks: readonly SignatureCheck[]): Promise<readonly boolean[]> {
    const verdicts = checks.map(check => new Promise<boolean>(resolve => this.#waiting.push({ check, resolve })))
    this.#flushSoon()
    return Promise.all(verdicts)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const threads = this.#threads
    this.#threads = []
    await Promise.all(threads.map(({ worker }) => worker.terminate()))
    for (const { messages } of threads) for (const message of messages) verifyOnThreadPool(message)
    this.#flush()
  }

  /** What is asked for in one turn of the event loop goes out together. */
  #flushSoon(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(() => {
      this.#isFlushing = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#isClosed || (this.#waiting.length < checksPerMessageMin && !this.#threads.some(isBusy))) {
      verifyOnThreadPool(this.#waiting.splice(0))
      return
    }
    while (this.#waiting.length > 0) {
      const thread = this.#freeThread()
      if (thread === undefined) return
      const message = this.#waiting.splice(0, checksPerMessageMax)
      const bytes = encodeChecks(message.map(({ check }) => check))
      thread.messages.push(message)
      thread.worker.ref()
      thread.worker.postMessage(bytes, [bytes.buffer])
    }
  }

  /** The least busy thread, a new one when all have work; undefined when all have enough. */
  #freeThread(): Thread | undefined {
    let best: Thread | undefined
    for (const thread of this.#threads)
      if (thread.messages.length < (best?.messages.length ?? messagesPerThreadMax)) best = thread
    if ((best === undefined || isBusy(best)) && this.#threads.length < this.#threadsMax) return this.#startThread()
    return best
  }

  #startThread(): Thread {
    const source = new URL(`./signature-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
    const thread: Thread = { worker: new Worker(source, { name: 'signatures' }), messages: [] }
    thread.worker.on('message', (verdicts: Uint8Array) => this.#answered(thread, verdicts))
    // A thread that fails must not take a vertex with it: whatever it held is verified elsewhere.
    thread.worker.on('error', () => this.#lost(thread))
    thread.worker.on('exit', () => this.#lost(thread))
    this.#threads.push(thread)
    return thread
  }

  #answered(thread: Thread, verdicts: Uint8Array): void {
    const message = thread.messages.shift()!
    if (thread.messages.length === 0) thread.worker.unref()
    for (const [place, { resolve }] of message.entries()) resolve(verdicts[place] === 1)
    if (this.#waiting.length > 0) this.#flush()
  }

  #lost(thread: Thread): void {
    const place = this.#threads.indexOf(thread)
    if (place === -1) return
    this.#threads.splice(place, 1)
    for (const message of thread.messages.splice(0)) verifyOnThreadPool(message)
    this.#flushSoon()
  }
}

function isBusy(thread: Thread): boolean {
  return thread.messages.length > 0
}

function verifyOnThreadPool(waiting: readonly Waiting[]): void {
  for (const { check, resolve } of waiting)
    void verifySignature(check.publicKey, check.message, check.signature).then(resolve)
}
