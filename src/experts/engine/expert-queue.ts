import { BlyanError } from '../../errors/index.ts'
import type { EnginePriority, ExpertLoadRequest } from './engine-types.ts'
import { cut, joinRows } from './packed-rows.ts'
import type { Turns } from './turns.ts'

/** Rows for experts from many callers: what waits for one expert runs through it at once. */
export interface ExpertQueue {
  readonly rowsWaiting: number
  /** One result a load, in order. Throws ENGINE_BUSY, the reason of the aborted signal, or what the run threw. */
  run(loads: readonly ExpertLoadRequest[], priority: EnginePriority, signal: AbortSignal): Promise<Float32Array[]>
}

export type ExpertQueueNeeds = {
  readonly width: number
  readonly rowsWaitingMax: number
  readonly turns: Turns
  /** Runs one expert on rows [N, width]. */
  readonly runExpert: (name: string, rows: Float32Array) => Promise<Float32Array>
}

export function createExpertQueue(needs: ExpertQueueNeeds): ExpertQueue {
  return new BatchingExpertQueue(needs)
}

type Waiting = {
  readonly rows: Float32Array
  readonly signal: AbortSignal
  readonly settle: (outcome: { result: Float32Array } | { error: unknown }) => void
}

const rowsAtOnceMax = 1024

class BatchingExpertQueue implements ExpertQueue {
  readonly #needs: ExpertQueueNeeds
  /** In the order of arrival: the first key waits longest. */
  readonly #waiting: Readonly<Record<EnginePriority, Map<string, Waiting[]>>> = {
    answer: new Map(),
    background: new Map()
  }
  rowsWaiting = 0
  #isRunning = false

  constructor(needs: ExpertQueueNeeds) {
    this.#needs = needs
  }

  async run(
    loads: readonly ExpertLoadRequest[],
    priority: EnginePriority,
    signal: AbortSignal
  ): Promise<Float32Array[]> {
    const { width, rowsWaitingMax } = this.#needs
    const rows = loads.reduce((sum, load) => sum + load.rows.length / width, 0)
    if (this.rowsWaiting > 0 && this.rowsWaiting + rows > rowsWaitingMax) {
      throw new BlyanError('ENGINE_BUSY', { openRequests: this.rowsWaiting })
    }
    const results = loads.map(load => this.#put(load, priority, signal))
    void this.#drain()
    return Promise.all(results)
  }

  #put(load: ExpertLoadRequest, priority: EnginePriority, signal: AbortSignal): Promise<Float32Array> {
    const queue = this.#waiting[priority]
    this.rowsWaiting += load.rows.length / this.#needs.width
    return new Promise((resolve, reject) => {
      const settle: Waiting['settle'] = outcome =>
        'error' in outcome ? reject(outcome.error) : resolve(outcome.result)
      const list = queue.get(load.name)
      const entry = { rows: load.rows, signal, settle }
      if (list === undefined) queue.set(load.name, [entry])
      else list.push(entry)
    })
  }

  async #drain(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    const { turns } = this.#needs
    const { answer, background } = this.#waiting
    while (answer.size + background.size > 0) {
      if (answer.size === 0) await turns.background()
      const queue = answer.size > 0 ? answer : background
      if (queue === answer) turns.enter()
      try {
        await this.#runFirst(queue)
      } finally {
        if (queue === answer) turns.leave()
      }
    }
    this.#isRunning = false
  }

  async #runFirst(queue: Map<string, Waiting[]>): Promise<void> {
    const [name] = queue.keys()
    const batch = this.#take(queue, name!)
    if (batch.length === 0) return
    try {
      const result = await this.#needs.runExpert(name!, joinRows(batch.map(entry => entry.rows)))
      const lengths = batch.map(entry => entry.rows.length)
      for (const [i, own] of cut(result, lengths).entries()) batch[i]!.settle({ result: own })
    } catch (error) {
      for (const entry of batch) entry.settle({ error })
    }
  }

  /** What may run at once of what waits for an expert; what was given up meanwhile is settled on the way. */
  #take(queue: Map<string, Waiting[]>, name: string): Waiting[] {
    const { width } = this.#needs
    const list = queue.get(name)!
    const batch: Waiting[] = []
    let rows = 0
    while (list.length > 0 && (batch.length === 0 || rows + list[0]!.rows.length / width <= rowsAtOnceMax)) {
      const entry = list.shift()!
      this.rowsWaiting -= entry.rows.length / width
      if (entry.signal.aborted) {
        entry.settle({ error: entry.signal.reason })
        continue
      }
      batch.push(entry)
      rows += entry.rows.length / width
    }
    queue.delete(name)
    if (list.length > 0) queue.set(name, list)
    return batch
  }
}
