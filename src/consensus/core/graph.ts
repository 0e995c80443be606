import { type Committee, WeightCounter } from './committee.ts'
import type { ConsensusParameters } from './parameters.ts'
import { nameOf, refOf, type Vertex, type VertexRef } from './vertex.ts'

/** A vertex in the graph with what is derived from it once, at acceptance. */
export type Node = {
  readonly vertex: Vertex
  /** By author: the vertex of the round before that this one PREPAREs. */
  readonly prepares: readonly (string | undefined)[]
  /** By author: the vertex two rounds before that this one COMMITs (a quorum of its parents PREPARE it). */
  readonly commits: readonly (string | undefined)[]
}

export type AddOutcome = {
  /** Newly accepted, parents before children. */
  readonly accepted: readonly Vertex[]
  /** Ancestors to fetch before the vertex can be accepted. */
  readonly missing: readonly VertexRef[]
  readonly dropped?: 'known' | 'old' | 'too-far' | 'slot-full' | 'suspended-full'
}

/**
 * The vertices above the garbage-collection round: accepted ones (all ancestors known) and suspended ones.
 * Bounded by rounds kept, vertices per slot and suspended vertices.
 */
export class Graph {
  readonly #committee: Committee
  readonly #parameters: ConsensusParameters
  readonly #nodes = new Map<string, Node>()
  readonly #rounds = new Map<number, Node[][]>()
  readonly #suspended = new Map<string, { vertex: Vertex; missing: Set<string> }>()
  readonly #suspendedOf: number[]
  #suspendedBytes = 0
  /** Missing vertex, by its whole name (`nameOf`) -> suspended vertices that wait for it. */
  readonly #waiting = new Map<string, { ref: VertexRef; children: Set<string> }>()
  readonly #highest: number[]
  #gcRound: number
  #quorumRound = 0
  #highestRound = 0
  #revision = 0

  constructor(committee: Committee, parameters: ConsensusParameters, genesis: readonly Vertex[]) {
    this.#committee = committee
    this.#parameters = parameters
    this.#gcRound = committee.baseRound - 1
    this.#highest = committee.validators.map(() => 0)
    this.#suspendedOf = committee.validators.map(() => 0)
    for (const vertex of genesis) this.#insert(vertex)
  }

  /** At and below this round everything counts as known and nothing is kept. */
  get gcRound(): number {
    return this.#gcRound
  }

  /** Changes with every accepted vertex. */
  get revision(): number {
    return this.#revision
  }

  /** Highest round of which a quorum of vertices is accepted. */
  get quorumRound(): number {
    return this.#quorumRound
  }

  get highestRound(): number {
    return this.#highestRound
  }

  get suspendedCount(): number {
    return this.#suspended.size
  }

  get size(): number {
    return this.#nodes.size
  }

  has(digest: string): boolean {
    return this.#nodes.has(digest)
  }

  /** Accepted, or waiting here for its ancestors. */
  holds(digest: string): boolean {
    return this.#nodes.has(digest) || this.#suspended.has(digest)
  }

  get(digest: string): Vertex | undefined {
    return this.#nodes.get(digest)?.vertex
  }

  node(digest: string): Node | undefined {
    return this.#nodes.get(digest)
  }

  slot(round: number, author: number): readonly Node[] {
    return this.#rounds.get(round)?.[author] ?? []
  }

  highestRoundOf(author: number): number {
    return this.#highest[author]!
  }

  /** Newest accepted vertex of an author in a round up to `round`, if one is kept. */
  newestUpTo(author: number, round: number): Vertex | undefined {
    for (let r = Math.min(round, this.#highest[author]!); r > this.#gcRound && r >= 0; r--) {
      const node = this.slot(r, author)[0]
      if (node !== undefined) return node.vertex
    }
    return undefined
  }

  isMissing(ref: VertexRef): boolean {
    return this.#waiting.has(nameOf(ref))
  }

  /** Accepts a vertex, or suspends it until its ancestors are here. Static rules and signature were checked before. */
  add(vertex: Vertex): AddOutcome {
    const { round, author } = vertex.header
    const wanted = this.isMissing(refOf(vertex))
    const nothing = (dropped: NonNullable<AddOutcome['dropped']>): AddOutcome => ({
      accepted: [],
      missing: [],
      dropped
    })
    if (this.#nodes.has(vertex.digest) || this.#suspended.has(vertex.digest)) return nothing('known')
    if (round <= this.#gcRound) return nothing('old')
    if (round > this.#highestRound + this.#parameters.roundsAheadMax) return nothing('too-far')
    if (!wanted && this.slot(round, author).length >= this.#parameters.verticesPerSlotMax) return nothing('slot-full')
    const missing = vertex.header.parents.filter(parent => !this.#isKnown(parent))
    if (missing.length > 0) {
      const isFull =
        this.#suspendedOf[author]! >= this.#suspendedPerAuthorMax ||
        this.#suspendedBytes > this.#parameters.suspendedBytesMax
      if (!wanted && isFull) return nothing('suspended-full')
      this.#suspend(vertex, missing)
      return { accepted: [], missing: missing.filter(ref => !this.#suspended.has(ref.digest)) }
    }
    return { accepted: this.#accept(vertex), missing: [] }
  }

  /** Adds a vertex of a certified commit: its ancestors are committed too, or gone. */
  addCommitted(vertex: Vertex): readonly Vertex[] {
    if (this.#nodes.has(vertex.digest) || vertex.header.round <= this.#gcRound) return []
    this.#unsuspend(vertex.digest)
    return this.#accept(vertex)
  }

  /** Forgets everything at and below `round`. Whoever waited only for forgotten vertices is accepted: they are returned. */
  collectGarbage(round: number): readonly Vertex[] {
    if (round <= this.#gcRound) return []
    this.#gcRound = round
    for (const [r, slots] of this.#rounds) {
      if (r > round) continue
      for (const nodes of slots) for (const node of nodes) this.#nodes.delete(node.vertex.digest)
      this.#rounds.delete(r)
    }
    for (const [digest, { vertex }] of this.#suspended) if (vertex.header.round <= round) this.#unsuspend(digest)
    const accepted: Vertex[] = []
    for (const { ref } of [...this.#waiting.values()]) if (ref.round <= round) accepted.push(...this.#release(ref))
    return accepted
  }

  /** One member cannot use up the room of the others. */
  get #suspendedPerAuthorMax(): number {
    return Math.max(1, Math.floor(this.#parameters.suspendedVerticesMax / this.#committee.validators.length))
  }

  /** A reference that names a vertex by another round or author than its own names nothing: it is missing, not known. */
  #isKnown(ref: VertexRef): boolean {
    if (ref.round <= this.#gcRound) return true
    const header = this.#nodes.get(ref.digest)?.vertex.header
    return header !== undefined && header.round === ref.round && header.author === ref.author
  }

  #weightOf(round: number): number {
    let weight = 0
    const slots = this.#rounds.get(round)
    if (slots !== undefined)
      for (const [author, nodes] of slots.entries())
        if (nodes.length > 0) weight += this.#committee.validators[author]!.weight
    return weight
  }

  #suspend(vertex: Vertex, missing: readonly VertexRef[]): void {
    this.#suspended.set(vertex.digest, { vertex, missing: new Set(missing.map(nameOf)) })
    this.#suspendedOf[vertex.header.author]!++
    this.#suspendedBytes += vertex.body.length
    for (const ref of missing) {
      const entry = this.#waiting.get(nameOf(ref))
      if (entry === undefined) this.#waiting.set(nameOf(ref), { ref, children: new Set([vertex.digest]) })
      else entry.children.add(vertex.digest)
    }
  }

  #unsuspend(digest: string): void {
    const entry = this.#suspended.get(digest)
    if (entry === undefined) return
    this.#suspended.delete(digest)
    this.#suspendedOf[entry.vertex.header.author]!--
    this.#suspendedBytes -= entry.vertex.body.length
    for (const missing of entry.missing) {
      const waiting = this.#waiting.get(missing)
      waiting?.children.delete(digest)
      if (waiting?.children.size === 0) this.#waiting.delete(missing)
    }
  }

  #accept(vertex: Vertex): Vertex[] {
    this.#insert(vertex)
    return [vertex, ...this.#release(refOf(vertex))]
  }

  /** `ref` is known now: whoever waited for nothing else is accepted, and so on. */
  #release(ref: VertexRef): Vertex[] {
    const accepted: Vertex[] = []
    const known = [nameOf(ref)]
    for (let next = known.pop(); next !== undefined; next = known.pop()) {
      const waiting = this.#waiting.get(next)
      if (waiting === undefined) continue
      this.#waiting.delete(next)
      for (const child of waiting.children) {
        const entry = this.#suspended.get(child)
        if (entry === undefined) continue
        entry.missing.delete(next)
        if (entry.missing.size > 0) continue
        this.#suspended.delete(child)
        this.#suspendedOf[entry.vertex.header.author]!--
        this.#suspendedBytes -= entry.vertex.body.length
        this.#insert(entry.vertex)
        accepted.push(entry.vertex)
        known.push(nameOf(refOf(entry.vertex)))
      }
    }
    return accepted
  }

  #insert(vertex: Vertex): void {
    const { round, author } = vertex.header
    const node = this.#derive(vertex)
    this.#revision++
    this.#nodes.set(vertex.digest, node)
    let slots = this.#rounds.get(round)
    if (slots === undefined) {
      slots = this.#committee.validators.map(() => [])
      this.#rounds.set(round, slots)
    }
    slots[author]!.push(node)
    this.#highest[author] = Math.max(this.#highest[author]!, round)
    this.#highestRound = Math.max(this.#highestRound, round)
    if (round > this.#quorumRound && this.#weightOf(round) >= this.#committee.orderingWeight) this.#quorumRound = round
  }

  #derive(vertex: Vertex): Node {
    const { round, parents } = vertex.header
    const count = this.#committee.validators.length
    const prepares: (string | undefined)[] = new Array(count).fill(undefined)
    for (const parent of parents) if (parent.round === round - 1) prepares[parent.author] = parent.digest
    const commits: (string | undefined)[] = new Array(count).fill(undefined)
    const voters = parents.filter(parent => parent.round === round - 1).map(parent => this.#nodes.get(parent.digest))
    for (let author = 0; author < count; author++) {
      const weights = new Map<string, WeightCounter>()
      for (const voter of voters) {
        const supported = voter?.prepares[author]
        if (supported === undefined) continue
        const counter = weights.get(supported) ?? new WeightCounter(this.#committee)
        weights.set(supported, counter)
        counter.add(voter!.vertex.header.author)
        if (counter.isOrderingQuorum) commits[author] = supported
      }
    }
    return { vertex, prepares, commits }
  }

  /** The newest accepted vertex of every author, for peers that have just connected. */
  tips(): Vertex[] {
    return this.#committee.validators
      .map((_, author) => this.newestUpTo(author, this.#highest[author]!))
      .filter(vertex => vertex !== undefined && vertex.header.round > this.#committee.baseRound) as Vertex[]
  }

  /** Accepted ancestors of `refs` with a round above `aboveRound`, newest first, at most `countMax`. */
  ancestors(refs: readonly string[], aboveRound: number, countMax: number): Vertex[] {
    const seen = new Set<string>(refs)
    const found: Vertex[] = []
    const open = [...refs]
    for (let i = 0; i < open.length && found.length < countMax; i++) {
      const vertex = this.get(open[i]!)
      if (vertex === undefined) continue
      found.push(vertex)
      for (const parent of vertex.header.parents) {
        if (parent.round > Math.max(aboveRound, this.#committee.baseRound) && !seen.has(parent.digest)) {
          seen.add(parent.digest)
          open.push(parent.digest)
        }
      }
    }
    return found
  }

  refs(round: number): VertexRef[] {
    return (this.#rounds.get(round) ?? []).flatMap(nodes => nodes.map(node => refOf(node.vertex)))
  }
}
