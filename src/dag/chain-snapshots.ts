import { bytesToHex, sha256 } from '../codec/index.ts'
import type { SnapshotKeeper, SnapshotPlan, VertexStore, Vote } from '../consensus/index.ts'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import type { Database } from '../storage/index.ts'
import type { Checkpoint } from './core/checkpoint.ts'
import type { Executor } from './core/executor.ts'
import type { Genesis } from './core/genesis.ts'
import type { HandlerRegistry } from './core/handlers.ts'
import type { SetLink } from './core/set-chain.ts'
import type { History } from './database-notes.ts'
import { checkManifest } from './snapshot-checker.ts'
import { executedState, type StateSource, snapshotEntries, storedState } from './snapshot-entries.ts'
import { decodeManifest, type SnapshotManifest, totalBytesOf } from './snapshot-format.ts'
import { stageSnapshot } from './snapshot-install.ts'
import { type CertifiedMoment, SnapshotMaker } from './snapshot-maker.ts'
import { newestCertified, replayTo } from './snapshot-replay.ts'
import { openSnapshotShelf, type ShelvedSnapshot, type SnapshotShelf } from './snapshot-shelf.ts'

export type SnapshotLogger = {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

export type ChainSnapshotsNeeds = {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly database: Database
  readonly vertices: VertexStore
  readonly folder: string
  readonly everyCommits: number
  readonly logger: SnapshotLogger
  readonly setLinks: (epoch: number) => Promise<readonly SetLink[] | undefined>
  readonly history: () => History
  readonly executedCommitIndex: () => number
  /** The database is another one now: load everything anew. */
  readonly reload: () => Promise<void>
}

const snapshotsKept = 2
const createWithinMs = 30_000
/** A node that has not seen a checkpoint since it started executes at most this many commits again to make a snapshot. */
const replayCommitsMax = 20_000

/** Snapshots of one node: makes them as commits go by, gives them to others, installs what others gave. */
export class ChainSnapshots implements SnapshotKeeper {
  readonly shelf: SnapshotShelf
  readonly #needs: ChainSnapshotsNeeds
  readonly #maker: SnapshotMaker
  readonly #waiting = new Set<(made: ShelvedSnapshot | BlyanError) => void>()
  #offered: ShelvedSnapshot | undefined
  #writing: Promise<unknown> = Promise.resolve()
  /** What is being fetched, by id. */
  #incoming: { readonly manifest: SnapshotManifest; readonly bytes: Uint8Array } | undefined

  constructor(needs: ChainSnapshotsNeeds) {
    this.#needs = needs
    this.shelf = openSnapshotShelf(needs.folder)
    this.#maker = new SnapshotMaker(needs.everyCommits, moment => {
      this.#writing = this.#writing.then(() => this.#write(moment))
    })
  }

  async open(commitIndex: number): Promise<void> {
    this.#maker.reset(commitIndex)
    await this.#finishInstall()
    await this.shelf.keepNewest(snapshotsKept)
    this.#offered = await this.shelf.newest()
  }

  /** The process ended between the swap of the databases and this: what the history begins after belongs with the others. */
  async #finishInstall(): Promise<void> {
    const begun = await this.shelf.incoming.begun()
    const { afterCheckpoint } = this.#needs.history()
    if (begun !== undefined && begun.manifest.checkpoint.sequence === afterCheckpoint)
      await this.shelf.incoming.finish(begun.bytes, begun.manifest)
  }

  /** Waits for a snapshot that is being written. */
  async close(): Promise<void> {
    this.#maker.reset(0)
    this.#answer(new BlyanError('SNAPSHOT_NOT_YET', { reason: 'the node is stopping' }))
    await this.#writing
  }

  get offeredCommitIndex(): number {
    return this.#offered?.manifest.checkpoint.commitIndex ?? 0
  }

  get oldestCommitIndex(): number {
    return this.#needs.history().firstCommit
  }

  get executedCommitIndex(): number {
    return this.#needs.executedCommitIndex()
  }

  executed(checkpoint: Checkpoint, bytes: Uint8Array, executor: Executor): void {
    this.#maker.executed(checkpoint, bytes, executor)
  }

  stored(sequence: number): void {
    this.#maker.stored(sequence)
  }

  certified(sequence: number, votes: readonly Vote[]): void {
    this.#maker.certified(sequence, votes)
  }

  /** A snapshot of the newest certified checkpoint. Throws SNAPSHOT_NOT_YET. */
  async create(): Promise<ShelvedSnapshot> {
    const newest = await newestCertified(this.#needs.database)
    if (newest !== undefined && this.#offered?.manifest.checkpoint.sequence === newest.checkpoint.sequence)
      return this.#offered
    const { promise, resolve } = Promise.withResolvers<ShelvedSnapshot | BlyanError>()
    this.#waiting.add(resolve)
    if (!this.#maker.want() && newest !== undefined) {
      this.#writing = this.#writing
        .then(() => this.#replay(newest))
        .then(resolve, error => resolve(error instanceof BlyanError ? error : notYet(String(error))))
    }
    const timer = setTimeout(
      () => resolve(notYet(`no checkpoint was certified within ${createWithinMs / 1000} s`)),
      createWithinMs
    )
    const made = await promise
    clearTimeout(timer)
    this.#waiting.delete(resolve)
    if (made instanceof BlyanError) throw made
    return made
  }

  async manifest(): Promise<Uint8Array | undefined> {
    return this.#offered?.bytes
  }

  async chunk(digest: string): Promise<Uint8Array | undefined> {
    const all = await this.shelf.list()
    const found = all.find(({ manifest }) => manifest.chunks.some(chunk => chunk.digest === digest))
    return found === undefined ? undefined : this.shelf.chunk(found, digest)
  }

  read(bytes: Uint8Array): SnapshotPlan {
    const manifest = decodeManifest(bytes)
    checkManifest(manifest, this.#needs.genesis)
    return {
      id: manifest.id,
      commitIndex: manifest.checkpoint.commitIndex,
      chunks: manifest.chunks,
      totalBytes: totalBytesOf(manifest),
      manifest: bytes
    }
  }

  async begin(plan: SnapshotPlan): Promise<ReadonlySet<string>> {
    const manifest = decodeManifest(plan.manifest)
    this.#incoming = { manifest, bytes: plan.manifest }
    return this.shelf.incoming.begin(plan.manifest, manifest)
  }

  async put(digest: string, bytes: Uint8Array): Promise<boolean> {
    if (bytesToHex(sha256(bytes)) !== digest) return false
    await this.shelf.incoming.put(digest, bytes)
    return true
  }

  async started(): Promise<string | undefined> {
    return (await this.shelf.incoming.begun())?.manifest.id
  }

  async install(plan: SnapshotPlan): Promise<void> {
    const incoming = this.#incoming
    if (incoming?.manifest.id !== plan.id) throw new BlyanError('SNAPSHOT_NONE', { what: plan.id })
    const { shelf } = this
    const { genesis, database } = this.#needs
    try {
      await stageSnapshot(genesis, database.folder, {
        manifestBytes: incoming.bytes,
        chunks: async function* () {
          for (const { digest } of incoming.manifest.chunks) yield await shelf.incoming.get(digest)
        }
      })
    } catch (error) {
      if (isBlyanError(error) && error.code.startsWith('SNAPSHOT_')) await shelf.incoming.clear()
      throw error
    }
    this.#maker.reset(plan.commitIndex)
    await this.#writing
    // One without a commit is no loss, and must not push out what a repair put aside.
    await database.replaceWithReady({ keepOld: this.executedCommitIndex > 0 })
    await this.#needs.reload()
    await shelf.incoming.finish(incoming.bytes, incoming.manifest)
    await shelf.keepNewest(snapshotsKept)
    this.#offered = await shelf.newest()
    this.#incoming = undefined
  }

  async #write(moment: CertifiedMoment): Promise<void> {
    try {
      const state = storedState(this.#needs.database, moment.memory)
      this.#answer(await this.#add(moment, state, moment.partHeight))
    } catch (error) {
      // The node goes on without it: the next one may work, and status shows how old the newest is.
      this.#needs.logger.warn({ reason: String(error), sequence: moment.checkpoint.sequence }, 'no snapshot was made')
      this.#answer(error instanceof BlyanError ? error : notYet(String(error)))
    } finally {
      this.#maker.done(moment)
    }
  }

  async #replay(newest: { checkpoint: Checkpoint; bytes: Uint8Array; votes: Vote[] }): Promise<ShelvedSnapshot> {
    const { genesis, handlers, vertices, history } = this.#needs
    const needs = { genesis, handlers, vertices, shelf: this.shelf, history: history() }
    const executor = await replayTo(needs, newest.checkpoint, replayCommitsMax)
    return this.#add(newest, executedState(executor), executor.chain('B').height)
  }

  async #add(
    moment: { readonly checkpoint: Checkpoint; readonly bytes: Uint8Array; readonly votes: readonly Vote[] },
    state: StateSource,
    partHeight: number
  ): Promise<ShelvedSnapshot> {
    const { genesis, database, setLinks, logger } = this.#needs
    const { checkpoint, bytes, votes } = moment
    const startedAtMs = performance.now()
    const sets = await setLinks(checkpoint.epoch)
    if (sets === undefined) throw notYet('the certificate of an earlier epoch is missing here')
    const made = await this.shelf.add(
      { sequence: checkpoint.sequence, genesis: genesis.digest, checkpointBytes: bytes, votes, sets },
      snapshotEntries(database, checkpoint, genesis.parameters.gcDepthRounds, state, partHeight)
    )
    await this.shelf.keepNewest(snapshotsKept)
    this.#offered = await this.shelf.newest()
    logger.info(
      {
        sequence: checkpoint.sequence,
        commit: checkpoint.commitIndex,
        entries: made.manifest.entryCount,
        bytes: totalBytesOf(made.manifest),
        elapsedMs: Math.round(performance.now() - startedAtMs)
      },
      'snapshot made'
    )
    return made
  }

  #answer(made: ShelvedSnapshot | BlyanError): void {
    for (const resolve of this.#waiting) resolve(made)
  }
}

function notYet(reason: string): BlyanError {
  return new BlyanError('SNAPSHOT_NOT_YET', { reason })
}
