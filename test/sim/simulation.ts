import { type ConsensusParameters, createCommittee, defaultParameters } from '../../src/consensus/index.ts'
import { createRandom, type Random } from './random.ts'
import { type Executed, SimulatedNode, type SimulatedWorld } from './simulated-node.ts'

export type SimulationResult = {
  readonly seed: number
  readonly verdict: 'pass' | 'diverged' | 'no-progress' | 'signed-twice' | 'memory' | 'alarm' | 'threw'
  readonly detail: string
  readonly validators: number
  readonly commits: number
  readonly events: number
  readonly simulatedMs: number
  readonly injected: Readonly<Record<string, number>>
  /** Digest of everything that happened, for "the same seed is the same run". */
  readonly trace: string
}

export type SimulationPlan = {
  readonly validators: number
  readonly followers: number
  readonly delayMsMax: number
  readonly loss: number
  readonly crashEveryMs: number
  readonly partitionEveryMs: number
  readonly faultsUntilMs: number
  readonly events: number
  readonly isShrunk: boolean
}

/** Limits so small that garbage collection, catching up and back-pressure happen all the time. */
const shrunk: Partial<ConsensusParameters> = {
  gcDepthRounds: 8,
  syncLagRounds: 6,
  checkpointCommitsMax: 4,
  checkpointIntervalMs: 100,
  eventsPerVertexMax: 3,
  refsPerFetchMax: 4,
  suspendedVerticesMax: 64,
  roundsAheadMax: 40,
  heartbeatMs: 2000
}

export function drawPlan(random: Random): SimulationPlan {
  return {
    validators: random.integer(4, 10),
    followers: random.integer(0, 1),
    delayMsMax: random.pick([2, 20, 100, 300]),
    loss: random.pick([0, 0, 0.02, 0.1]),
    crashEveryMs: random.pick([0, 500, 2000, 5000]),
    partitionEveryMs: random.pick([0, 0, 1500, 4000]),
    faultsUntilMs: random.pick([3000, 8000]),
    events: random.integer(5, 60),
    isShrunk: random.chance(0.8)
  }
}

export function simulate(seed: number, given?: Partial<SimulationPlan>): SimulationResult {
  const random = createRandom(seed)
  const plan = { ...drawPlan(random), ...given }
  return new Simulation(seed, random, plan).run()
}

type Scheduled = { readonly atMs: number; readonly order: number; readonly what: () => void }

class Failure extends Error {
  readonly verdict: SimulationResult['verdict']

  constructor(verdict: SimulationResult['verdict'], detail: string) {
    super(detail)
    this.verdict = verdict
  }
}

class Simulation implements SimulatedWorld {
  readonly #seed: number
  readonly #random: Random
  readonly #plan: SimulationPlan
  readonly #queue: Scheduled[] = []
  readonly #nodes: SimulatedNode[]
  readonly #signed = new Map<string, string>()
  readonly #agreed: { digest: string; stateHash: string }[] = []
  readonly #drift: number[]
  readonly #injected: Record<string, number> = { crash: 0, restart: 0, loss: 0, partition: 0, lostWrites: 0 }
  readonly #submitted: { id: string; node: number }[] = []
  #groups: number[] = []
  #nowMs = 0
  #order = 0
  #traceHash = 0
  readonly #committee
  readonly #parameters: ConsensusParameters
  #isFaulty = true

  constructor(seed: number, random: Random, plan: SimulationPlan) {
    this.#seed = seed
    this.#random = random
    this.#plan = plan
    this.#parameters = { ...defaultParameters, ...(plan.isShrunk ? shrunk : { heartbeatMs: 2000 }) }
    this.#committee = createCommittee(
      0,
      Array.from({ length: plan.validators }, (_, i) => ({
        name: `v${i}`,
        publicKey: Uint8Array.of(i),
        peerId: String(i),
        origin: '',
        region: '',
        weight: 1
      }))
    )
    const genesisDigest = new Uint8Array(32).fill(7)
    this.#nodes = Array.from(
      { length: plan.validators + plan.followers },
      (_, index) =>
        new SimulatedNode({
          index,
          committee: this.#committee,
          parameters: this.#parameters,
          genesisDigest,
          world: this
        })
    )
    for (const node of this.#nodes)
      node.peers = this.#nodes.map(other => other.index).filter(index => index !== node.index)
    this.#drift = this.#nodes.map(() => random.integer(-2000, 2000))
  }

  run(): SimulationResult {
    let verdict: SimulationResult['verdict'] = 'pass'
    let detail = ''
    try {
      this.#script()
    } catch (error) {
      verdict = error instanceof Failure ? error.verdict : 'threw'
      detail =
        error instanceof Error ? `${error.message}${error instanceof Failure ? '' : `\n${error.stack}`}` : String(error)
    }
    return {
      seed: this.#seed,
      verdict,
      detail,
      validators: this.#plan.validators,
      commits: this.#agreed.length,
      events: Math.max(...this.#nodes.map(node => node.disk.log.length)),
      simulatedMs: this.#nowMs,
      injected: this.#injected,
      trace: (this.#traceHash >>> 0).toString(16)
    }
  }

  nowMs(): number {
    return this.#nowMs
  }

  wallMs(node: number): number {
    return 1_000_000 + this.#nowMs + this.#drift[node]!
  }

  after(delayMs: number, what: () => void): void {
    const entry = { atMs: this.#nowMs + delayMs, order: this.#order++, what }
    this.#queue.push(entry)
    for (let i = this.#queue.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1
      if (!isBefore(this.#queue[i]!, this.#queue[parent]!)) break
      ;[this.#queue[i], this.#queue[parent]] = [this.#queue[parent]!, this.#queue[i]!]
      i = parent
    }
  }

  send(from: number, to: number, deliver: (node: SimulatedNode) => void): void {
    if (this.#isFaulty && this.#random.chance(this.#plan.loss)) {
      this.#injected.loss!++
      return
    }
    this.after(1 + this.#random.next() * this.#plan.delayMsMax, () => {
      const node = this.#nodes[to]!
      if (this.#groups[from] !== this.#groups[to] || !node.isUp || !this.#nodes[from]!.isUp) return
      this.#trace(from * 31 + to)
      deliver(node)
    })
  }

  diskDelayMs(): number {
    return this.#random.next() * 3
  }

  onSigned(node: number, round: number, digest: string): void {
    const slot = `${node} ${round}`
    const before = this.#signed.get(slot)
    if (before !== undefined && before !== digest) throw new Failure('signed-twice', `node ${node} round ${round}`)
    this.#signed.set(slot, digest)
  }

  onExecuted(node: number, executed: Executed, stateHash: string): void {
    this.#trace(executed.commit.index)
    const place = executed.commit.index - 1
    const agreed = this.#agreed[place]
    if (agreed === undefined) {
      if (place !== this.#agreed.length)
        throw new Failure('diverged', `node ${node} skipped to commit ${executed.commit.index}`)
      this.#agreed.push({ digest: executed.digest, stateHash })
    } else if (agreed.digest !== executed.digest || agreed.stateHash !== stateHash) {
      throw new Failure('diverged', `node ${node}, commit ${executed.commit.index}`)
    }
  }

  onAlarm(node: number, text: string): void {
    throw new Failure('alarm', `node ${node}: ${text}`)
  }

  #script(): void {
    for (const node of this.#nodes) node.start()
    this.#connectAll()
    this.#every(1000, () => this.#tellProgress())
    this.#scheduleEvents()
    if (this.#plan.crashEveryMs > 0) this.#every(this.#plan.crashEveryMs, () => this.#crashSomebody())
    if (this.#plan.partitionEveryMs > 0) this.#every(this.#plan.partitionEveryMs, () => this.#partition())
    this.#runUntil(this.#plan.faultsUntilMs)
    this.#heal()
    this.#runUntil(this.#nowMs + 3000)
    const fresh = this.#nodes
      .filter(node => node.isValidator)
      .map(node => ({ id: `last ${node.index}`, node: node.index }))
    for (const { id, node } of fresh) this.#nodes[node]!.submit(id)
    const isDone = (): boolean =>
      this.#nodes.every(node => fresh.every(({ id }) => node.disk.seen.has(id)) && node.disk.commits.length > 0) &&
      this.#allAccepted()
    this.#runUntil(this.#nowMs + 60_000, isDone)
    if (!isDone())
      throw new Failure(
        'no-progress',
        JSON.stringify(this.#nodes.map(node => ({ ...node.replica?.view(), log: node.disk.log.length })))
      )
    for (const node of this.#nodes) {
      if (!node.verifyCommits())
        throw new Failure('diverged', `the journal of node ${node.index} does not hash to itself`)
      if (new Set(node.disk.log).size !== node.disk.log.length)
        throw new Failure('diverged', `node ${node.index} ordered an event twice`)
    }
  }

  /** Events taken by nodes that never crashed afterwards must be in the order. */
  #allAccepted(): boolean {
    return this.#submitted.every(({ id }) => this.#nodes.every(node => node.disk.seen.has(id)))
  }

  #scheduleEvents(): void {
    for (let i = 0; i < this.#plan.events; i++) {
      this.after(this.#random.next() * this.#plan.faultsUntilMs, () => {
        const node = this.#nodes[this.#random.integer(0, this.#plan.validators - 1)]!
        const id = `event ${i}`
        if (node.isUp && node.submit(id)) this.#submitted.push({ id, node: node.index })
      })
    }
  }

  #crashSomebody(): void {
    const faults = Math.floor((this.#plan.validators - 1) / 3)
    const down = this.#nodes.filter(node => !node.isUp).length
    if (!this.#isFaulty || down >= faults) return
    const node = this.#random.pick(this.#nodes.filter(one => one.isUp))
    this.#injected.crash!++
    const lost = this.#submitted.filter(entry => entry.node === node.index && !node.disk.seen.has(entry.id))
    for (const entry of lost) this.#submitted.splice(this.#submitted.indexOf(entry), 1)
    node.crash(unsynced => {
      const kept = this.#random.integer(0, unsynced)
      this.#injected.lostWrites! += unsynced - kept
      return kept
    })
    for (const other of this.#nodes) other.with(replica => replica.peerDisconnected(String(node.index)))
    this.after(this.#random.integer(50, 4000), () => this.#restart(node))
  }

  #restart(node: SimulatedNode): void {
    if (node.isUp) return
    this.#injected.restart!++
    node.start()
    for (const other of this.#nodes) if (other !== node && other.isUp) this.#connect(node, other)
  }

  #partition(): void {
    if (!this.#isFaulty) return
    this.#injected.partition!++
    this.#groups = this.#nodes.map(() => (this.#random.chance(0.3) ? 1 : 0))
    this.after(this.#random.integer(100, 2500), () => {
      this.#groups = []
    })
  }

  #heal(): void {
    this.#isFaulty = false
    this.#groups = []
    for (const node of this.#nodes) this.#restart(node)
  }

  #connectAll(): void {
    for (const a of this.#nodes) for (const b of this.#nodes) if (a.index < b.index) this.#connect(a, b)
  }

  #connect(a: SimulatedNode, b: SimulatedNode): void {
    for (const [one, other] of [
      [a, b],
      [b, a]
    ] as const) {
      one.with(replica => replica.peerConnected(String(other.index), other.isValidator ? other.index : undefined))
      const tips = other.replica?.tips() ?? []
      this.send(other.index, one.index, node => node.with(replica => replica.receive(String(other.index), tips)))
    }
  }

  #tellProgress(): void {
    for (const node of this.#nodes) {
      const progress = node.replica?.progress(node.certifiedCommitIndex())
      if (progress === undefined) continue
      const memory = node.replica!.view().memory
      if (
        memory.vertices > 12 * this.#plan.validators * 80 ||
        memory.suspended >
          this.#parameters.suspendedVerticesMax + this.#parameters.roundsAheadMax * this.#plan.validators
      )
        throw new Failure('memory', JSON.stringify(memory))
      for (const peer of node.peers)
        this.send(node.index, peer, other => other.with(replica => replica.peerProgress(String(node.index), progress)))
    }
  }

  #every(periodMs: number, what: () => void): void {
    this.after(periodMs, () => {
      what()
      this.#every(periodMs, what)
    })
  }

  #runUntil(atMs: number, isDone: () => boolean = () => false): void {
    let steps = 0
    for (let first = this.#queue[0]; first !== undefined && first.atMs <= atMs; first = this.#queue[0]) {
      this.#pop()
      this.#nowMs = first.atMs
      first.what()
      if (++steps % 64 === 0 && isDone()) return
    }
    this.#nowMs = Math.max(this.#nowMs, atMs)
  }

  #pop(): void {
    const last = this.#queue.pop()!
    if (this.#queue.length === 0) return
    this.#queue[0] = last
    for (let i = 0; ; ) {
      const left = 2 * i + 1
      const right = left + 1
      let least = i
      if (left < this.#queue.length && isBefore(this.#queue[left]!, this.#queue[least]!)) least = left
      if (right < this.#queue.length && isBefore(this.#queue[right]!, this.#queue[least]!)) least = right
      if (least === i) return
      ;[this.#queue[i], this.#queue[least]] = [this.#queue[least]!, this.#queue[i]!]
      i = least
    }
  }

  #trace(value: number): void {
    this.#traceHash = (Math.imul(this.#traceHash, 31) + value + Math.floor(this.#nowMs * 1000)) | 0
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
