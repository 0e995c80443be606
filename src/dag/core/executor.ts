import {
  bytesToHex,
  type CanonicalValue,
  type CID,
  cidOfDigest,
  concatBytes,
  digestOfCid,
  hexToBytes,
  type PublicKeyText,
  publicKeyToText,
  sha256
} from '../../codec/index.ts'
import {
  type CheckpointCadence,
  type Commit,
  eventsOfBody,
  isCheckpointDue,
  type Vertex
} from '../../consensus/index.ts'
import { isBlyanError } from '../../errors/index.ts'
import { type Block, type ChainId, chainIds, makeBlock } from './block.ts'
import { type Checkpoint, checkpointDigest, encodeCheckpoint } from './checkpoint.ts'
import { decodeEvent, type SignedEvent } from './event.ts'
import type { Genesis } from './genesis.ts'
import type { BlockDraft, HandlerRegistry } from './handlers.ts'
import { merkleLeaf, merkleRoot } from './merkle.ts'
import { ParamIndex, type PartVersion } from './param-index.ts'
import { State, type StateMemory } from './state.ts'
import { setDigest } from './validator-set.ts'
import {
  closeEpoch,
  currentSet,
  declareClosing,
  type EpochState,
  mustDeclareClosing,
  readEpoch
} from './validator-state.ts'

/** What became of an event that has its place in the final order. */
export type ExecutedEvent = {
  readonly sequence: number
  readonly event: SignedEvent
  readonly vertexDigest: string
  /** Place among the events of its vertex. */
  readonly place: number
  /** Empty when applied, the error code when the handler refused it. */
  readonly refusal: string
  readonly block: string | null
}

export type Execution = {
  readonly events: readonly ExecutedEvent[]
  /** Ids (hex) that were in the commit but came too early: their author's clock leaves a gap. */
  readonly early: readonly string[]
  /** Ids that need no place again: executed now, or before. */
  readonly ordered: readonly string[]
  /** Ids without a place: ordered before, or their clock was taken by another event of the author. */
  readonly replayed: readonly string[]
  readonly blocks: readonly Block[]
  readonly state: ReadonlyMap<string, Uint8Array | undefined>
  readonly checkpoint:
    | {
        readonly checkpoint: Checkpoint
        readonly bytes: Uint8Array
        readonly digest: string
        /** The encoded set of the next epoch, when this checkpoint ends one. */
        readonly nextSet: Uint8Array | undefined
      }
    | undefined
}

/** Height and newest block of a chain; for chain B the block that was added last. */
type Heads = { readonly height: number; readonly head: CID | null }

/** State key of what the executor itself must remember; it is not part of what handlers see. */
export const cursorKey = 'executor/cursor'

/**
 * Executes final events one after the other: clocks, handlers, blocks, state, checkpoints. Pure: the same genesis and the
 * same commits give the same bytes at every node.
 */
export class Executor {
  readonly #genesis: Genesis
  readonly #handlers: HandlerRegistry
  readonly #state: State
  readonly #parts = new ParamIndex()
  #leaves: Uint8Array[]
  /** What was there at the last checkpoint, of what has changed since: coins are counted from it. */
  #sinceCheckpoint: StateMemory | undefined

  /** `entries` and `parts` are what was stored; none for a new network. `leaves`: those since the last checkpoint. */
  constructor(input: {
    genesis: Genesis
    handlers: HandlerRegistry
    stored?: {
      entries: Iterable<readonly [string, Uint8Array]>
      parts: Iterable<PartVersion>
      leaves: readonly Uint8Array[]
    }
  }) {
    this.#genesis = input.genesis
    this.#handlers = input.handlers
    this.#state = new State(input.stored?.entries ?? [])
    this.#leaves = [...(input.stored?.leaves ?? [])]
    if (input.stored === undefined) this.#begin()
    else for (const part of input.stored.parts) this.#parts.add(part)
    const { economy } = input.handlers
    if (economy === undefined) return
    economy.requireConservedInFull(this.#state)
    this.#sinceCheckpoint = this.#state.remember()
  }

  get parts(): ParamIndex {
    return this.#parts
  }

  get state(): State {
    return this.#state
  }

  get eventCount(): number {
    return this.#cursor().eventCount
  }

  get cadence(): CheckpointCadence {
    const { commits, events, lastTimestampMs } = this.#cursor()
    return { commits, events, lastTimestampMs }
  }

  /** The epoch that the next commit belongs to. */
  get epochState(): EpochState {
    return readEpoch(this.#state, this.#genesis)
  }

  chain(chain: ChainId): Heads {
    return (this.#state.get(`chain/${chain}`) as Heads | undefined) ?? { height: 0, head: null }
  }

  clockOf(author: Uint8Array): number {
    return this.#clock(publicKeyToText(author))
  }

  #clock(author: PublicKeyText): number {
    return (this.#state.get(`clock/${author}`) as number | undefined) ?? 0
  }

  /** Executes the next commit. `eventsOf` may hand out events that were decoded when they came in. */
  execute(input: {
    commit: Commit
    commitDigest: string
    vertices: readonly Vertex[]
    eventsOf?: (vertex: Vertex) => readonly SignedEvent[]
  }): Execution {
    const { commit, commitDigest, vertices, eventsOf = decodeEvents } = input
    this.#tellOfCheckpoint()
    const events: ExecutedEvent[] = []
    const blocks: Block[] = []
    const early: string[] = []
    const replayed: string[] = []
    const ordered: string[] = []
    const cursor = this.#cursor()
    const clocks = new Map<PublicKeyText, number>()
    for (const vertex of vertices) {
      for (const [place, event] of eventsOf(vertex).entries()) {
        const author = publicKeyToText(event.envelope.author)
        const expected = (clocks.get(author) ?? this.#clock(author)) + 1
        if (event.envelope.logicalClock > expected) {
          early.push(event.digest)
          continue
        }
        ordered.push(event.digest)
        if (event.envelope.logicalClock < expected) {
          replayed.push(event.digest)
          continue
        }
        clocks.set(author, expected)
        const { refusal, block } = this.#apply(event, commit.timestampMs)
        if (block !== undefined) blocks.push(block)
        cursor.eventCount++
        this.#leaves.push(eventLeaf(event.digest, refusal))
        events.push({
          sequence: cursor.eventCount,
          event,
          vertexDigest: vertex.digest,
          place,
          refusal,
          block: block?.cid.toString() ?? null
        })
      }
    }
    for (const [author, clock] of clocks) this.#state.set(`clock/${author}`, clock)
    cursor.commits++
    cursor.events += events.length
    this.#state.set(cursorKey, cursor)
    const isAsked = this.#handlers.economy?.afterCommit(this.#state, {
      commit,
      vertices,
      set: currentSet(this.#state, this.#genesis)
    })
    const isDue =
      isAsked === true ||
      isCheckpointDue(cursor, commit.timestampMs, this.#genesis.parameters) ||
      commit.index === this.epochState.closesAt ||
      mustDeclareClosing(this.#state, this.#genesis, commit.timestampMs)
    const checkpoint = isDue ? this.#checkpoint(commit, commitDigest) : undefined
    return { events, early, replayed, ordered, blocks, state: this.#state.takeChanges(), checkpoint }
  }

  #apply(event: SignedEvent, timestampMs: number): { refusal: string; block: Block | undefined } {
    const outcome = this.#state.attempt(() => {
      const draft = this.#handlers
        .get(event.envelope.type)
        .apply({ envelope: event.envelope, eventDigest: event.digest, state: this.#state, timestampMs })
      return draft === undefined ? undefined : this.#addBlock(draft, event)
    })
    if (outcome.ok) return { refusal: '', block: outcome.value }
    if (!isBlyanError(outcome.error)) throw outcome.error
    return { refusal: outcome.error.code, block: undefined }
  }

  #addBlock(draft: BlockDraft, event: SignedEvent): Block {
    const { height, head } = this.chain(draft.chain)
    const meta = this.chain('A').head
    const block = makeBlock({
      index: height,
      chain_id: draft.chain,
      depends_on: draft.chain === 'B' ? [meta!, ...draft.dependsOn] : head === null ? [] : [head],
      block_type: draft.blockType,
      expert_name: draft.name,
      layer_id: draft.layer,
      payload_hash: draft.payloadHash,
      nonce: draft.nonce,
      miner_pub: event.envelope.author,
      payload_sig: event.signature,
      tensor: draft.tensor,
      event: cidOfDigest(hexToBytes(event.digest)!)
    })
    this.#record(block, draft.shape)
    return block
  }

  #record(block: Block, shape: readonly number[]): void {
    const { chain_id, index, expert_name, block_type, layer_id, tensor } = block.header
    this.#state.set(`chain/${chain_id}`, { height: index + 1, head: block.cid })
    if (chain_id === 'A' && block_type === 'model' && expert_name !== null) this.#nameModelBlock(expert_name, block.cid)
    if (chain_id !== 'B' || expert_name === null || tensor === null) return
    this.#state.set(`block/${block.cid.toString()}`, index)
    this.#state.set(`part/${expert_name}`, { block: block.cid, shape: [...shape], type: block_type })
    this.#parts.add({
      name: expert_name,
      blockType: block_type,
      layer: layer_id,
      block: block.cid.toString(),
      tensor: tensor.toString(),
      shape
    })
  }

  /** A handler cannot know the CID of the block that is made of what it returns. */
  #nameModelBlock(name: string, block: CID): void {
    const key = `model/${name}`
    const model = this.#state.get(key)
    if (typeof model === 'object' && model !== null) this.#state.set(key, { ...model, block } as CanonicalValue)
  }

  #begin(): void {
    if (this.#handlers.economy !== undefined) this.#handlers.economy.begin(this.#state)
    else this.#beginAccounts()
    const shapes = new Map(this.#genesis.file.model.parts.map(part => [part.name, part.shape]))
    for (const block of this.#genesis.blocks) this.#record(block, shapes.get(block.header.expert_name ?? '') ?? [])
    this.#state.set(cursorKey, {
      eventCount: 0,
      commits: 0,
      events: 0,
      lastTimestampMs: this.#genesis.timeMs,
      sequence: 0,
      previous: this.#genesis.digest,
      eventFirst: 1
    })
  }

  #beginAccounts(): void {
    for (const account of this.#genesis.file.accounts) {
      this.#state.set(`balance/${account.account}/BLY`, account.balance)
      if (account.stake !== '0') this.#state.set(`stake/${account.account}`, account.stake)
    }
  }

  #cursor(): Cursor {
    return { ...(this.#state.get(cursorKey) as Cursor) }
  }

  #checkpoint(commit: Commit, commitDigest: string): NonNullable<Execution['checkpoint']> {
    const cursor = this.#cursor()
    const sequence = cursor.sequence + 1
    const next = {
      ...cursor,
      commits: 0,
      events: 0,
      lastTimestampMs: commit.timestampMs,
      sequence,
      eventFirst: cursor.eventCount + 1
    }
    this.#state.set(cursorKey, next)
    const { epoch } = this.epochState
    const nextSet = this.#closeOrDeclare(commit)
    this.#requireConserved()
    const checkpoint: Checkpoint = {
      epoch,
      sequence,
      commitIndex: commit.index,
      commitDigest,
      previous: bytesToHex(cursor.previous),
      eventFirst: cursor.eventFirst,
      eventCount: this.#leaves.length,
      eventRoot: bytesToHex(merkleRoot(this.#leaves)),
      stateRoot: this.#state.root(),
      chainHeads: chainIds.map(chain => {
        const { head } = this.chain(chain)
        return head === null ? null : bytesToHex(digestOfCid(head))
      }),
      timestampMs: commit.timestampMs,
      ...(nextSet === undefined ? {} : { nextSet: bytesToHex(setDigest(nextSet)) })
    }
    this.#leaves = []
    const bytes = encodeCheckpoint(checkpoint)
    const digest = checkpointDigest(bytes)
    // A state root cannot hold the digest of its own checkpoint: it is written after the root, and is in the next one.
    this.#state.set(cursorKey, { ...next, previous: hexToBytes(digest)! })
    return { checkpoint, bytes, digest, nextSet }
  }

  /**
   * Told with the commit that follows: what is written of a checkpoint right after it was made would be in the state and
   * not in its root, and missing where a node begins with a snapshot.
   */
  #tellOfCheckpoint(): void {
    const { commits, sequence, previous } = this.#cursor()
    if (commits > 0 || sequence === 0) return
    this.#handlers.economy?.afterCheckpoint(this.#state, { sequence, digest: bytesToHex(previous) })
  }

  #requireConserved(): void {
    const { economy } = this.#handlers
    if (economy === undefined || this.#sinceCheckpoint === undefined) return
    economy.requireConserved(this.#state, this.#sinceCheckpoint)
    this.#state.forget(this.#sinceCheckpoint)
    this.#sinceCheckpoint = this.#state.remember()
  }

  /** The next set when this commit ends the epoch. Changes that wait are announced first: everybody must know the end in time. */
  #closeOrDeclare(commit: Commit): Uint8Array | undefined {
    if (commit.index === this.epochState.closesAt) return closeEpoch(this.#state, this.#genesis, commit)
    if (mustDeclareClosing(this.#state, this.#genesis, commit.timestampMs))
      declareClosing(this.#state, this.#genesis, commit.index + this.#genesis.parameters.epochNoticeCommits)
    return undefined
  }
}

export function decodeEvents(vertex: Vertex): SignedEvent[] {
  return eventsOfBody(vertex.body).map(decodeEvent)
}

type Cursor = {
  eventCount: number
  commits: number
  events: number
  lastTimestampMs: number
  sequence: number
  previous: Uint8Array
  eventFirst: number
}

/** The leaf of an event that was applied: the prefix of leaves and the digest, written anew for each. */
const appliedLeaf = Buffer.alloc(33)

/** What the event tree of a checkpoint commits to: which event, and whether it was applied or refused. */
export function eventLeaf(digest: string, refusal: string): Uint8Array {
  if (refusal === '') {
    appliedLeaf.write(digest, 1, 'hex')
    return sha256(appliedLeaf)
  }
  return merkleLeaf(concatBytes(hexToBytes(digest)!, new TextEncoder().encode(refusal)))
}
