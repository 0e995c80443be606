import { type Committee, faultsTolerated, WeightCounter } from './committee.ts'
import type { Graph } from './graph.ts'
import type { ConsensusParameters } from './parameters.ts'
import type { Vertex } from './vertex.ts'

/** Why a node would go on: events to order, only signatures to collect, or nothing. */
export type Urgency = 'events' | 'checkpoint' | 'idle'

export type PaceInput = {
  readonly nowMs: number
  readonly urgency: Urgency
  readonly self: number
  readonly lastOwnRound: number
  readonly lastOwnAtMs: number
  readonly decidedRound: number
  readonly isConnected: (author: number) => boolean
  readonly hasSlot: (author: number) => boolean
}

const roundsTimedMax = 32
const undecidedRoundsPerDoubling = 24
const timeoutFactorMax = 8
/** Rounds that a node makes only because somebody else did: so many at once, and so many for each heartbeat. */
const followsMax = 32
const followsPerHeartbeat = 4

/**
 * Decides when to leave a round. Proposing the moment a quorum exists makes almost nothing final, so a validator waits
 * for the vertices of all live members (connected, seen in the last rounds, not always late), never for absent ones, and
 * never longer than the round timeout, which grows while nothing is decided. With nothing to order it keeps quiet but for
 * a heartbeat.
 */
export class Pacemaker {
  readonly #committee: Committee
  readonly #parameters: ConsensusParameters
  readonly #graph: Graph
  /** When the quorum of a round was here, for the last rounds. */
  readonly #quorumAtMs = new Map<number, number>()
  readonly #lateMs: number[]
  readonly #isLate: boolean[]
  #quorumRound: number
  #follows = followsMax
  #followsAtMs = 0

  constructor(committee: Committee, parameters: ConsensusParameters, graph: Graph) {
    this.#committee = committee
    this.#parameters = parameters
    this.#graph = graph
    this.#quorumRound = committee.baseRound
    this.#lateMs = committee.validators.map(() => 0)
    this.#isLate = committee.validators.map(() => false)
  }

  /** How long after the quorum of its round a member's vertex comes, averaged over the last ones. */
  get lateMs(): readonly number[] {
    return this.#lateMs
  }

  /** To be called whenever the graph has grown, with what was added. */
  noteProgress(nowMs: number, accepted: readonly Vertex[] = []): void {
    for (const { header } of accepted) this.#noteArrival(header.author, header.round, nowMs)
    if (this.#graph.quorumRound <= this.#quorumRound) return
    this.#quorumRound = this.#graph.quorumRound
    this.#quorumAtMs.set(this.#quorumRound, nowMs)
    if (this.#quorumAtMs.size > roundsTimedMax) this.#quorumAtMs.delete(this.#quorumAtMs.keys().next().value!)
  }

  /** The round to propose now, or undefined. */
  roundToPropose(input: PaceInput): number | undefined {
    const round = this.#graph.quorumRound + 1
    if (round <= input.lastOwnRound) return undefined
    const follows = this.#graph.highestRound >= round && input.urgency !== 'events'
    // Who orders events has need enough: what follows after them is not counted against anybody.
    if (input.urgency === 'events') this.#follows = followsMax
    const ownDelayMs = {
      events: this.#parameters.minimumRoundDelayMs,
      checkpoint: this.#parameters.gentleRoundDelayMs,
      idle: this.#parameters.heartbeatMs
    }[input.urgency]
    const delayMs = follows ? Math.min(ownDelayMs, this.#followDelayMs(input.nowMs)) : ownDelayMs
    if (input.nowMs - input.lastOwnAtMs < delayMs || !this.#mayLeave(round - 1, input)) return undefined
    if (follows) this.#follows--
    return round
  }

  /** Members whose vertices this node waits for. */
  waitedFor(input: Pick<PaceInput, 'self' | 'isConnected' | 'hasSlot'>): number[] {
    const oldest = this.#graph.quorumRound - this.#parameters.liveRounds
    const live = (author: number): boolean =>
      input.isConnected(author) &&
      input.hasSlot(author) &&
      !this.#isLate[author] &&
      this.#graph.highestRoundOf(author) >= oldest
    return [...this.#committee.validators.keys()].filter(author => author === input.self || live(author))
  }

  #mayLeave(round: number, input: PaceInput): boolean {
    if (this.#awaitedAreHere(round, input)) return true
    const quorumAtMs = this.#quorumAtMs.get(round) ?? Number.NEGATIVE_INFINITY
    return input.nowMs - quorumAtMs >= this.#timeoutMs(input.decidedRound)
  }

  /** Whoever went on without need is followed at once, but not again and again: one liar must not keep all awake. */
  #followDelayMs(nowMs: number): number {
    const { heartbeatMs, minimumRoundDelayMs } = this.#parameters
    const gained = (nowMs - this.#followsAtMs) / (heartbeatMs / followsPerHeartbeat)
    this.#follows = Math.min(followsMax, this.#follows + gained)
    this.#followsAtMs = nowMs
    return this.#follows >= 1 ? minimumRoundDelayMs : heartbeatMs / 2
  }

  #awaitedAreHere(round: number, input: PaceInput): boolean {
    const present = new WeightCounter(this.#committee)
    for (const author of this.#committee.validators.keys())
      if (this.#graph.slot(round, author).length > 0) present.add(author)
    if (!present.isOrderingQuorum) return false
    return this.waitedFor(input).every(author => author === input.self || this.#graph.slot(round, author).length > 0)
  }

  /** While rounds pass and nothing is decided, more patience is what helps. */
  #timeoutMs(decidedRound: number): number {
    const doublings = Math.floor((this.#graph.quorumRound - decidedRound) / undecidedRoundsPerDoubling)
    return this.#parameters.roundTimeoutMs * Math.min(timeoutFactorMax, 2 ** Math.max(0, doublings))
  }

  #noteArrival(author: number, round: number, nowMs: number): void {
    const quorumAtMs = this.#quorumAtMs.get(round)
    if (quorumAtMs === undefined && round <= this.#quorumRound) return
    const lateMs = quorumAtMs === undefined ? 0 : nowMs - quorumAtMs
    this.#lateMs[author] = this.#lateMs[author]! * 0.8 + lateMs * 0.2
    if (this.#lateMs[author]! < this.#parameters.lateMsMax / 2) this.#isLate[author] = false
    else if (this.#lateMs[author]! > this.#parameters.lateMsMax && this.#mayLeaveOut(author))
      this.#isLate[author] = true
  }

  /** No more are left out than may be faulty: the rest are needed for a quorum. */
  #mayLeaveOut(author: number): boolean {
    let weight = this.#committee.validators[author]!.weight
    for (const [other, isLate] of this.#isLate.entries())
      if (isLate && other !== author) weight += this.#committee.validators[other]!.weight
    return weight <= faultsTolerated(this.#committee)
  }
}
