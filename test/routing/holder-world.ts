import { callLimits } from '../../src/routing/core/call-limits.ts'
import { CallRun, type RunAction } from '../../src/routing/core/call-run.ts'
import { HolderBook } from '../../src/routing/core/holder-book.ts'
import { Placement } from '../../src/routing/core/placement.ts'

/** How a simulated holder behaves; `fromMs` is when it begins to. */
export type Fault =
  | { readonly kind: 'dies' | 'freezes' | 'lies' | 'busy'; readonly fromMs: number; readonly untilMs?: number }
  | { readonly kind: 'slows'; readonly fromMs: number; readonly untilMs?: number; readonly factor: number }

export type SimulatedHolder = {
  readonly peerId: string
  readonly tensors: ReadonlySet<string>
  readonly oneWayMs: number
  readonly rowMs: number
  /** Share of messages that never arrive. */
  readonly lossRate: number
  readonly fault?: Fault
}

export type CallOutcome = {
  readonly startedAtMs: number
  readonly elapsedMs: number
  /** Who computed each load; `home` where nobody else did; undefined where it was given up. */
  readonly by: readonly (string | undefined)[]
  readonly asks: number
}

/** Mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Due = { readonly atMs: number; readonly order: number; readonly act: () => void }

/** Holders, links and a clock that are all made up, around the real core of the caller. */
export class HolderWorld {
  nowMs = 0
  readonly book = new HolderBook()
  readonly placement: Placement
  readonly #holders: ReadonlyMap<string, SimulatedHolder>
  readonly #random: () => number
  readonly #homeMs: number | null
  readonly #quarantined = new Map<string, number>()
  #due: Due[] = []
  #order = 0

  constructor(holders: readonly SimulatedHolder[], seed: number, homeMs: number | null) {
    this.#holders = new Map(holders.map(holder => [holder.peerId, holder]))
    this.#random = seededRandom(seed)
    this.#homeMs = homeMs
    this.placement = new Placement({
      book: this.book,
      holdersOf: tensor =>
        holders.filter(holder => holder.tensors.has(tensor) && !this.#is(holder, 'dies')).map(({ peerId }) => peerId),
      openCallsOf: () => 0,
      reputationOf: (peerId, nowMs) => ((this.#quarantined.get(peerId) ?? 0) > nowMs ? 'quarantined' : 'good')
    })
  }

  /** One call, driven to its end. */
  call(loads: readonly { readonly tensor: string; readonly rows: number }[]): CallOutcome {
    const startedAtMs = this.nowMs
    const by: (string | undefined)[] = loads.map(() => undefined)
    const state = { asks: 0, run: new CallRun(this.placement.runNeeds(loads, () => this.nowMs)) }
    const { run } = state
    const rowsOf = (places: readonly number[]): number => places.reduce((sum, place) => sum + loads[place]!.rows, 0)
    const open = new Map<number, { readonly peerId: string; isOpen: boolean }>()
    const finish = (attempt: number): boolean => {
      const found = open.get(attempt)
      if (found === undefined || !found.isOpen) return false
      found.isOpen = false
      this.book.ended(found.peerId)
      return true
    }
    const apply = (actions: readonly RunAction[]): void => {
      for (const action of actions) {
        if (action.kind === 'ask') {
          const { attempt, peerId, places } = action
          state.asks++
          this.book.asked(peerId)
          open.set(attempt, { peerId, isOpen: true })
          const askedAtMs = this.nowMs
          const rows = rowsOf(places)
          this.#ask(this.#holders.get(peerId)!, rows, {
            isOpen: () => open.get(attempt)!.isOpen && !run.isOver,
            heard: () => {
              this.book.heard(peerId)
              run.heard(peerId, this.nowMs)
            },
            answered: isRight => {
              if (!finish(attempt)) return
              if (!isRight) {
                this.#quarantined.set(peerId, this.nowMs + 300_000)
                return apply(run.failed(attempt, false, this.nowMs))
              }
              this.book.answered(peerId, rows, this.nowMs - askedAtMs, this.nowMs)
              const taken = run.answered(attempt)
              for (const place of taken.places) by[place] = peerId
              apply(taken.actions)
            },
            failed: isBusy => {
              if (!finish(attempt)) return
              if (!isBusy) this.book.failed(peerId, this.nowMs)
              apply(run.failed(attempt, isBusy, this.nowMs))
            }
          })
        } else if (action.kind === 'home') {
          const { attempt } = action
          this.#later(this.#homeMs ?? 0, () => {
            if (this.#homeMs === null) return apply(run.failed(attempt, false, this.nowMs))
            const taken = run.answered(attempt)
            for (const place of taken.places) by[place] = 'home'
            apply(taken.actions)
          })
        } else if (action.kind === 'cancel') finish(action.attempt)
        else if (action.kind === 'suspect') this.book.suspect(action.peerId)
        else if (action.kind === 'late') this.book.failed(action.peerId, this.nowMs)
      }
    }
    apply(run.start(this.nowMs))
    while (!run.isOver) {
      const tickAtMs = Math.max(this.nowMs, run.nextAtMs())
      const next = this.#due[0]
      if (next !== undefined && next.atMs <= tickAtMs) {
        this.#due.shift()
        this.nowMs = Math.max(this.nowMs, next.atMs)
        next.act()
      } else {
        this.nowMs = tickAtMs
        apply(run.tick(this.nowMs))
      }
    }
    return { startedAtMs, elapsedMs: this.nowMs - startedAtMs, by, asks: state.asks }
  }

  #ask(
    holder: SimulatedHolder,
    rows: number,
    on: { isOpen(): boolean; heard(): void; answered(isRight: boolean): void; failed(isBusy: boolean): void }
  ): void {
    const { oneWayMs, rowMs, lossRate } = holder
    const travelMs = (): number => oneWayMs * (1 + 0.2 * this.#random())
    if (this.#random() < lossRate) return
    if (this.#is(holder, 'dies')) {
      this.#later(travelMs(), () => on.failed(false))
      return
    }
    this.#later(travelMs(), () => {
      const fault = holder.fault
      if (this.#is(holder, 'freezes')) return
      if (this.#is(holder, 'busy')) return this.#later(travelMs(), () => on.failed(true))
      const factor = fault?.kind === 'slows' && this.#is(holder, 'slows') ? fault.factor : 1
      const computeMs = (0.5 + rows * rowMs) * factor * (1 + 0.3 * this.#random())
      const doneAtMs = this.nowMs + computeMs
      const beat = (): void => {
        if (this.nowMs >= doneAtMs || !on.isOpen() || this.#is(holder, 'freezes') || this.#is(holder, 'dies')) return
        this.#later(travelMs(), () => on.heard())
        this.#later(callLimits.heartbeatMs, beat)
      }
      this.#later(callLimits.heartbeatMs, beat)
      this.#later(computeMs, () => {
        if (this.#is(holder, 'dies')) return this.#later(travelMs(), () => on.failed(false))
        if (this.#is(holder, 'freezes') || this.#random() < lossRate) return
        this.#later(travelMs(), () => on.answered(!this.#is(holder, 'lies')))
      })
    })
  }

  #is(holder: SimulatedHolder, kind: Fault['kind']): boolean {
    const { fault } = holder
    return (
      fault?.kind === kind && this.nowMs >= fault.fromMs && this.nowMs < (fault.untilMs ?? Number.POSITIVE_INFINITY)
    )
  }

  #later(delayMs: number, act: () => void): void {
    const due = { atMs: this.nowMs + delayMs, order: this.#order++, act }
    const place = this.#due.findIndex(other => other.atMs > due.atMs)
    if (place === -1) this.#due.push(due)
    else this.#due.splice(place, 0, due)
  }
}
