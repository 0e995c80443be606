import type { Vertex } from '../../src/consensus/index.ts'

/** What the liars of a run agree on: whom to show one thing, whom another, and whom to pass over. */
export class Conspiracy {
  firstHalf: ReadonlySet<number> = new Set()
  victims: ReadonlySet<number> = new Set()
  /** While the network is torn along the halves, and only the liars can talk to both. */
  splitUntilMs = 0
  /** By half: what the liars have signed for it, by author and epoch. */
  readonly #made: readonly Map<string, Vertex[]>[] = [new Map(), new Map()]

  halfOf(node: number): number {
    return this.firstHalf.has(node) ? 0 : 1
  }

  note(half: number, vertex: Vertex): void {
    const { epoch, author } = vertex.header
    const key = `${epoch} ${author}`
    const made = this.#made[half]!.get(key) ?? []
    this.#made[half]!.set(key, [...made.slice(-7), vertex])
  }

  newest(half: number, epoch: number, author: number, belowRound: number): Vertex | undefined {
    return this.#made[half]!.get(`${epoch} ${author}`)?.findLast(vertex => vertex.header.round < belowRound)
  }
}
