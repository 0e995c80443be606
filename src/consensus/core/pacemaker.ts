import { type Committee, WeightCounter } from './committee.ts'
import type { Graph } from './graph.ts'
import type { ConsensusParameters } from './parameters.ts'

/** Why a node would go on: events to order, only signatures to collect, or nothing. */
export type Urgency = 'events' | 'checkpoint' | 'idle'

export type PaceInput = {
  readonly nowMs: number
  readonly urgency: Urgency
  readonly self: number
  readonly lastOwnRound: number
  readonly lastOwnAtMs: number
  readonly isConnected: (author: number) => boolean
}

/**
 * Decides when to leave a round. Proposing the moment a quorum exists makes almost nothing final, so a validator waits
 * for the vertices of all live members (connected, and seen in the last rounds), never for absent ones, and never
 * longer than the round timeout. With nothing to order it keeps quiet but for a heartbeat.
 */
export class Pacemaker {
  readonly #committee: Committee
  readonly #parameters: ConsensusParameters
  readonly #graph: Graph
  #quorumRound = 0
  #quorumAtMs = 0

  constructor(committee: Committee, parameters: ConsensusParameters, graph: Graph) {
    this.#committee = committee
    this.#parameters = parameters
    this.#graph = graph
  }

  /** To be called whenever the graph has grown. */
  noteProgress(nowMs: number): void {
    if (this.#graph.quorumRound <= this.#quorumRound) return
    this.#quorumRound = this.#graph.quorumRound
    this.#quorumAtMs = nowMs
  }

  /** The round to propose now, or undefined. */
  roundToPropose(input: PaceInput): number | undefined {
    const round = this.#graph.quorumRound + 1
    if (round <= input.lastOwnRound) return undefined
    const sinceOwnMs = input.nowMs - input.lastOwnAtMs
    const othersMovedOn = this.#graph.highestRound >= round
    const delayMs = {
      events: this.#parameters.minimumRoundDelayMs,
      checkpoint: this.#parameters.gentleRoundDelayMs,
      idle: othersMovedOn ? this.#parameters.minimumRoundDelayMs : this.#parameters.heartbeatMs
    }[input.urgency]
    if (sinceOwnMs < (othersMovedOn ? this.#parameters.minimumRoundDelayMs : delayMs)) return undefined
    if (this.#liveAreHere(round - 1, input)) return round
    return input.nowMs - this.#quorumAtMs >= this.#parameters.roundTimeoutMs ? round : undefined
  }

  /** Members whose vertices this node waits for. */
  liveMembers(self: number, isConnected: (author: number) => boolean): number[] {
    const oldest = this.#graph.quorumRound - this.#parameters.liveRounds
    return this.#committee.validators
      .map((_, author) => author)
      .filter(author => author === self || (isConnected(author) && this.#graph.highestRoundOf(author) >= oldest))
  }

  #liveAreHere(round: number, input: PaceInput): boolean {
    const present = new WeightCounter(this.#committee)
    for (const author of this.#committee.validators.keys())
      if (this.#graph.slot(round, author).length > 0) present.add(author)
    if (!present.isQuorum) return false
    return this.liveMembers(input.self, input.isConnected).every(
      author => author === input.self || this.#graph.slot(round, author).length > 0
    )
  }
}
