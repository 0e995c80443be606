import { digestOfCid, parseCid } from '../codec/index.ts'
import { decodeCommit } from '../consensus/index.ts'
import { type Database, tableKey, tableRange, type Write } from '../storage/index.ts'
import { decodeRecord, numberAt } from './chain-records.ts'
import type { Chains } from './chains.ts'
import { decodeBlock } from './core/block.ts'
import { type Checkpoint, decodeCheckpoint } from './core/checkpoint.ts'
import { type History, historyWrite } from './database-notes.ts'

export type PrunerNeeds = {
  readonly database: Database
  readonly chains: Chains
  readonly gcDepthRounds: number
  /** Commits that stay, counted from the last. */
  readonly keepCommits: number
  readonly logger: {
    info(fields: object, text: string): void
    warn(fields: object, text: string): void
  }
}

/** Takes old history away in small steps while the node works, and gives its disk space back. */
export interface Pruner {
  start(): void
  /** Prunes now what may go. Gives the number of commits that went. */
  run(): Promise<number>
  stop(): Promise<void>
}

export function createPruner(needs: PrunerNeeds): Pruner {
  return new HistoryPruner(needs)
}

const everyMs = 60_000
const writesPerBatch = 2000

class HistoryPruner implements Pruner {
  readonly #needs: PrunerNeeds
  #timer: NodeJS.Timeout | undefined
  #running: Promise<unknown> = Promise.resolve()
  #isStopped = false

  constructor(needs: PrunerNeeds) {
    this.#needs = needs
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running = this.run().catch(error =>
        this.#needs.logger.warn({ reason: String(error) }, 'history was not pruned')
      )
    }, everyMs)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    await this.#running
  }

  async run(): Promise<number> {
    const horizon = await this.#horizon()
    if (horizon === undefined) return 0
    const { chains, database, logger } = this.#needs
    const before = chains.history
    const history: History = {
      firstCommit: horizon.commitIndex + 1,
      firstEvent: horizon.eventFirst + horizon.eventCount,
      afterCheckpoint: horizon.sequence
    }
    const startedAtMs = performance.now()
    // First the note, then the deeds: what a crash leaves lies below the note and goes with the next turn.
    await database.write([historyWrite(history)], { durable: true })
    chains.noteHistory(history)
    await this.#removeEvents(history)
    await this.#removeCommits(history)
    await this.#removeVertices(horizon)
    for (const table of ['e', 's', 'c', 'j', 'k', 'o', 'q', 'r', 'v', 'b', 'i'])
      if (!this.#isStopped) await database.compact(tableRange(table))
    const commits = history.firstCommit - before.firstCommit
    const elapsedMs = Math.round(performance.now() - startedAtMs)
    logger.info({ commits, firstCommit: history.firstCommit, elapsedMs }, 'old history pruned')
    return commits
  }

  /** The checkpoint that history is to begin after; undefined while too little would go. */
  async #horizon(): Promise<Checkpoint | undefined> {
    const { chains, database, gcDepthRounds, keepCommits } = this.#needs
    const oldestSnapshot = (await chains.snapshots.shelf.list())[0]
    if (oldestSnapshot === undefined) return undefined
    const last = chains.snapshots.executedCommitIndex
    const limit = Math.min(last - keepCommits, oldestSnapshot.manifest.checkpoint.commitIndex)
    // Reclaiming space rewrites what stays, so it waits until it is worth it.
    if (limit + 1 - chains.history.firstCommit < keepCommits / 4) return undefined
    const lastRound = await this.#roundOf(last)
    for await (const [, value] of database.range({
      from: tableKey('j'),
      to: tableKey('j', limit + 1),
      reverse: true,
      limit: 1
    })) {
      const bytes = await database.get(tableKey('k', numberAt(value, 0)))
      if (bytes === undefined) return undefined
      const checkpoint = decodeCheckpoint(bytes)
      const round = await this.#roundOf(checkpoint.commitIndex)
      const isOld = round !== undefined && lastRound !== undefined && round < lastRound - gcDepthRounds
      return isOld && checkpoint.commitIndex >= chains.history.firstCommit ? checkpoint : undefined
    }
    return undefined
  }

  async #roundOf(commitIndex: number): Promise<number | undefined> {
    const bytes = await this.#needs.database.get(tableKey('c', commitIndex))
    return bytes === undefined ? undefined : decodeCommit(bytes).round
  }

  /** Events, and blocks of chains A, C and D that were made of them and are no head. Chain B stays: the model is made of it. */
  async #removeEvents({ firstEvent }: History): Promise<void> {
    const { database } = this.#needs
    const range = { from: tableKey('s'), to: tableKey('s', firstEvent) }
    await this.#remove(range, async (key, digest) => {
      const record = await database.get(tableKey('e', digest))
      const writes: Write[] = [gone(key), gone(tableKey('e', digest))]
      const block = record === undefined ? null : decodeRecord(record).block
      return block === null ? writes : [...writes, ...(await this.#blockRemoval(block))]
    })
  }

  async #blockRemoval(cidText: string): Promise<Write[]> {
    const { database, chains } = this.#needs
    const digest = digestOfCid(parseCid(cidText))
    const bytes = await database.get(tableKey('b', digest))
    if (bytes === undefined) return []
    const { chain_id, index } = decodeBlock(bytes).header
    const { head } = chains.head(chain_id)
    if (chain_id === 'B' || head?.toString() === cidText) return []
    return [gone(tableKey('b', digest)), gone(tableKey('i', chain_id, index))]
  }

  /** Checkpoints that ended an epoch stay: they show who the validators are. */
  async #removeCommits({ firstCommit, afterCheckpoint }: History): Promise<void> {
    await this.#removeKeys({ from: tableKey('c'), to: tableKey('c', firstCommit) })
    await this.#remove({ from: tableKey('k'), to: tableKey('k', afterCheckpoint) }, async (key, bytes) => {
      const { sequence, commitIndex, nextSet } = decodeCheckpoint(bytes)
      if (nextSet !== undefined) return []
      return [gone(key), gone(tableKey('j', commitIndex)), gone(tableKey('q', sequence)), gone(tableKey('o', sequence))]
    })
  }

  /** A vertex can be committed long after its round, so those of the last rounds below the horizon stay for now. */
  async #removeVertices(horizon: Checkpoint): Promise<void> {
    const { database, gcDepthRounds } = this.#needs
    // The horizon's own commit is gone by now; the one after it is not much later.
    const round = await this.#roundOf(horizon.commitIndex + 1)
    if (round === undefined || round <= gcDepthRounds) return
    const range = { from: tableKey('r'), to: tableKey('r', round - gcDepthRounds) }
    let writes: Write[] = []
    for await (const key of database.keys(range)) {
      writes.push(gone(new Uint8Array(key)), gone(tableKey('v', key.subarray(17))))
      if (writes.length < writesPerBatch) continue
      await this.#write(writes)
      writes = []
      if (this.#isStopped) return
    }
    await this.#write(writes)
  }

  async #removeKeys(range: { from: Uint8Array; to: Uint8Array }): Promise<void> {
    let writes: Write[] = []
    for await (const key of this.#needs.database.keys(range)) {
      writes.push(gone(new Uint8Array(key)))
      if (writes.length < writesPerBatch) continue
      await this.#write(writes)
      writes = []
    }
    await this.#write(writes)
  }

  async #remove(
    range: { from: Uint8Array; to: Uint8Array },
    writesOf: (key: Uint8Array, value: Uint8Array) => Promise<Write[]>
  ): Promise<void> {
    let writes: Write[] = []
    for await (const [key, value] of this.#needs.database.range(range)) {
      writes.push(...(await writesOf(new Uint8Array(key), value)))
      if (writes.length < writesPerBatch) continue
      await this.#write(writes)
      writes = []
      if (this.#isStopped) return
    }
    await this.#write(writes)
  }

  async #write(writes: readonly Write[]): Promise<void> {
    await this.#needs.database.write(writes, { durable: false })
  }
}

function gone(key: Uint8Array): Write {
  return { key, value: undefined }
}
