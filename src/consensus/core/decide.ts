import { type Committee, WeightCounter } from './committee.ts'
import type { Graph } from './graph.ts'
import type { Vertex } from './vertex.ts'

/** What is known of one slot (round, author). */
export type SlotDecision =
  | { readonly kind: 'final'; readonly vertex: Vertex; readonly how: 'direct' | 'indirect' }
  | { readonly kind: 'skipped'; readonly how: 'direct' | 'indirect' }
  | { readonly kind: 'undecided' }

const undecided: SlotDecision = { kind: 'undecided' }

/** The fixed order of a round's slots: it turns by one each round, so that nobody is always first. */
export function slotOrder(round: number, count: number): number[] {
  return Array.from({ length: count }, (_, place) => (round + place) % count)
}

/**
 * Decides slots from the graph alone; asking again with the same graph gives the same answer.
 * Decisions once made never change, so they are kept until `forget`.
 * Rules: docs/design.md, "Deciding"; Mysticeti-C (arXiv 2310.14821) with a slot for every validator.
 */
export class Decider {
  readonly #committee: Committee
  readonly #graph: Graph
  readonly #hasSlot: (author: number) => boolean
  readonly #decided = new Map<number, SlotDecision[]>()
  /** Graph and cursor of the last call that decided nothing: until one of them changes there is nothing to do. */
  #idleRevision = -1
  #idleCursor = -1

  /** Who has no slot is passed over: its vertices are ordered with the history of others. */
  constructor(committee: Committee, graph: Graph, hasSlot: (author: number) => boolean = () => true) {
    this.#committee = committee
    this.#graph = graph
    this.#hasSlot = hasSlot
  }

  /** The final vertices of `cursor + 1`, `cursor + 2`, ... for as long as every slot of the round is decided. */
  decidedAfter(cursor: number): { readonly round: number; readonly finals: readonly Vertex[] }[] {
    if (this.#graph.revision === this.#idleRevision && cursor === this.#idleCursor) return []
    const out = this.#decideAfter(cursor)
    if (out.length === 0) {
      this.#idleRevision = this.#graph.revision
      this.#idleCursor = cursor
    }
    return out
  }

  #decideAfter(cursor: number): { readonly round: number; readonly finals: readonly Vertex[] }[] {
    const count = this.#committee.validators.length
    for (let round = this.#graph.highestRound; round > cursor; round--) {
      for (const author of slotOrder(round, count).reverse()) this.#decide(round, author)
    }
    const out: { round: number; finals: Vertex[] }[] = []
    for (let round = cursor + 1; round <= this.#graph.highestRound; round++) {
      const slots = this.#decided.get(round) ?? []
      const finals: Vertex[] = []
      for (const author of slotOrder(round, count)) {
        const decision = slots[author] ?? undecided
        if (decision.kind === 'undecided') return out
        if (decision.kind === 'final') finals.push(decision.vertex)
      }
      out.push({ round, finals })
    }
    return out
  }

  decision(round: number, author: number): SlotDecision {
    return this.#decided.get(round)?.[author] ?? undecided
  }

  forget(upToRound: number): void {
    for (const round of this.#decided.keys()) if (round <= upToRound) this.#decided.delete(round)
  }

  /** Slots were given or taken: everything after the last commit is decided anew under the new ones. */
  slotsChanged(): void {
    this.#decided.clear()
    this.#idleRevision = -1
  }

  #decide(round: number, author: number): void {
    let slots = this.#decided.get(round)
    if (slots !== undefined && (slots[author] ?? undecided).kind !== 'undecided') return
    const direct = this.#direct(round, author)
    const decision = direct.kind === 'undecided' ? this.#indirect(round, author) : direct
    if (decision.kind === 'undecided') return
    if (slots === undefined) {
      slots = []
      this.#decided.set(round, slots)
    }
    slots[author] = decision
  }

  /** A quorum's COMMITs make a vertex final; a quorum's vertices of the next round without it skip the slot. */
  #direct(round: number, author: number): SlotDecision {
    if (!this.#hasSlot(author)) return { kind: 'skipped', how: 'direct' }
    const count = this.#committee.validators.length
    const blames = new WeightCounter(this.#committee)
    for (let voter = 0; voter < count; voter++) {
      for (const node of this.#graph.slot(round + 1, voter)) if (node.prepares[author] === undefined) blames.add(voter)
    }
    if (blames.isOrderingQuorum) return { kind: 'skipped', how: 'direct' }
    for (const candidate of this.#graph.slot(round, author)) {
      const commits = new WeightCounter(this.#committee)
      for (let voter = 0; voter < count; voter++) {
        for (const node of this.#graph.slot(round + 2, voter))
          if (node.commits[author] === candidate.vertex.digest) commits.add(voter)
      }
      if (commits.isOrderingQuorum) return { kind: 'final', vertex: candidate.vertex, how: 'direct' }
    }
    return undecided
  }

  /** The first later slot that is not skipped decides, once it is decided itself: by whether its history holds a COMMIT. */
  #indirect(round: number, author: number): SlotDecision {
    const count = this.#committee.validators.length
    for (let later = round + 3; later <= this.#graph.highestRound; later++) {
      for (const anchorAuthor of slotOrder(later, count)) {
        const anchor = this.decision(later, anchorAuthor)
        if (anchor.kind === 'undecided') return undecided
        if (anchor.kind === 'skipped') continue
        const committed = this.#commitInHistory(anchor.vertex, round, author)
        return committed === undefined
          ? { kind: 'skipped', how: 'indirect' }
          : { kind: 'final', vertex: committed, how: 'indirect' }
      }
    }
    return undecided
  }

  #commitInHistory(anchor: Vertex, round: number, author: number): Vertex | undefined {
    const seen = new Set<string>([anchor.digest])
    const open = [anchor.digest]
    for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
      const node = this.#graph.node(digest)
      if (node === undefined) continue
      if (node.vertex.header.round === round + 2) {
        const committed = node.commits[author]
        if (committed !== undefined) return this.#graph.get(committed)
        continue
      }
      for (const parent of node.vertex.header.parents) {
        if (parent.round < round + 2 || seen.has(parent.digest)) continue
        seen.add(parent.digest)
        open.push(parent.digest)
      }
    }
    return undefined
  }
}
