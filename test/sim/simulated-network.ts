import type { EventQueue } from './event-queue.ts'
import type { Plan } from './plan.ts'
import type { Random } from './random.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { Trace } from './trace.ts'

const pastFramesMax = 128
const redialMs = 250
const refusedMs = 2

type Frame = { readonly to: number; readonly deliver: (node: SimulatedNode) => void }

/**
 * Connections between nodes and what travels over them. Each direction has its own delay; frames may be lost, doubled,
 * sent again much later, overtaken, or stopped by a partition that the ends notice only after a while.
 */
export class SimulatedNetwork {
  readonly #plan: Plan
  readonly #random: Random
  readonly #queue: EventQueue
  readonly #trace: Trace
  #nodes: readonly SimulatedNode[] = []
  /** Of each pair: the number of its connection, 0 while there is none. */
  readonly #sessions: number[]
  readonly #blocked: number[]
  readonly #blockedSinceMs: number[]
  readonly #lastArrivalMs: number[]
  readonly #past: Frame[] = []
  #sessionsMade = 0
  #isFaulty = true

  constructor(input: { plan: Plan; random: Random; queue: EventQueue; trace: Trace; nodes: number }) {
    this.#plan = input.plan
    this.#random = input.random
    this.#queue = input.queue
    this.#trace = input.trace
    const pairs = input.nodes * input.nodes
    this.#sessions = new Array(pairs).fill(0)
    this.#blocked = new Array(pairs).fill(0)
    this.#blockedSinceMs = new Array(pairs).fill(0)
    this.#lastArrivalMs = new Array(pairs).fill(0)
  }

  open(nodes: readonly SimulatedNode[]): void {
    this.#nodes = nodes
    this.#maintain()
    this.#queue.every(redialMs, () => this.#maintain())
  }

  isConnected(a: number, b: number): boolean {
    return this.#sessions[this.#pair(Math.min(a, b), Math.max(a, b))]! > 0
  }

  /** One frame on the feed from `from` to `to`. Nothing arrives when the connection is gone by then. */
  send(from: number, to: number, deliver: (node: SimulatedNode) => void, isKept = false): void {
    const session = this.#session(from, to)
    if (session === 0) return
    if (isKept) this.#keep({ to, deliver })
    if (this.#isFaulty && this.#random.chance(this.#plan.loss)) {
      this.#trace.injected('message lost', from, to)
      return
    }
    this.#travel(from, to, session, deliver, 0)
    if (!this.#isFaulty) return
    if (this.#random.chance(this.#plan.duplication)) {
      this.#trace.injected('message doubled', from, to)
      this.#travel(from, to, session, deliver, this.#random.between(0, 300))
    }
    if (this.#random.chance(this.#plan.replay) && this.#past.length > 0) {
      const frame = this.#random.pick(this.#past)
      this.#trace.injected('message replayed', from, frame.to)
      this.#queue.after(this.#random.between(0, 2000), () => this.#nodes[frame.to]!.take(frame.deliver))
    }
  }

  /** Asks and waits for the answer; `undefined` when it is refused or does not come in time. */
  request<Answer>(input: {
    from: number
    to: number
    timeoutMs: number
    serve: (node: SimulatedNode) => { readonly answer: Answer | undefined; readonly delayMs: number } | undefined
    done: (answer: Answer | undefined) => void
  }): void {
    const { from, to, serve } = input
    let isDone = false
    const finish = (answer: Answer | undefined): void => {
      if (isDone) return
      isDone = true
      this.#nodes[from]!.take(() => input.done(answer))
    }
    const session = this.#session(from, to)
    if (session === 0) {
      this.#queue.after(refusedMs, () => finish(undefined))
      return
    }
    this.#queue.after(input.timeoutMs, () => finish(undefined))
    this.#travelWhole(from, to, session, server => {
      const served = serve(server)
      if (served === undefined) return
      this.#queue.after(served.delayMs, () =>
        this.#travelWhole(to, from, this.#session(to, from), () => finish(served.answer))
      )
    })
  }

  /** Nothing goes from any of `from` to any of `to` for a while. */
  block(from: readonly number[], to: readonly number[], forMs: number): void {
    const pairs = from.flatMap(a => to.filter(b => b !== a).map(b => this.#pair(a, b)))
    for (const pair of pairs) {
      if (this.#blocked[pair]!++ === 0) this.#blockedSinceMs[pair] = this.#queue.nowMs
    }
    this.#queue.after(forMs, () => {
      for (const pair of pairs) this.#blocked[pair] = Math.max(0, this.#blocked[pair]! - 1)
    })
  }

  /** The process behind `node` is gone: its connections end at both sides. */
  hangUp(node: number): void {
    for (const other of this.#nodes) if (other.index !== node) this.#disconnect(node, other.index)
  }

  heal(): void {
    this.#isFaulty = false
    this.#blocked.fill(0)
  }

  #travelWhole(from: number, to: number, session: number, deliver: (node: SimulatedNode) => void): void {
    if (this.#isFaulty && this.#random.chance(this.#plan.loss)) this.#trace.injected('request lost', from, to)
    else this.#travel(from, to, session, deliver, 0)
  }

  #travel(from: number, to: number, session: number, deliver: (node: SimulatedNode) => void, moreMs: number): void {
    const link = this.#plan.links[from]![to]!
    let delayMs = this.#random.between(link.fromMs, link.toMs) + moreMs
    if (link.tailChance > 0 && this.#isFaulty && this.#random.chance(link.tailChance)) {
      this.#trace.injected('long delay', from, to)
      delayMs += this.#random.between(link.tailMs / 3, link.tailMs)
    }
    const pair = this.#pair(from, to)
    const arrivalMs = this.#queue.nowMs + delayMs
    if (arrivalMs >= this.#lastArrivalMs[pair]!) this.#lastArrivalMs[pair] = arrivalMs
    else if (this.#plan.isInOrder) delayMs = this.#lastArrivalMs[pair]! - this.#queue.nowMs
    else this.#trace.injected('message overtaken', from, to)
    this.#queue.after(delayMs, () => {
      if (this.#session(from, to) !== session) return
      if (this.#blocked[pair]! > 0) return this.#trace.injected('message cut off', from, to)
      this.#nodes[to]!.take(deliver)
    })
  }

  /** Redials who is not connected, and hangs up on who has been silent for too long. */
  #maintain(): void {
    for (const a of this.#nodes) {
      for (const b of this.#nodes) {
        if (a.index >= b.index) continue
        const [there, back] = [this.#pair(a.index, b.index), this.#pair(b.index, a.index)]
        const isBlocked = this.#blocked[there]! > 0 || this.#blocked[back]! > 0
        if (this.isConnected(a.index, b.index)) {
          const isNoticed = [there, back].some(
            pair => this.#blocked[pair]! > 0 && this.#queue.nowMs - this.#blockedSinceMs[pair]! > this.#plan.noticeMs
          )
          if (isNoticed) this.#disconnect(a.index, b.index)
        } else if (!isBlocked && a.isReachable && b.isReachable) this.#connect(a, b)
      }
    }
  }

  #connect(a: SimulatedNode, b: SimulatedNode): void {
    this.#sessions[this.#pair(a.index, b.index)] = ++this.#sessionsMade
    a.take(() => a.peerConnected(b.index))
    b.take(() => b.peerConnected(a.index))
  }

  #disconnect(a: number, b: number): void {
    const pair = this.#pair(Math.min(a, b), Math.max(a, b))
    if (this.#sessions[pair] === 0) return
    this.#sessions[pair] = 0
    this.#nodes[a]!.take(node => node.peerDisconnected(b))
    this.#nodes[b]!.take(node => node.peerDisconnected(a))
  }

  #session(from: number, to: number): number {
    return this.#sessions[this.#pair(Math.min(from, to), Math.max(from, to))]!
  }

  #keep(frame: Frame): void {
    if (this.#past.length < pastFramesMax) this.#past.push(frame)
    else this.#past[this.#random.integer(0, pastFramesMax - 1)] = frame
  }

  #pair(from: number, to: number): number {
    return from * this.#plan.links.length + to
  }
}
