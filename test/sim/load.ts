import type { EventQueue } from './event-queue.ts'
import type { Plan } from './plan.ts'
import type { Random } from './random.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { Trace } from './trace.ts'

export type LoadNeeds = {
  readonly plan: Plan
  readonly random: Random
  readonly queue: EventQueue
  readonly trace: Trace
  readonly nodes: readonly SimulatedNode[]
  readonly honest: readonly SimulatedNode[]
}

const resubmitMs = 300

/**
 * People who use the network: events in bursts with silence between them, some of authors whose events keep an order, and
 * changes of the set of members. Remembers what a node took and has not lost since.
 */
export class Load {
  readonly #needs: LoadNeeds
  /** Taken by this node and not excused: must become final. */
  readonly #promised = new Map<string, SimulatedNode>()
  readonly #chains: { readonly home: SimulatedNode; readonly ids: string[] }[]
  #count = 0

  constructor(needs: LoadNeeds) {
    this.#needs = needs
    const { random, honest, plan } = needs
    this.#chains = Array.from({ length: plan.chainedAuthors }, () => ({ home: random.pick(honest), ids: [] }))
  }

  get promisedCount(): number {
    return this.#promised.size
  }

  begin(): void {
    const { plan, random, queue } = this.#needs
    const bursts = Array.from({ length: plan.bursts }, () => ({
      atMs: random.between(0, plan.faultsUntilMs),
      forMs: random.pick([1, 50, 500, plan.faultsUntilMs / 2])
    }))
    for (let i = 0; i < plan.events; i++) {
      const { atMs, forMs } = random.pick(bursts)
      queue.after(atMs + random.next() * forMs, () => this.#submitOne())
    }
    for (let i = 0; i < plan.setChanges; i++)
      queue.after(random.between(0, plan.faultsUntilMs), () => this.#changeSet())
  }

  /** A member's node offers an event of its own; true when it took it. */
  offer(node: SimulatedNode, id: string): boolean {
    if (!node.isReachable || !node.submit(id)) return false
    this.#promised.set(id, node)
    this.#needs.trace.happened('event taken', node.index, this.#count++, () => id)
    return true
  }

  /** What a node held in memory only is gone with its process: its people would send it again. */
  excuse(node: SimulatedNode, isAll = false): void {
    for (const [id, holder] of this.#promised)
      if (holder === node && !node.ledger.seen.has(id) && (isAll || node.replica?.hasPending(id) !== true))
        this.#promised.delete(id)
  }

  /** A node that is no member any more can bring nothing in. */
  excuseLeavers(node: SimulatedNode): void {
    if (node.self === undefined && node.isUp) this.excuse(node, true)
  }

  /** Authors send again, in order, what is not final, until it is. */
  insist(): void {
    const { queue } = this.#needs
    for (const { ids, home } of this.#chains) {
      const node = this.#memberNear(home)
      const open = ids.filter(id => !node.ledger.seen.has(id)).slice(0, 8)
      for (const id of open) if (node.isReachable && node.replica?.hasPending(id) !== true) node.submit(id)
    }
    queue.after(resubmitMs, () => this.insist())
  }

  /** Events that an honest node has still to show as ordered. */
  missingAt(node: SimulatedNode): string | undefined {
    for (const id of this.#promised.keys()) if (!node.ledger.seen.has(id)) return id
    for (const { ids } of this.#chains) for (const id of ids) if (!node.ledger.seen.has(id)) return id
    return undefined
  }

  #submitOne(): void {
    const { random, honest } = this.#needs
    const chain = this.#chains.length > 0 && random.chance(0.4) ? random.pick(this.#chains) : undefined
    if (chain === undefined) {
      const node = random.pick(honest)
      if (node.self !== undefined) this.offer(node, `event ${this.#count++}`)
      return
    }
    const id = `chain${this.#chains.indexOf(chain)}.${chain.ids.length + 1}`
    const node = random.chance(0.1) ? random.pick(honest) : chain.home
    if (node.isReachable && node.submit(id)) chain.ids.push(id)
  }

  #changeSet(): void {
    const { random, honest, nodes, plan } = this.#needs
    const members = plan.weights.length
    const node = random.pick(honest.filter(one => one.self !== undefined || one.index < members))
    const who = random.pick(nodes).index
    const what = random.pick(['join', 'join', 'leave', 'rotate'])
    if (node.isReachable && node.submit(`set ${what} ${who} ${this.#count++}`))
      this.#needs.trace.injected(`set change: ${what}`, who)
  }

  #memberNear(home: SimulatedNode): SimulatedNode {
    if (home.self !== undefined) return home
    return this.#needs.honest.find(node => node.self !== undefined) ?? home
  }
}
