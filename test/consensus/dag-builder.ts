import { bytesToHex, sha256 } from '../../src/codec/index.ts'
import {
  type Commit,
  type CommitPoint,
  commitDigest,
  commitOf,
  commitTimestampMs,
  encodeCommit,
  linearise
} from '../../src/consensus/core/commit.ts'
import { type Committee, createCommittee } from '../../src/consensus/core/committee.ts'
import { Decider } from '../../src/consensus/core/decide.ts'
import { Graph } from '../../src/consensus/core/graph.ts'
import { type ConsensusParameters, defaultParameters } from '../../src/consensus/core/parameters.ts'
import { SlotSchedule } from '../../src/consensus/core/slot-schedule.ts'
import {
  baseVertices,
  encodeBody,
  encodeHeader,
  refOf,
  type Vertex,
  type VertexHeader,
  type VertexRef
} from '../../src/consensus/core/vertex.ts'

export const genesisDigest = sha256(new TextEncoder().encode('a network of tests'))

/** Members with these weights, or that many of weight 1. The graph checks no signatures, so keys are empty. */
export function committeeOf(weights: number | readonly number[]): Committee {
  const list = typeof weights === 'number' ? new Array<number>(weights).fill(1) : weights
  return createCommittee(
    0,
    list.map((weight, index) => ({
      name: `v${index}`,
      publicKey: new Uint8Array(34),
      peerId: `peer${index}`,
      origin: 'here',
      region: 'here',
      weight
    }))
  )
}

export type VertexFields = {
  readonly author: number
  readonly round: number
  readonly parents: readonly VertexRef[]
  readonly timestampMs?: number
  readonly events?: readonly Uint8Array[]
  readonly header?: Partial<VertexHeader>
}

/** An unsigned vertex with a real digest. Two with the same fields are the same vertex. */
export function vertexOf(fields: VertexFields): Vertex {
  const body = encodeBody(fields.events ?? [])
  const header: VertexHeader = {
    epoch: 0,
    round: fields.round,
    author: fields.author,
    timestampMs: fields.timestampMs ?? fields.round * 100,
    parents: fields.parents,
    eventCount: fields.events?.length ?? 0,
    bodyDigest: bytesToHex(sha256(body)),
    votes: [],
    ...fields.header
  }
  const headerBytes = encodeHeader(header)
  return { digest: bytesToHex(sha256(headerBytes)), header, headerBytes, signature: new Uint8Array(64), body }
}

export function genesisOfCommittee(committee: Committee): Vertex[] {
  return baseVertices({ committee, digest: genesisDigest, timestampMs: 0 })
}

/** Draws a graph round by round: who makes a vertex, and whose vertices of the round before it references. */
export class DagBuilder {
  readonly committee: Committee
  readonly vertices: Vertex[] = []
  readonly #rounds: (Vertex | undefined)[][]

  constructor(committee: Committee) {
    this.committee = committee
    this.#rounds = [genesisOfCommittee(committee)]
  }

  get height(): number {
    return this.#rounds.length - 1
  }

  /** `parents[author]` lists authors of the round before; an author that is not named makes no vertex. */
  round(parents: Readonly<Record<number, readonly number[]>>): this {
    const before = this.#rounds.at(-1)!
    const round = this.#rounds.length
    const made: (Vertex | undefined)[] = this.committee.validators.map(() => undefined)
    for (const [name, authors] of Object.entries(parents)) {
      const author = Number(name)
      const ordered = [...authors].sort((a, b) => Number(b === author) - Number(a === author) || a - b)
      made[author] = vertexOf({ author, round, parents: ordered.map(parent => refOf(before[parent]!)) })
      this.vertices.push(made[author])
    }
    this.#rounds.push(made)
    return this
  }

  /** Rounds in which these authors (all, unless given) reference everything of the round before. */
  full(count: number, authors: readonly number[] = this.everybody): this {
    for (let i = 0; i < count; i++) {
      const before = this.everybody.filter(author => this.#rounds.at(-1)![author] !== undefined)
      this.round(Object.fromEntries(authors.map(author => [author, before])))
    }
    return this
  }

  get everybody(): number[] {
    return this.committee.validators.map((_, author) => author)
  }

  at(round: number, author: number): Vertex {
    return this.#rounds[round]![author]!
  }
}

/** The part of a node that orders: what it is fed, it decides on; commits come out. */
export class OrderingNode {
  readonly committee: Committee
  readonly graph: Graph
  readonly decider: Decider
  readonly commits: Commit[] = []
  readonly #committed = new Map<string, number>()
  readonly #gcDepth: number
  readonly #slots: SlotSchedule
  #point: CommitPoint = { index: 0, round: 0, digest: bytesToHex(genesisDigest), timestampMs: 0 }
  #cursor = 0

  constructor(committee: Committee, options: { parameters?: Partial<ConsensusParameters>; gcDepth?: number } = {}) {
    this.committee = committee
    this.graph = new Graph(committee, { ...defaultParameters, ...options.parameters }, genesisOfCommittee(committee))
    this.#slots = new SlotSchedule(committee, { ...defaultParameters, ...options.parameters })
    this.decider = new Decider(committee, this.graph, author => this.#slots.hasSlot(author))
    this.#gcDepth = options.gcDepth ?? Number.POSITIVE_INFINITY
  }

  feed(...vertices: readonly Vertex[]): this {
    for (const vertex of vertices) this.graph.add(vertex)
    return this
  }

  /** What the replica does whenever its graph has grown. */
  decide(): this {
    for (let next = this.#nextDecided(); next !== undefined; next = this.#nextDecided()) {
      this.#cursor = next.round
      if (next.finals.length === 0) continue
      const ordered = linearise(this.graph, this.committee, next.finals, digest => this.#committed.has(digest))
      const timestampMs = commitTimestampMs(this.graph, this.committee, next.finals, this.#point.timestampMs)
      const commit = commitOf(this.#point, next.round, timestampMs, ordered)
      for (const vertex of ordered) this.#committed.set(vertex.digest, vertex.header.round)
      this.commits.push(commit)
      if (this.#slots.note(commit)) this.decider.slotsChanged()
      this.#point = { ...commit, digest: commitDigest(encodeCommit(commit)) }
      this.graph.collectGarbage(commit.round - this.#gcDepth)
      for (const [digest, round] of this.#committed) if (round <= this.graph.gcRound) this.#committed.delete(digest)
      this.decider.forget(this.#cursor)
    }
    return this
  }

  get slots(): readonly boolean[] {
    return this.#slots.slots
  }

  get order(): string[] {
    return this.commits.flatMap(commit => commit.vertices.map(vertex => vertex.digest))
  }

  #nextDecided(): { readonly round: number; readonly finals: readonly Vertex[] } | undefined {
    return this.decider.decidedAfter(this.#cursor)[0]
  }

  /** `final direct`, `skipped indirect`, `undecided` and so on. */
  decision(round: number, author: number): string {
    this.decider.decidedAfter(0)
    const decision = this.decider.decision(round, author)
    return decision.kind === 'undecided' ? decision.kind : `${decision.kind} ${decision.how}`
  }
}
