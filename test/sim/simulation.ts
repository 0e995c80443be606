import { faultsTolerated } from '../../src/consensus/index.ts'
import { Conspiracy } from './conspiracy.ts'
import { EventQueue } from './event-queue.ts'
import { Faults } from './faults.ts'
import { Failure, Judge, type Verdict } from './judge.ts'
import { Keyring } from './keyring.ts'
import { Liar } from './liar.ts'
import { Load } from './load.ts'
import { drawPlan, type Plan, type PlanWishes } from './plan.ts'
import { createRandom, type Random } from './random.ts'
import { committeeOf, type Member } from './simulated-ledger.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import { SimulatedNode } from './simulated-node.ts'
import { Trace } from './trace.ts'
import { VertexVerdicts } from './vertex-verdicts.ts'
import type { CommitWatch, World } from './world.ts'

export type SimulationResult = {
  readonly seed: number
  readonly verdict: Verdict
  readonly detail: string
  readonly validators: number
  readonly commits: number
  readonly events: number
  readonly epochs: number
  readonly simulatedMs: number
  /** How often each kind of trouble was made. */
  readonly injected: Readonly<Record<string, number>>
  /** How often each kind of thing came of it. */
  readonly happened: Readonly<Record<string, number>>
  readonly peaks: Judge['peaks']
  /** Digest of everything that happened, for "the same seed is the same run". */
  readonly trace: string
}

/** Longer than any pause that began before. */
const calmMs = 3200
const patienceMs = 15_000
const patienceMin = 6
const patienceMax = 40
const membersMin = 4

/** Runs one seed: faults first, then calm, in which everything has to become final. `print` gets a line per happening. */
export function simulate(
  seed: number,
  wishes: PlanWishes = {},
  print?: (line: string) => void,
  watch?: CommitWatch
): SimulationResult {
  const random = createRandom(seed)
  const plan = drawPlan(random.fork(), wishes)
  return new Simulation(seed, plan, random, { print, watch }).run()
}

class Simulation {
  readonly #seed: number
  readonly #plan: Plan
  readonly #queue = new EventQueue()
  readonly #trace: Trace
  readonly #judge: Judge
  readonly #network: SimulatedNetwork
  readonly #nodes: readonly SimulatedNode[]
  readonly #honest: readonly SimulatedNode[]
  readonly #faults: Faults
  readonly #load: Load
  readonly #conspiracy = new Conspiracy()
  readonly #print: ((line: string) => void) | undefined

  constructor(
    seed: number,
    plan: Plan,
    random: Random,
    { print, watch }: { readonly print: ((line: string) => void) | undefined; readonly watch: CommitWatch | undefined }
  ) {
    this.#seed = seed
    this.#plan = plan
    this.#print = print
    this.#trace = new Trace(() => this.#queue.nowMs, print)
    const keyring = new Keyring()
    const isLiar = (node: number): boolean => plan.liars.some(liar => liar.node === node)
    this.#judge = new Judge({ keyring, isHonest: node => !isLiar(node), parameters: plan.parameters })
    const count = plan.weights.length + plan.followers + plan.spares
    const common = { plan, queue: this.#queue, trace: this.#trace }
    this.#network = new SimulatedNetwork({ ...common, random: random.fork(), nodes: count })
    const world = this.#world(keyring, random, watch)
    this.#nodes = Array.from({ length: count }, (_, index) => new SimulatedNode(index, world))
    this.#honest = this.#nodes.filter(node => !isLiar(node.index))
    this.#makeLiars(world, random.fork())
    this.#faults = new Faults({
      ...common,
      random: random.fork(),
      network: this.#network,
      nodes: this.#nodes,
      conspiracy: this.#conspiracy,
      onRestarted: node => this.#load.excuse(node)
    })
    this.#load = new Load({ ...common, random: random.fork(), nodes: this.#nodes, honest: this.#honest })
  }

  run(): SimulationResult {
    let verdict: Verdict = 'pass'
    let detail = ''
    this.#print?.(JSON.stringify({ ...this.#plan, links: undefined, clocks: undefined, disks: undefined }))
    try {
      this.#script()
    } catch (error) {
      verdict = error instanceof Failure ? error.verdict : 'threw'
      detail = error instanceof Failure ? error.message : String((error as Error).stack ?? error)
    }
    this.#print?.(`verdict: ${verdict} ${detail}`)
    return {
      seed: this.#seed,
      verdict,
      detail,
      validators: this.#plan.weights.length,
      commits: this.#judge.agreed.length,
      events: Math.max(...this.#honest.map(node => node.ledger.log.length)),
      epochs: Math.max(...this.#honest.map(node => node.ledger.epochs.length)),
      simulatedMs: Math.round(this.#queue.nowMs),
      injected: Object.fromEntries(this.#trace.injections),
      happened: Object.fromEntries(this.#trace.happenings),
      peaks: this.#judge.peaks,
      trace: this.#trace.digest
    }
  }

  #script(): void {
    for (const node of this.#nodes) node.start()
    this.#network.open(this.#nodes)
    this.#queue.every(250, () => this.#measure())
    this.#faults.begin()
    this.#load.begin()
    this.#queue.runUntil(this.#plan.faultsUntilMs)
    this.#trace.happened('calm', 0)
    this.#faults.stop()
    this.#load.insist()
    this.#queue.runUntil(this.#queue.nowMs + calmMs)
    const last = this.#honest.filter(node => node.self !== undefined).map(node => ({ node, id: `last ${node.index}` }))
    for (const { node, id } of last) this.#load.offer(node, id)
    this.#settle()
    if (!this.#isSettled()) throw new Failure('no-progress', this.#whatIsOpen())
    for (const node of this.#honest) node.closeEvidence()
  }

  /** Slow links take their time: as long as events become final, they are waited for. */
  #settle(): void {
    let before = -1
    for (let turn = 1; turn <= patienceMax; turn++) {
      this.#queue.runUntil(this.#queue.nowMs + patienceMs, () => this.#isSettled())
      const progress = this.#honest.reduce((sum, node) => sum + node.ledger.lastEventCommitIndex, 0)
      if (this.#isSettled() || (turn >= patienceMin && progress === before)) return
      before = progress
    }
  }

  /** Every honest node has ordered all that was promised, under a checkpoint that a quorum has signed. */
  #isSettled(): boolean {
    const commits = this.#judge.agreed.length
    return this.#honest.every(
      node =>
        node.replica !== undefined &&
        this.#load.missingAt(node) === undefined &&
        node.certifiedCommitIndex >= node.ledger.lastEventCommitIndex &&
        commits > 0
    )
  }

  #whatIsOpen(): string {
    return this.#honest
      .map(node => {
        const { slots, presence, lateMs, ...view } = node.view!
        return JSON.stringify({
          node: node.index,
          self: node.self,
          epoch: node.ledger.epoch.committee.epoch,
          missing: this.#load.missingAt(node),
          certified: node.certifiedCommitIndex,
          checkpoint: node.ledger.lastCheckpoint?.commitIndex,
          openEvents: node.ledger.eventsSinceCheckpoint,
          ...view
        })
      })
      .join('\n  ')
  }

  #measure(): void {
    for (const node of this.#honest) {
      const { view } = node
      if (view === undefined) continue
      const { validators, baseRound } = node.ledger.epoch.committee
      this.#judge.memory(
        node.index,
        view,
        validators.length,
        Math.max(0, view.round - Math.max(baseRound, view.finalRound))
      )
      this.#load.excuseLeavers(node)
      const taken = view.slots.filter(hasSlot => !hasSlot).length
      if (taken > 0) this.#trace.happened('slots taken', node.index, taken)
    }
  }

  #world(keyring: Keyring, random: Random, watch: CommitWatch | undefined): World {
    const plan = this.#plan
    const { parameters, degraded } = plan
    const members: Member[] = plan.weights.map((weight, node) => ({ node, key: `${node}#0`, weight }))
    const genesis = {
      committee: committeeOf(0, members, 0, degraded),
      digest: new Uint8Array(32).fill(7),
      timestampMs: 0
    }
    const faulty = new Set([...plan.liars.map(liar => liar.node), ...plan.damageable])
    const isAllowed = (next: readonly Member[]): boolean => {
      const committee = committeeOf(0, next, 0, degraded)
      const weight = next.filter(({ node }) => faulty.has(node)).reduce((sum, member) => sum + member.weight, 0)
      return next.length >= membersMin && weight <= faultsTolerated(committee)
    }
    const rules = { genesis, parameters, degraded, isAllowed }
    const clocks = plan.clocks
    return {
      plan,
      parameters,
      rules,
      queue: this.#queue,
      network: this.#network,
      keyring,
      verdicts: new VertexVerdicts(keyring, parameters),
      judge: this.#judge,
      trace: this.#trace,
      diskRandom: random.fork(),
      watch,
      keysOf: epoch =>
        (
          this.#honest.find(node => node.ledger.epochs[epoch] !== undefined)?.ledger.epochs[epoch]?.committee
            .validators ?? []
        ).map(validator => validator.name),
      wallMs: node => {
        const { offsetMs, rate } = clocks[node]!
        return Math.max(0, 1_000_000 + this.#queue.nowMs * rate + offsetMs + this.#faults.clockJumpsMs[node]!)
      },
      monotonicMs: node => this.#queue.nowMs * clocks[node]!.rate,
      onCrash: (node, how) => this.#faults.crashedAtWrite(node, how)
    }
  }

  #makeLiars(world: World, random: Random): void {
    const conspiracy = this.#conspiracy
    const redraw = (): void => {
      if (conspiracy.splitUntilMs > this.#queue.nowMs) return
      const all = this.#nodes.map(node => node.index)
      conspiracy.firstHalf = new Set(random.some(all, 0.5))
      conspiracy.victims = new Set(random.some(all, 0.2))
    }
    redraw()
    if (this.#plan.liars.length > 0) this.#queue.every(700, redraw)
    for (const plan of this.#plan.liars) {
      const node = this.#nodes[plan.node]!
      node.liar = new Liar({ node, world, random: random.fork(), plan, conspiracy })
    }
  }
}
