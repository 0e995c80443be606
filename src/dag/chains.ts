import {
  bytesToHex,
  type CID,
  concatBytes,
  decodeCanonical,
  encodeCanonical,
  hexToBytes,
  type SignaturePool
} from '../codec/index.ts'
import type {
  CertifiedBytes,
  CheckpointSummary,
  CommitExecuted,
  CommitToExecute,
  Committee,
  EpochStart,
  ExecutionPort,
  PendingEvent,
  Vertex,
  VertexStore,
  Vote
} from '../consensus/index.ts'
import { type Database, tableKey, tableRange, type Write } from '../storage/index.ts'
import {
  decodeRecord,
  decodeVotes,
  type EventRecord,
  executionWrites,
  type StoredCheckpoint,
  summaryOf
} from './chain-records.ts'
import { ChainSnapshots, type SnapshotLogger } from './chain-snapshots.ts'
import { type Block, type ChainId, decodeBlock } from './core/block.ts'
import { type Checkpoint, checkpointDigest, checkpointSigningBytes, decodeCheckpoint } from './core/checkpoint.ts'
import type { SignedEvent } from './core/event.ts'
import type { ExecutedEvent, Executor } from './core/executor.ts'
import type { Genesis } from './core/genesis.ts'
import type { HandlerRegistry } from './core/handlers.ts'
import type { ParamIndex } from './core/param-index.ts'
import type { SetLink } from './core/set-chain.ts'
import type { StateView } from './core/state.ts'
import type { History } from './database-notes.ts'
import { type EpochBook, epochRecordOf } from './epoch-records.ts'
import { EventChecker } from './event-checker.ts'
import { type LoadedChains, loadChains } from './load-chains.ts'
import { buildProof } from './proof-source.ts'
import { servedCheckpoint } from './served-commits.ts'

export type FinalEvent = { readonly record: EventRecord; readonly event: SignedEvent }

/** The chains of one node: executes what is final, keeps it, and answers questions about it. */
export interface Chains extends ExecutionPort {
  /** Whether each is rightly signed; a vertex that brings those that are need not be waited for again. */
  verifyEvents(events: readonly SignedEvent[]): Promise<readonly boolean[]>
  readonly parts: ParamIndex
  readonly eventCount: number
  readonly lastCheckpoint: Checkpoint | undefined
  readonly snapshots: ChainSnapshots
  /** From where on everything is here. */
  readonly history: History
  /** The pruner has taken history away. */
  noteHistory(history: History): void
  clockOf(author: Uint8Array): number
  stateValue(key: string): unknown
  /** Stored values of the state whose keys begin with `prefix`, in the order of their keys. */
  stateEntries(prefix: string, limit: number): AsyncIterable<readonly [string, unknown]>
  /** What handlers and readers of the state are given; to be read only. */
  readonly state: StateView
  /** The light proof of who the members of `epoch` are; undefined when a certificate is missing here. */
  setLinks(epoch: number): Promise<readonly SetLink[] | undefined>
  head(chain: ChainId): { readonly height: number; readonly head: CID | null }
  /** Newest blocks of chain B: nothing builds on them yet. */
  tips(limit: number): string[]
  event(digest: string): Promise<FinalEvent | undefined>
  events(from: number, limit: number): AsyncIterable<FinalEvent>
  block(chain: ChainId, index: number): Promise<Block | undefined>
  blockBytes(digest: Uint8Array): Promise<Uint8Array | undefined>
  checkpoint(
    sequence: number
  ): Promise<
    { readonly bytes: Uint8Array; readonly checkpoint: Checkpoint; readonly votes: readonly Vote[] } | undefined
  >
  /** Throws EVENT_UNKNOWN, PROOF_NOT_YET. */
  proof(digest: string): Promise<Uint8Array>
  /** Called for every event once it is final and stored. */
  onFinal(listener: (executed: ExecutedEvent, commitIndex: number) => void): () => void
  /** Called when a certificate covers more commits than before. */
  onCertified(listener: (certifiedCommitIndex: number) => void): () => void
  /** Called for every event that was ordered again, or whose clock another event of its author had taken: it has no place. */
  onReplayed(listener: (digest: string) => void): void
}

export type ChainsNeeds = {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly database: Database
  readonly vertices: VertexStore
  readonly signatures?: SignaturePool
  readonly snapshots: {
    readonly folder: string
    readonly everyCommits: number
    readonly logger: SnapshotLogger
  }
}

/** Opens what is stored, or begins at genesis. Throws CHAIN_DAMAGED, DATABASE_RECORD_DAMAGED, GENESIS_CHANGED. */
export async function openChains(needs: ChainsNeeds): Promise<Chains> {
  const chains = new StoredChains(needs, await loadChains(needs))
  await chains.snapshots.open(chains.lastCheckpoint?.commitIndex ?? 0)
  return chains
}

const checkpointsInMemoryMax = 128
const endOfPrefix = Uint8Array.of(0xff)

class StoredChains implements Chains {
  readonly #needs: ChainsNeeds
  readonly snapshots: ChainSnapshots
  #executor!: Executor
  #epochs!: EpochBook
  #history!: History
  readonly #checker: EventChecker
  readonly #replayListeners: ((digest: string) => void)[] = []
  readonly #listeners = new Set<(executed: ExecutedEvent, commitIndex: number) => void>()
  readonly #certifiedListeners = new Set<(certifiedCommitIndex: number) => void>()
  /** Of the newest checkpoints, until a quorum has signed them: sequence to commit index. */
  readonly #commitIndexes = new Map<number, number>()
  #last: StoredCheckpoint | undefined
  #certifiedSequence = 0
  #certifiedCommitIndex = 0
  #orderedCommitIndex = 0

  constructor(needs: ChainsNeeds, loaded: LoadedChains) {
    this.#needs = needs
    this.#checker = new EventChecker(needs.genesis.digest, needs.signatures)
    this.snapshots = new ChainSnapshots({
      ...needs,
      ...needs.snapshots,
      setLinks: epoch => this.setLinks(epoch),
      history: () => this.#history,
      executedCommitIndex: () => (this.#last?.checkpoint.commitIndex ?? 0) + this.#executor.cadence.commits,
      reload: async () => this.#take(await loadChains(needs))
    })
    this.#take(loaded)
  }

  #take({ executor, epochs, last, certified, history }: LoadedChains): void {
    this.#executor = executor
    this.#epochs = epochs
    this.#history = history
    this.#commitIndexes.clear()
    this.#last = undefined
    if (last !== undefined) this.#keep(last)
    this.#certifiedSequence = certified?.checkpoint.sequence ?? 0
    this.#certifiedCommitIndex = certified?.checkpoint.commitIndex ?? 0
    for (const listener of this.#certifiedListeners) listener(this.#certifiedCommitIndex)
  }

  get history(): History {
    return this.#history
  }

  noteHistory(history: History): void {
    this.#history = history
  }

  get parts(): ParamIndex {
    return this.#executor.parts
  }

  get eventCount(): number {
    return this.#executor.eventCount
  }

  get lastCheckpoint(): Checkpoint | undefined {
    return this.#last?.checkpoint
  }

  get epoch(): EpochStart {
    return this.#epochs.epoch
  }

  get epochClosesAt(): number | undefined {
    return this.#epochs.endedAt ?? this.#executor.epochState.closesAt ?? undefined
  }

  committeeOf(epoch: number): Committee | undefined {
    return this.#epochs.committeeOf(epoch)
  }

  setLinks(epoch: number): Promise<readonly SetLink[] | undefined> {
    return this.#epochs.links(epoch)
  }

  get certifiedSequence(): number {
    return this.#certifiedSequence
  }

  get certifiedCommitIndex(): number {
    return this.#certifiedCommitIndex
  }

  clockOf(author: Uint8Array): number {
    return this.#executor.clockOf(author)
  }

  get state(): StateView {
    return this.#executor.state
  }

  stateValue(key: string): unknown {
    return this.#executor.state.get(key)
  }

  async *stateEntries(prefix: string, limit: number): AsyncIterable<readonly [string, unknown]> {
    const from = tableKey('x', prefix)
    // No byte of UTF-8 is 0xff: this ends behind every key that begins so.
    for await (const [key, value] of this.#needs.database.range({ from, to: concatBytes(from, endOfPrefix), limit }))
      yield [new TextDecoder().decode(key.subarray(1)), decodeCanonical(value, { sizeBytesMax: 64 * 1024 })]
  }

  head(chain: ChainId): { readonly height: number; readonly head: CID | null } {
    return this.#executor.chain(chain)
  }

  tips(limit: number): string[] {
    return this.parts
      .names()
      .slice(0, limit)
      .map(name => this.parts.newest(name)!.block)
  }

  verifyEvents(events: readonly SignedEvent[]): Promise<readonly boolean[]> {
    return this.#checker.verify(events)
  }

  checkEvents(vertex: Vertex): Promise<boolean> {
    return this.#checker.check(vertex)
  }

  pendingEvents(vertex: Vertex): PendingEvent[] {
    return this.#checker.eventsOf(vertex).map(({ digest, bytes }) => ({ id: digest, bytes }))
  }

  execute({ commit, digest, vertices }: CommitToExecute): CommitExecuted {
    const execution = this.#executor.execute({
      commit,
      commitDigest: digest,
      vertices,
      eventsOf: vertex => this.#checker.eventsOf(vertex)
    })
    const { checkpoint } = execution
    if (checkpoint !== undefined) {
      this.#keep(checkpoint)
      this.snapshots.executed(checkpoint.checkpoint, checkpoint.bytes, this.#executor)
    }
    const writes = executionWrites(execution, commit.index, commit.timestampMs)
    if (checkpoint?.nextSet !== undefined)
      writes.push(this.#epochs.ended(epochRecordOf(checkpoint.bytes, checkpoint.nextSet)))
    return {
      writes,
      epochClosesAt: this.epochClosesAt,
      ordered: execution.ordered,
      early: execution.early,
      eventsSinceCheckpoint: this.#executor.cadence.events,
      checkpoint: checkpoint === undefined ? undefined : summaryOf(checkpoint),
      announce: () => {
        if (checkpoint !== undefined) this.snapshots.stored(checkpoint.checkpoint.sequence)
        for (const executed of execution.events)
          for (const listener of this.#listeners) listener(executed, commit.index)
        for (const digest of execution.replayed) for (const listener of this.#replayListeners) listener(digest)
      }
    }
  }

  openCheckpoint(): { readonly checkpoint: CheckpointSummary | undefined; readonly eventsSinceCheckpoint: number } {
    const isOpen = this.#last !== undefined && this.#last.checkpoint.sequence > this.#certifiedSequence
    return {
      checkpoint: isOpen ? summaryOf(this.#last!) : undefined,
      eventsSinceCheckpoint: this.#executor.cadence.events
    }
  }

  checkpointMessage(digest: string): Uint8Array {
    return checkpointSigningBytes(this.#needs.genesis.digest, digest)
  }

  readCheckpoint(bytes: Uint8Array): CheckpointSummary {
    return summaryOf({ checkpoint: decodeCheckpoint(bytes), bytes, digest: checkpointDigest(bytes) })
  }

  certificateWrite(sequence: number, votes: readonly Vote[]): Write {
    return { key: tableKey('q', sequence), value: encodeCanonical(votes.map(vote => [vote.author, vote.signature])) }
  }

  noteOrdered(sequence: number, votes: readonly Vote[]): Write {
    this.#orderedCommitIndex = Math.max(this.#orderedCommitIndex, this.#commitIndexes.get(sequence) ?? 0)
    return { ...this.certificateWrite(sequence, votes), key: tableKey('o', sequence) }
  }

  get servedCommitIndex(): number {
    return Math.max(this.#certifiedCommitIndex, this.#orderedCommitIndex)
  }

  noteCertified(sequence: number, votes: readonly Vote[], commitIndex?: number): void {
    this.snapshots.certified(sequence, votes)
    if (sequence <= this.#certifiedSequence) return
    const known = commitIndex ?? this.#commitIndexes.get(sequence)
    if (known === undefined) return
    this.#certifiedSequence = sequence
    this.#certifiedCommitIndex = known
    this.#epochs.noteCertified(sequence)
    for (const listener of this.#certifiedListeners) listener(known)
  }

  async certifiedFrom(commitIndex: number): Promise<CertifiedBytes | undefined> {
    const { database, genesis } = this.#needs
    const found = await servedCheckpoint(database, commitIndex, genesis.parameters.commitsPerSyncMax)
    return found === undefined ? undefined : { ...found, summary: this.readCheckpoint(found.checkpoint) }
  }

  async event(digest: string): Promise<FinalEvent | undefined> {
    const stored = await this.#needs.database.get(tableKey('e', hexToBytes(digest)!))
    if (stored === undefined) return undefined
    const record = decodeRecord(stored)
    const vertex = await this.#needs.vertices.vertex(record.vertexDigest)
    const event = vertex === undefined ? undefined : this.#checker.eventsOf(vertex)[record.place]
    return event === undefined ? undefined : { record, event }
  }

  async *events(from: number, limit: number): AsyncIterable<FinalEvent> {
    for await (const [, digest] of this.#needs.database.range({
      from: tableKey('s', Math.max(1, from)),
      to: tableRange('s').to,
      limit
    })) {
      const found = await this.event(bytesToHex(digest))
      if (found !== undefined) yield found
    }
  }

  async block(chain: ChainId, index: number): Promise<Block | undefined> {
    const digest = await this.#needs.database.get(tableKey('i', chain, index))
    const bytes = digest === undefined ? undefined : await this.blockBytes(digest)
    return bytes === undefined ? undefined : decodeBlock(bytes)
  }

  blockBytes(digest: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#needs.database.get(tableKey('b', digest))
  }

  async checkpoint(
    sequence: number
  ): Promise<
    { readonly bytes: Uint8Array; readonly checkpoint: Checkpoint; readonly votes: readonly Vote[] } | undefined
  > {
    const bytes = await this.#needs.database.get(tableKey('k', sequence))
    if (bytes === undefined) return undefined
    const votes = await this.#needs.database.get(tableKey('q', sequence))
    return { bytes, checkpoint: decodeCheckpoint(bytes), votes: votes === undefined ? [] : decodeVotes(votes) }
  }

  proof(digest: string): Promise<Uint8Array> {
    return buildProof({ database: this.#needs.database, chains: this }, digest)
  }

  onReplayed(listener: (digest: string) => void): void {
    this.#replayListeners.push(listener)
  }

  onCertified(listener: (certifiedCommitIndex: number) => void): () => void {
    this.#certifiedListeners.add(listener)
    return () => this.#certifiedListeners.delete(listener)
  }

  onFinal(listener: (executed: ExecutedEvent, commitIndex: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #keep(checkpoint: StoredCheckpoint): void {
    this.#last = checkpoint
    this.#commitIndexes.set(checkpoint.checkpoint.sequence, checkpoint.checkpoint.commitIndex)
    if (this.#commitIndexes.size > checkpointsInMemoryMax)
      this.#commitIndexes.delete(this.#commitIndexes.keys().next().value!)
  }
}
