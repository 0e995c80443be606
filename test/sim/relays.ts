import type { Vertex } from '../../src/consensus/index.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { World } from './world.ts'

const changeAfterMs = 3000

/** Who passes on to whom what it accepts: a node that is no member asks one peer, and another after a while. */
export class Relays {
  readonly #node: SimulatedNode
  readonly #world: World
  readonly #to = new Set<number>()
  #from: number | undefined
  #chosenAtMs = Number.NEGATIVE_INFINITY
  #turn = 0

  constructor(node: SimulatedNode, world: World) {
    this.#node = node
    this.#world = world
  }

  add(peer: number): void {
    this.#to.add(peer)
  }

  serves(peer: number): boolean {
    return this.#to.has(peer)
  }

  pass(vertex: Vertex): void {
    if (this.#node.liar?.isHiding === true) return
    for (const peer of this.#to) this.#node.push(peer, vertex)
  }

  choose(peers: ReadonlySet<number>): void {
    if (this.#node.self !== undefined || peers.size === 0) return
    const { nowMs } = this.#world.queue
    if (this.#from !== undefined && nowMs - this.#chosenAtMs < changeAfterMs) return
    const candidates = [...peers]
    const chosen = candidates[this.#turn++ % candidates.length]!
    this.#from = chosen
    this.#chosenAtMs = nowMs
    const { index } = this.#node
    this.#world.network.send(index, chosen, node => node.addRelay(index))
    this.#node.later(changeAfterMs, () => this.choose(this.#node.peers))
  }

  gone(peer: number): void {
    this.#to.delete(peer)
    if (this.#from !== peer) return
    this.#from = undefined
    this.choose(this.#node.peers)
  }

  clear(): void {
    this.#to.clear()
    this.#from = undefined
  }
}
