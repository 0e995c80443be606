import { faultsTolerated } from '../../src/consensus/index.ts'
import type { Conspiracy } from './conspiracy.ts'
import type { EventQueue } from './event-queue.ts'
import type { Plan } from './plan.ts'
import type { Random } from './random.ts'
import type { CrashPoint } from './simulated-disk.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { Trace } from './trace.ts'

const splitEveryMs = 1200
const crashPoints: readonly CrashPoint[] = ['before', 'within', 'after']

export type FaultsNeeds = {
  readonly plan: Plan
  readonly random: Random
  readonly queue: EventQueue
  readonly network: SimulatedNetwork
  readonly trace: Trace
  readonly nodes: readonly SimulatedNode[]
  readonly conspiracy: Conspiracy
  /** What the node had promised may be gone with it: called when it is up again. */
  readonly onRestarted: (node: SimulatedNode) => void
}

/** Breaks things, as the plan says, until `stop`. */
export class Faults {
  readonly clockJumpsMs: number[]
  readonly #needs: FaultsNeeds
  readonly #restartDue = new Set<number>()
  #isOver = false

  constructor(needs: FaultsNeeds) {
    this.#needs = needs
    this.clockJumpsMs = needs.nodes.map(() => 0)
  }

  begin(): void {
    const { plan } = this.#needs
    this.#repeat(plan.crashEveryMs, () => this.#crashSomebody())
    this.#repeat(plan.partitionEveryMs, () => this.#partition())
    if (plan.liars.some(liar => liar.strategies.includes('splitBrain'))) this.#repeat(splitEveryMs, () => this.#split())
    this.#repeat(plan.pauseEveryMs, () => this.#pause())
    this.#repeat(plan.damageEveryMs, () => this.#damage())
    this.#repeat(plan.clockJumpEveryMs, () => this.#jumpClock())
  }

  /** From here on nothing fails any more; who is down comes up. */
  stop(): void {
    this.#isOver = true
    this.#needs.network.heal()
    for (const node of this.#needs.nodes) {
      node.disk.disarm()
      this.#restart(node)
    }
  }

  /** The process of a node died while it wrote. */
  crashedAtWrite(index: number, how: CrashPoint): void {
    const node = this.#needs.nodes[index]!
    this.#needs.trace.injected(`crash ${how} a write`, index, node.disk.writes)
    this.#kill(node)
  }

  #crashSomebody(): void {
    const { plan, random, nodes, trace } = this.#needs
    const isAll = plan.isCrashUnbounded && random.chance(0.1)
    const candidates = nodes.filter(node => node.isUp && this.#mayStop(node))
    if (candidates.length === 0) return
    for (const node of isAll ? candidates : [random.pick(candidates)]) {
      if (random.chance(plan.crashAtWriteShare)) {
        node.disk.armCrash(random.integer(1, 12), random.pick(crashPoints))
        continue
      }
      trace.injected('crash', node.index)
      this.#kill(node)
    }
  }

  #kill(node: SimulatedNode): void {
    const { plan, random, trace } = this.#needs
    node.die()
    if (random.chance(plan.powerCutShare)) {
      const { lost, torn } = node.disk.powerCut(random)
      trace.injected('power cut', node.index, lost)
      if (torn > 0) trace.injected('torn write', node.index)
      if (lost > 0) trace.injected('lost tail', node.index, lost)
    }
    this.#restartLater(node)
  }

  #restartLater(node: SimulatedNode): void {
    const { random, queue } = this.#needs
    this.#restartDue.add(node.index)
    const delayMs = random.chance(0.2) ? random.integer(2000, 6000) : random.integer(20, 1500)
    queue.after(delayMs, () => this.#restart(node))
  }

  #restart(node: SimulatedNode): void {
    if (node.isUp || !this.#restartDue.delete(node.index)) return
    const dropped = node.disk.reopen()
    this.#needs.trace.injected('restart', node.index, dropped)
    if (dropped > 0) this.#needs.trace.injected('torn batch dropped', node.index, dropped)
    node.start()
    this.#needs.onRestarted(node)
  }

  /** A store goes back in time or is lost, only of nodes that the quorum can do without. */
  #damage(): void {
    const { plan, random, nodes, trace } = this.#needs
    if (plan.damageable.length === 0) return
    const node = nodes[random.pick(plan.damageable)]!
    if (!node.isUp || !this.#mayStop(node)) return
    const damage = random.pick(plan.damages)
    node.die()
    const lost = damage === 'rollback' ? node.disk.rollBack(random) : node.disk.wipe()
    if (damage === 'amnesia') node.signer.lose()
    const names = { rollback: 'store rolled back', loss: 'store lost', amnesia: 'store and floor lost' }
    trace.injected(names[damage], node.index, lost)
    this.#restartLater(node)
  }

  #partition(): void {
    const { random, nodes, network, trace } = this.#needs
    const all = nodes.map(node => node.index)
    const forMs = random.chance(0.2) ? random.integer(1500, 5000) : random.integer(50, 1500)
    const how = random.integer(0, 3)
    if (how === 0) {
      const one = random.pick(all)
      trace.injected('node cut off', one, forMs)
      network.block([one], all, forMs)
      network.block(all, [one], forMs)
    } else if (how === 1) {
      const one = random.pick(all)
      const isDeaf = random.chance(0.5)
      trace.injected(isDeaf ? 'one-way: deaf' : 'one-way: mute', one, forMs)
      if (isDeaf) network.block(all, [one], forMs)
      else network.block([one], all, forMs)
    } else {
      const inside = random.some(all, random.pick([0.3, 0.5]))
      const outside = all.filter(index => !inside.includes(index))
      trace.injected(how === 2 ? 'partition' : 'one-way partition', inside[0] ?? 0, forMs, () => inside.join(' '))
      network.block(inside, outside, forMs)
      if (how === 2) network.block(outside, inside, forMs)
    }
  }

  /** The network helps the liars: the halves hear nothing of each other, and both hear the liars. */
  #split(): void {
    const { plan, random, nodes, network, trace, queue, conspiracy } = this.#needs
    const forMs = random.integer(300, 4000)
    const honest = nodes.map(node => node.index).filter(index => !plan.liars.some(liar => liar.node === index))
    const [first, second] = [0, 1].map(half => honest.filter(index => conspiracy.halfOf(index) === half))
    trace.injected('split with liars in both', 0, forMs, () => `${first!.join(' ')} | ${second!.join(' ')}`)
    conspiracy.splitUntilMs = queue.nowMs + forMs
    network.block(first!, second!, forMs)
    network.block(second!, first!, forMs)
  }

  #pause(): void {
    const { random, nodes, trace } = this.#needs
    const node = random.pick(nodes)
    if (!node.isUp || !this.#mayStop(node)) return
    const forMs = random.integer(50, 3000)
    trace.injected('pause', node.index, forMs)
    node.pause(forMs)
  }

  #jumpClock(): void {
    const { random, nodes, trace } = this.#needs
    const node = random.pick(nodes)
    const byMs = random.pick([-60_000, -3000, -100, 100, 3000, 60_000])
    this.clockJumpsMs[node.index]! += byMs
    trace.injected('clock jump', node.index, byMs)
  }

  #mayStop(node: SimulatedNode): boolean {
    const { plan, nodes } = this.#needs
    if (plan.isCrashUnbounded) return true
    const { committee } = node.ledger.epoch
    const weightOf = (one: SimulatedNode): number =>
      committee.validators.find(validator => validator.peerId === String(one.index))?.weight ?? 0
    const down = nodes.filter(one => !one.isReachable).reduce((weight, one) => weight + weightOf(one), 0)
    const spare = committee.totalWeight - committee.orderingWeight
    return down + weightOf(node) <= Math.max(spare, faultsTolerated(committee))
  }

  #repeat(everyMs: number, what: () => void): void {
    const { queue, random } = this.#needs
    if (everyMs === 0) return
    queue.after(random.between(everyMs / 2, everyMs * 1.5), () => {
      if (this.#isOver) return
      what()
      this.#repeat(everyMs, what)
    })
  }
}
