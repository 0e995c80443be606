import type { Vertex } from '../../src/consensus/index.ts'
import { Failure } from './judge.ts'
import { vertexMessage } from './keyring.ts'
import type { World } from './world.ts'

/** Whoever shows a node two vertices of one slot is reported by it, once, with two vertices that prove it. */
export class EvidenceWatch {
  readonly #node: number
  readonly #world: World
  readonly #slots = new Map<string, string>()
  readonly #seen = new Set<number>()
  readonly #reported = new Set<number>()

  constructor(node: number, world: World) {
    this.#node = node
    this.#world = world
  }

  stored(vertex: Vertex): void {
    const { round, author } = vertex.header
    const slot = `${round} ${author}`
    const before = this.#slots.get(slot)
    if (before === undefined) this.#slots.set(slot, vertex.digest)
    else if (before !== vertex.digest) this.#seen.add(author)
  }

  reported(first: Vertex, second: Vertex): void {
    const { author, round, epoch } = first.header
    const { keyring } = this.#world
    const isTwin =
      first.digest !== second.digest &&
      second.header.author === author &&
      second.header.round === round &&
      second.header.epoch === epoch
    const isSigned = [first, second].every(({ digest, signature }) =>
      this.#world.keysOf(epoch).some(key => keyring.verify(key, vertexMessage(digest), signature))
    )
    if (!isTwin || !isSigned) this.#fail(`the evidence against author ${author} proves nothing`)
    if (this.#reported.has(author)) this.#fail(`author ${author} was reported twice`)
    this.#reported.add(author)
  }

  /** The replica is gone: what it saw it must have reported. */
  close(): void {
    for (const author of this.#seen)
      if (!this.#reported.has(author)) this.#fail(`author ${author} signed twice before its eyes and was not reported`)
    this.#slots.clear()
    this.#seen.clear()
    this.#reported.clear()
  }

  #fail(detail: string): never {
    throw new Failure('evidence', `node ${this.#node}: ${detail}`)
  }
}
