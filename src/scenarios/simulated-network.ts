import type { Commit, Vertex } from '../consensus/index.ts'
import {
  currentSet,
  type ExecutedEvent,
  Executor,
  type Genesis,
  type HandlerRegistry,
  keyTextOf,
  type SignedEvent,
  type State
} from '../dag/index.ts'
import { isBlyanError } from '../errors/index.ts'
import type { Participant } from './participant.ts'

/** How a member behaves in a round. */
export type Conduct = 'present' | 'late' | 'wrong' | 'absent'

/** What became of the events of a kind. */
export type EventCount = { readonly type: string; readonly refusal: string; count: number }

const lateMs = 400
const promptMsMax = 60
const noSignature = new Uint8Array(64)
/** Of an event beside its payload: names, times, author, signature. */
const envelopeBytes = 250
const noBytes = new Uint8Array(0)

/**
 * A network without its quorum: the executor of a node with the handlers and rules of a node, fed with commits whose
 * vertices say who was there. Checks after every checkpoint that no coin was made or lost, as every node does.
 */
export class SimulatedNetwork {
  readonly genesis: Genesis
  readonly #handlers: HandlerRegistry
  readonly #executor: Executor
  readonly #clocks = new Map<string, number>()
  readonly #counts = new Map<string, EventCount>()
  #waiting: SignedEvent[] = []
  #eventCount = 0
  #eventBytes = 0
  #round = 0
  #parents: Vertex['header']['parents'] = []
  #lastCheckpoint: { readonly sequence: number; readonly digest: string } | undefined
  nowMs: number

  constructor(genesis: Genesis, handlers: HandlerRegistry) {
    this.genesis = genesis
    this.#handlers = handlers
    this.#executor = new Executor({ genesis, handlers })
    this.nowMs = genesis.timeMs
  }

  get state(): State {
    return this.#executor.state
  }

  /** The consensus keys of the set of now, in their places. */
  get memberKeys(): readonly string[] {
    return currentSet(this.state, this.genesis).members.map(keyTextOf)
  }

  /** How many events there were, by type and what became of them. */
  get eventCounts(): readonly EventCount[] {
    return [...this.#counts.values()]
  }

  /** Of all events that were handed in, as they travel. */
  get eventBytes(): number {
    return this.#eventBytes
  }

  /** Hands in an event: it is executed with the next commit. What cannot be encoded is counted as refused. */
  submit(author: Participant, type: string, json: unknown): void {
    try {
      this.submitPayload(author, type, this.#handlers.get(type).encodePayload(json))
    } catch (error) {
      if (!isBlyanError(error)) throw error
      this.#count(type, error.code)
    }
  }

  submitPayload(author: Participant, type: string, payload: Uint8Array): void {
    const logicalClock = (this.#clocks.get(author.account) ?? 0) + 1
    this.#clocks.set(author.account, logicalClock)
    this.#eventBytes += payload.length + envelopeBytes
    this.#waiting.push({
      envelope: {
        tenantId: 'scenario',
        logicalClock,
        region: 'simulated',
        origin: author.name,
        createdAtMs: this.nowMs,
        type,
        payload,
        author: author.key.publicKey
      },
      digest: (++this.#eventCount).toString(16).padStart(64, '0'),
      signature: noSignature,
      bytes: noBytes
    })
  }

  /**
   * The next round, `afterMs` later, in which each member behaves as told. Nothing is decided, and what was handed in
   * waits, while no more than two thirds of the weight are there. Gives whether there was a commit.
   */
  commit(afterMs: number, conductOf: (consensusKey: string, place: number) => Conduct): boolean {
    this.nowMs += afterMs
    const { epoch, members } = currentSet(this.state, this.genesis)
    const conducts = members.map((member, place) => conductOf(keyTextOf(member), place))
    const weightOf = (isMeant: (conduct: Conduct) => boolean): number =>
      members.reduce((sum, member, place) => sum + (isMeant(conducts[place]!) ? member.weight : 0), 0)
    if (weightOf(conduct => conduct !== 'absent') * 3 <= weightOf(() => true) * 2) return false
    const round = ++this.#round
    const vertices = conducts.flatMap((conduct, place) =>
      conduct === 'absent' ? [] : [this.#vertex(epoch, round, place, conduct)]
    )
    this.#parents = vertices.map(({ digest }, at) => ({ round, author: vertices[at]!.header.author, digest }))
    this.#execute(round, vertices)
    return true
  }

  #execute(round: number, vertices: readonly Vertex[]): void {
    const commit: Commit = {
      index: round,
      round,
      previous: digestOf('c', round - 1, 0),
      timestampMs: this.nowMs,
      vertices: vertices.map(({ header, digest }) => ({ round, author: header.author, digest }))
    }
    const events = this.#waiting
    this.#waiting = []
    const execution = this.#executor.execute({
      commit,
      commitDigest: digestOf('c', round, 0),
      vertices,
      eventsOf: vertex => (vertex === vertices[0] ? events : [])
    })
    for (const event of execution.events) this.#note(event)
    if (execution.checkpoint === undefined) return
    const { checkpoint, digest } = execution.checkpoint
    this.#lastCheckpoint = { sequence: checkpoint.sequence, digest }
  }

  #vertex(epoch: number, round: number, author: number, conduct: Conduct): Vertex {
    const checkpoint = this.#lastCheckpoint
    const digest = digestOf('d', round, author)
    const delayMs = conduct === 'late' ? lateMs : (author * 7 + round * 13) % promptMsMax
    const votes =
      checkpoint === undefined
        ? []
        : [
            {
              sequence: checkpoint.sequence,
              digest: conduct === 'wrong' ? digestOf('e', round, author) : checkpoint.digest,
              signature: noSignature
            }
          ]
    const header = {
      epoch,
      round,
      author,
      timestampMs: this.nowMs - 2 * lateMs + delayMs,
      parents: this.#parents,
      eventCount: 0,
      bodyDigest: digestOf('b', round, author),
      votes
    }
    return { digest, header, headerBytes: noBytes, signature: noSignature, body: noBytes }
  }

  #note({ event, refusal }: ExecutedEvent): void {
    this.#count(event.envelope.type, refusal)
  }

  #count(type: string, refusal: string): void {
    const name = `${type} ${refusal}`
    const known = this.#counts.get(name)
    if (known === undefined) this.#counts.set(name, { type, refusal, count: 1 })
    else known.count++
  }
}

/** Unlike any other digest of the same run; nothing here is hashed that nobody reads. */
function digestOf(kind: string, round: number, author: number): string {
  return `${kind}${round.toString(16).padStart(31, '0')}${author.toString(16).padStart(32, '0')}`
}
