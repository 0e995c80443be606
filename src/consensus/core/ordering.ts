import {
  type Commit,
  type CommitPoint,
  commitDigest,
  commitOf,
  commitTimestampMs,
  encodeCommit,
  linearise
} from './commit.ts'
import type { Committee, EpochStart } from './committee.ts'
import { Decider } from './decide.ts'
import { type AddOutcome, Graph } from './graph.ts'
import type { ConsensusParameters } from './parameters.ts'
import { SlotSchedule } from './slot-schedule.ts'
import { baseVertices, type Vertex } from './vertex.ts'

export type OrderedCommit = {
  readonly commit: Commit
  readonly commitBytes: Uint8Array
  readonly digest: string
  readonly vertices: readonly Vertex[]
  /** Vertices that waited only for what is forgotten now. */
  readonly freed: readonly Vertex[]
}

/** From vertices to commits: the graph, who has a slot, what is decided, what is in a commit, what may be forgotten. */
export class Ordering {
  readonly graph: Graph
  readonly slots: SlotSchedule
  readonly #committee: Committee
  readonly #gcDepthRounds: number
  readonly #decider: Decider
  /** Vertices above the garbage-collection round that are in a commit, with their rounds. */
  readonly #committed = new Map<string, number>()
  #openCount = 0
  #point: CommitPoint
  #decidedRound: number

  constructor(epoch: EpochStart, parameters: ConsensusParameters, point: CommitPoint) {
    this.#committee = epoch.committee
    this.#gcDepthRounds = parameters.gcDepthRounds
    this.graph = new Graph(epoch.committee, parameters, baseVertices(epoch))
    this.slots = new SlotSchedule(epoch.committee, parameters)
    this.#decider = new Decider(epoch.committee, this.graph, author => this.slots.hasSlot(author))
    this.#point = point
    this.#decidedRound = Math.max(point.round, epoch.committee.baseRound)
  }

  /** The last commit. */
  get point(): CommitPoint {
    return this.#point
  }

  get decidedRound(): number {
    return this.#decidedRound
  }

  /** Accepted vertices with events that no commit holds. */
  get openCount(): number {
    return this.#openCount
  }

  /** What was decided before a restart: commits up to the point, and what of them is above `gcRound`. */
  restore(
    gcRound: number,
    committed: readonly { readonly digest: string; readonly round: number }[],
    recent: readonly Commit[]
  ): void {
    this.graph.collectGarbage(gcRound)
    for (const { digest, round } of committed) this.#committed.set(digest, round)
    for (const commit of recent) this.slots.note(commit)
  }

  /** Takes a vertex whose static rules and signature hold. */
  add(vertex: Vertex): AddOutcome {
    if (this.#committed.has(vertex.digest))
      return { accepted: this.#count(this.graph.addCommitted(vertex)), missing: [] }
    const outcome = this.graph.add(vertex)
    this.#count(outcome.accepted)
    return outcome
  }

  /** The next commit that the graph decides, if it decides one. */
  next(): OrderedCommit | undefined {
    for (;;) {
      const [decided] = this.#decider.decidedAfter(this.#decidedRound)
      if (decided === undefined) return undefined
      const { round, finals } = decided
      this.#decidedRound = round
      if (finals.length === 0) continue
      const vertices = linearise(this.graph, this.#committee, finals, digest => this.#committed.has(digest))
      const timestampMs = commitTimestampMs(this.graph, this.#committee, finals, this.#point.timestampMs)
      const commit = commitOf(this.#point, round, timestampMs, vertices)
      const commitBytes = encodeCommit(commit)
      return this.#apply(commit, commitBytes, commitDigest(commitBytes), vertices)
    }
  }

  /** A commit that a quorum has certified, as it is: the vertices that decided it may be gone everywhere. */
  applyCertified(commit: Commit, digest: string, vertices: readonly Vertex[]): OrderedCommit {
    const freed = vertices.flatMap(vertex => this.#count(this.graph.addCommitted(vertex)))
    const applied = this.#apply(commit, encodeCommit(commit), digest, vertices)
    this.#decidedRound = Math.max(this.#decidedRound, commit.round)
    const isOfCommit = new Set(vertices)
    return { ...applied, freed: [...freed.filter(vertex => !isOfCommit.has(vertex)), ...applied.freed] }
  }

  #apply(commit: Commit, commitBytes: Uint8Array, digest: string, vertices: readonly Vertex[]): OrderedCommit {
    for (const vertex of vertices) {
      if (this.#isOpen(vertex) && this.graph.has(vertex.digest)) this.#openCount--
      this.#committed.set(vertex.digest, vertex.header.round)
    }
    this.#point = { index: commit.index, round: commit.round, digest, timestampMs: commit.timestampMs }
    if (this.slots.note(commit)) this.#decider.slotsChanged()
    return { commit, commitBytes, digest, vertices, freed: this.#collectGarbage(commit.round - this.#gcDepthRounds) }
  }

  #collectGarbage(gcRound: number): readonly Vertex[] {
    if (gcRound <= this.graph.gcRound) return []
    for (let round = this.graph.gcRound + 1; round <= gcRound; round++)
      for (const { digest } of this.graph.refs(round)) if (this.#isOpen(this.graph.get(digest)!)) this.#openCount--
    for (const [digest, round] of this.#committed) if (round <= gcRound) this.#committed.delete(digest)
    const freed = this.#count(this.graph.collectGarbage(gcRound))
    this.#decider.forget(this.#decidedRound)
    return freed
  }

  #count(accepted: readonly Vertex[]): readonly Vertex[] {
    for (const vertex of accepted) if (this.#isOpen(vertex)) this.#openCount++
    return accepted
  }

  #isOpen(vertex: Vertex): boolean {
    return vertex.header.eventCount > 0 && !this.#committed.has(vertex.digest)
  }
}
