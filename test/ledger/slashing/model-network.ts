import type { Vertex } from '../../../src/consensus/index.ts'
import { createRandom, type Random } from '../../sim/random.ts'
import { vertexAt } from '../ledger-world.ts'
import type { StakingWorld } from '../staking-world.ts'

/** What members do that is not honest. */
export type Conduct = {
  /** Whether `author` leaves `other` out in this round although it has its vertex. */
  readonly leavesOut?: (author: number, other: number, round: number) => boolean
  /** Whether `author` sends its vertex of this round to `other` only when somebody else asks for it. */
  readonly withholds?: (author: number, other: number, round: number) => boolean
}

type Made = { readonly atMs: number; readonly names: readonly number[] }

/**
 * Members that make vertices round by round: each as soon as a quorum of the round before has come and a little later,
 * naming the newest vertex of everybody that it has by then. Lines have their own length and a long tail; whoever takes a
 * vertex has all that it names.
 */
export class ModelNetwork {
  readonly #world: StakingWorld
  readonly #random: Random
  readonly #conduct: Conduct
  readonly #linesMs: readonly (readonly number[])[]
  #before: readonly Made[]
  #round = 0

  constructor(world: StakingWorld, seed: number, conduct: Conduct = {}) {
    this.#world = world
    this.#random = createRandom(seed)
    this.#conduct = conduct
    const places = world.members.map((_, place) => place)
    this.#linesMs = places.map(() => places.map(() => this.#random.between(1, 150)))
    this.#before = places.map(() => ({ atMs: world.nowMs, names: places.map(() => 0) }))
  }

  /** Commits so many rounds, in `spanMs` of committed time. */
  run(rounds: number, spanMs: number): void {
    for (let count = 0; count < rounds; count++) {
      const made = this.#next()
      this.#world.nowMs += Math.floor(spanMs / rounds)
      this.#world.commitVertices(
        this.#round,
        made.map((one, place) => this.#vertex(one, place))
      )
      this.#before = made
    }
  }

  #next(): Made[] {
    const round = ++this.#round
    const { leavesOut = () => false, withholds = () => false } = this.#conduct
    const quorum = Math.floor((2 * this.#before.length) / 3) + 1
    return this.#before.map((own, author) => {
      const arrivals = this.#before.map((one, other) =>
        other === author
          ? own.atMs
          : withholds(other, author, round - 1)
            ? Infinity
            : one.atMs + this.#lineMs(other, author)
      )
      const atMs = arrivals.toSorted((a, b) => a - b)[quorum - 1]! + this.#random.between(0, 30)
      const has = arrivals.map(arrivedMs => arrivedMs <= atMs)
      const names = this.#before.map((_, other) => {
        if (other !== author && leavesOut(author, other, round)) return -1
        if (has[other]) return round - 1
        return Math.max(...this.#before.map((one, parent) => (has[parent] ? one.names[other]! : 0)))
      })
      return { atMs, names }
    })
  }

  #lineMs(from: number, to: number): number {
    const usual = this.#linesMs[from]![to]!
    return this.#random.chance(0.03) ? usual + this.#random.between(0, 2000) : usual * this.#random.between(0.9, 1.3)
  }

  #vertex({ names }: Made, author: number): Vertex {
    const parents = names
      .map((round, place) => ({ round, author: place, digest: `${place}`.padStart(64, '0') }))
      .filter(({ round }) => round >= 0)
      .sort((a, b) => Number(b.author === author) - Number(a.author === author))
    return vertexAt(this.#round, author, this.#world.nowMs, { parents })
  }
}
