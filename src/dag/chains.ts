import { bytesToHex, type CID, encodeCanonical, hexToBytes } from '../codec/index.ts'
import type {
  CertifiedBytes,
  CheckpointSummary,
  CommitExecuted,
  CommitToExecute,
  ExecutionPort,
  PendingEvent,
  Vertex,
  VertexStore,
  Vote
} from '../consensus/index.ts'
import { BlyanError } from '../errors/index.ts'
import { type Database, tableKey, tableRange, type Write } from '../storage/index.ts'
import {
  blockWrites,
  decodeRecord,
  decodeVotes,
  type EventRecord,
  encodeRecord,
  lastOf,
  leavesAfter,
  numberAt,
  type StoredCheckpoint,
  stateWrites,
  storedParts,
  summaryOf
} from './chain-records.ts'
import { type Block, type ChainId, decodeBlock } from './core/block.ts'
import { type Checkpoint, checkpointDigest, checkpointSigningBytes, decodeCheckpoint } from './core/checkpoint.ts'
import type { SignedEvent } from './core/event.ts'
import { type ExecutedEvent, type Execution, Executor, eventLeaf } from './core/executor.ts'
import type { Genesis } from './core/genesis.ts'
import type { HandlerRegistry } from './core/handlers.ts'
import { merklePath } from './core/merkle.ts'
import type { ParamIndex } from './core/param-index.ts'
import { checkpointsPerProofMax, encodeProof } from './core/proof.ts'
import { EventChecker } from './event-checker.ts'

export type FinalEvent = { readonly record: EventRecord; readonly event: SignedEvent }

/** The chains of one node: executes what is final, keeps it, and answers questions about it. */
export interface Chains extends ExecutionPort {
  readonly parts: ParamIndex
  readonly eventCount: number
  readonly lastCheckpoint: Checkpoint | undefined
  clockOf(author: Uint8Array): number
  stateValue(key: string): unknown
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
  /** Called for every event that was ordered again, or whose clock another event of its author had taken: it has no place. */
  onReplayed(listener: (digest: string) => void): void
}

export type ChainsNeeds = {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly database: Database
  readonly vertices: VertexStore
}

/** Opens what is stored, or begins at genesis. Throws CHAIN_DAMAGED. */
export async function openChains(needs: ChainsNeeds): Promise<Chains> {
  const entries: [string, Uint8Array][] = []
  for await (const [key, value] of needs.database.range(tableRange('x')))
    entries.push([new TextDecoder().decode(key.subarray(1)), value])
  if (entries.length === 0) {
    const executor = new Executor({ genesis: needs.genesis, handlers: needs.handlers })
    await needs.database.write(
      [...stateWrites(executor.state.takeChanges()), ...needs.genesis.blocks.flatMap(blockWrites)],
      { durable: true }
    )
    return new StoredChains(needs, executor, undefined, undefined)
  }
  const parts = await storedParts(needs)
  const last = await lastOf(needs.database, 'k')
  const certified = await lastOf(needs.database, 'q')
  const covered = last === undefined ? 0 : last.checkpoint.eventFirst + last.checkpoint.eventCount - 1
  const executor = new Executor({
    genesis: needs.genesis,
    handlers: needs.handlers,
    stored: { entries, parts, leaves: await leavesAfter(needs.database, covered) }
  })
  return new StoredChains(needs, executor, last, certified)
}

const checkpointsInMemoryMax = 128

class StoredChains implements Chains {
  readonly #needs: ChainsNeeds
  readonly #executor: Executor
  readonly #checker: EventChecker
  readonly #replayListeners: ((digest: string) => void)[] = []
  readonly #listeners = new Set<(executed: ExecutedEvent, commitIndex: number) => void>()
  /** Of the newest checkpoints, until a quorum has signed them: sequence to commit index. */
  readonly #commitIndexes = new Map<number, number>()
  #last: StoredCheckpoint | undefined
  #certifiedSequence = 0
  #certifiedCommitIndex = 0

  constructor(
    needs: ChainsNeeds,
    executor: Executor,
    last: StoredCheckpoint | undefined,
    certified: StoredCheckpoint | undefined
  ) {
    this.#needs = needs
    this.#executor = executor
    this.#checker = new EventChecker(needs.genesis.digest)
    if (last !== undefined) this.#keep(last)
    this.#certifiedSequence = certified?.checkpoint.sequence ?? 0
    this.#certifiedCommitIndex = certified?.checkpoint.commitIndex ?? 0
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

  get certifiedSequence(): number {
    return this.#certifiedSequence
  }

  get certifiedCommitIndex(): number {
    return this.#certifiedCommitIndex
  }

  clockOf(author: Uint8Array): number {
    return this.#executor.clockOf(author)
  }

  stateValue(key: string): unknown {
    return this.#executor.state.get(key)
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
    if (checkpoint !== undefined) this.#keep(checkpoint)
    return {
      writes: this.#writesOf(execution, commit.index, commit.timestampMs, vertices),
      ordered: execution.ordered,
      early: execution.early,
      eventsSinceCheckpoint: this.#executor.cadence.events,
      checkpoint: checkpoint === undefined ? undefined : summaryOf(checkpoint),
      announce: () => {
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

  noteCertified(sequence: number, _votes: readonly Vote[], commitIndex?: number): void {
    if (sequence <= this.#certifiedSequence) return
    const known = commitIndex ?? this.#commitIndexes.get(sequence)
    if (known === undefined) return
    this.#certifiedSequence = sequence
    this.#certifiedCommitIndex = known
  }

  async certifiedFrom(commitIndex: number): Promise<CertifiedBytes | undefined> {
    const first = await this.#firstCheckpointAt(commitIndex)
    if (first === undefined) return undefined
    for await (const [key, value] of this.#needs.database.range({
      from: tableKey('q', first),
      to: tableRange('q').to,
      limit: 1
    })) {
      const sequence = numberAt(key, 1)
      const bytes = await this.#needs.database.get(tableKey('k', sequence))
      if (bytes !== undefined)
        return { checkpoint: bytes, votes: decodeVotes(value), summary: this.readCheckpoint(bytes) }
    }
    return undefined
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

  async proof(digest: string): Promise<Uint8Array> {
    const eventId = digest
    const found = await this.event(digest)
    if (found === undefined) throw new BlyanError('EVENT_UNKNOWN', { eventId })
    const first = await this.#checkpointOfEvent(found.record.sequence)
    if (first === undefined) throw new BlyanError('PROOF_NOT_YET', { eventId })
    const checkpoints: Uint8Array[] = []
    for (let sequence = first.sequence; checkpoints.length < checkpointsPerProofMax; sequence++) {
      const stored = await this.checkpoint(sequence)
      if (stored === undefined) break
      checkpoints.push(stored.bytes)
      if (stored.votes.length === 0) continue
      const leaves = await this.#leaves(first)
      const index = found.record.sequence - first.eventFirst
      return encodeProof({
        event: found.event.bytes,
        refusal: found.record.refusal,
        index,
        path: merklePath(leaves, index),
        checkpoints,
        votes: stored.votes
      })
    }
    throw new BlyanError('PROOF_NOT_YET', { eventId })
  }

  onReplayed(listener: (digest: string) => void): void {
    this.#replayListeners.push(listener)
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

  #writesOf(execution: Execution, commitIndex: number, committedAtMs: number, vertices: readonly Vertex[]): Write[] {
    const places = new Map<string, number>()
    for (const vertex of vertices)
      for (const [place, event] of this.#checker.eventsOf(vertex).entries())
        places.set(`${vertex.digest}${event.digest}`, place)
    const writes = stateWrites(execution.state)
    for (const executed of execution.events) {
      const digest = hexToBytes(executed.event.digest)!
      const place = places.get(`${executed.vertexDigest}${executed.event.digest}`)!
      writes.push({
        key: tableKey('e', digest),
        value: encodeRecord({ ...executed, commitIndex, committedAtMs, place })
      })
      writes.push({ key: tableKey('s', executed.sequence), value: digest })
    }
    writes.push(...execution.blocks.flatMap(blockWrites))
    if (execution.checkpoint !== undefined) {
      const { bytes, checkpoint } = execution.checkpoint
      writes.push(
        { key: tableKey('k', checkpoint.sequence), value: bytes },
        { key: tableKey('j', checkpoint.commitIndex), value: tableKey('', checkpoint.sequence) }
      )
    }
    return writes
  }

  /** Sequence of the first checkpoint whose commit is `commitIndex` or later. */
  async #firstCheckpointAt(commitIndex: number): Promise<number | undefined> {
    for await (const [, value] of this.#needs.database.range({
      from: tableKey('j', commitIndex),
      to: tableRange('j').to,
      limit: 1
    }))
      return numberAt(value, 0)
    return undefined
  }

  async #checkpointOfEvent(sequence: number): Promise<Checkpoint | undefined> {
    const digest = await this.#needs.database.get(tableKey('s', sequence))
    const stored = digest === undefined ? undefined : await this.#needs.database.get(tableKey('e', digest))
    if (stored === undefined) return undefined
    const first = await this.#firstCheckpointAt(decodeRecord(stored).commitIndex)
    return first === undefined ? undefined : (await this.checkpoint(first))?.checkpoint
  }

  async #leaves(checkpoint: Checkpoint): Promise<Uint8Array[]> {
    const leaves: Uint8Array[] = []
    for await (const [, digest] of this.#needs.database.range({
      from: tableKey('s', checkpoint.eventFirst),
      to: tableRange('s').to,
      limit: checkpoint.eventCount
    })) {
      const stored = await this.#needs.database.get(tableKey('e', digest))
      leaves.push(eventLeaf(bytesToHex(digest), decodeRecord(stored!).refusal))
    }
    return leaves
  }
}
