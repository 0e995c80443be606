import { callLimits, type Patience } from './call-limits.ts'
import type { Choice } from './choose.ts'

export type RunNeeds = {
  readonly loads: number
  /** Whom to ask for these loads, without those that were tried for them; `isLast` takes also who is excluded. */
  readonly choose: (places: readonly number[], tried: (place: number) => ReadonlySet<string>, isLast: boolean) => Choice
  readonly patience: (peerId: string, places: readonly number[]) => Patience
  /** Takes one from the budget of calls that are asked twice; false when it is used up. */
  readonly mayHedge: () => boolean
}

export type RunAction =
  | { readonly kind: 'ask'; readonly attempt: number; readonly peerId: string; readonly places: readonly number[] }
  | { readonly kind: 'home'; readonly attempt: number; readonly places: readonly number[] }
  /** Nobody needs its answer any more. */
  | { readonly kind: 'cancel'; readonly attempt: number; readonly peerId: string }
  | { readonly kind: 'suspect'; readonly peerId: string }
  | { readonly kind: 'late'; readonly peerId: string }
  /** No way is left for these. The run is over. */
  | { readonly kind: 'give-up'; readonly places: readonly number[] }

type Attempt = {
  /** Null: at home. */
  readonly peerId: string | null
  readonly places: readonly number[]
  readonly patience: Patience
  startedAtMs: number
  heardAtMs: number
  /** Others were asked for what it has, or there was nobody to ask. */
  isHedged: boolean
  isSuspect: boolean
  isLate: boolean
  /** Its answer came and is looked at. */
  hasArrived: boolean
}

type Load = {
  isDone: boolean
  readonly tried: Set<string>
  isHomeTried: boolean
  isLastTried: boolean
}

/**
 * One call to the experts of one layer, from asking until every load has its result: asks again elsewhere what is slow,
 * silent, refused or broken off, brings it home when nobody is left, and takes for each load the first result there is.
 * It decides only; who runs it asks, listens and tells it the time.
 */
export class CallRun {
  readonly #needs: RunNeeds
  readonly #loads: readonly Load[]
  readonly #attempts = new Map<number, Attempt>()
  /** Holders that were busy: when to ask them again, and how often they were. */
  readonly #busy = new Map<string, { untilMs: number; times: number }>()
  #attemptsMade = 0
  #startedAtMs = 0
  #isOver = false
  #lookedAtMs = 0

  constructor(needs: RunNeeds) {
    this.#needs = needs
    this.#loads = Array.from({ length: needs.loads }, () => ({
      isDone: false,
      tried: new Set(),
      isHomeTried: false,
      isLastTried: false
    }))
  }

  /** Every load has its result, or the run was given up. */
  get isOver(): boolean {
    return this.#isOver
  }

  start(nowMs: number): RunAction[] {
    this.#startedAtMs = nowMs
    return this.#assign([...this.#loads.keys()], nowMs)
  }

  /** Something came from a holder that says that it is there. */
  heard(peerId: string, nowMs: number): void {
    for (const attempt of this.#attempts.values()) if (attempt.peerId === peerId) attempt.heardAtMs = nowMs
  }

  /** We were held up ourselves for this long, and could not hear anybody: nobody else is to blame. */
  stalled(stallMs: number): void {
    for (const attempt of this.#attempts.values()) {
      attempt.startedAtMs += stallMs
      attempt.heardAtMs += stallMs
    }
  }

  /** An answer is here and is looked at; it is late no more. */
  arrived(attempt: number): void {
    const found = this.#attempts.get(attempt)
    if (found !== undefined) found.hasArrived = true
  }

  /** Takes an answer. Returns the places it is the first for. */
  answered(attempt: number): { readonly places: readonly number[]; readonly actions: readonly RunAction[] } {
    const found = this.#attempts.get(attempt)
    if (found === undefined || this.#isOver) return { places: [], actions: [] }
    this.#attempts.delete(attempt)
    const places = found.places.filter(place => !this.#loads[place]!.isDone)
    for (const place of places) this.#loads[place]!.isDone = true
    this.#isOver = this.#loads.every(load => load.isDone)
    return { places, actions: this.#cancelIdle() }
  }

  /** An attempt ended without a result. `busy`: it may be asked again later. */
  failed(attempt: number, isBusy: boolean, nowMs: number): RunAction[] {
    const found = this.#attempts.get(attempt)
    if (found === undefined || this.#isOver) return []
    this.#attempts.delete(attempt)
    if (isBusy && found.peerId !== null) {
      const times = this.#busy.get(found.peerId)?.times ?? 0
      const waitMs = Math.min(callLimits.busyMsMax, callLimits.busyMs * 2 ** times)
      this.#busy.set(found.peerId, { untilMs: nowMs + waitMs, times: times + 1 })
      if (times < callLimits.busyTimesMax)
        for (const place of found.places) this.#loads[place]!.tried.delete(found.peerId)
    }
    return this.#assign(this.#uncovered(found.places), nowMs)
  }

  /** What is due now. */
  tick(nowMs: number): RunAction[] {
    if (this.#isOver) return []
    this.#lookedAtMs = nowMs
    if (nowMs >= this.#endsAtMs()) return this.#giveUp()
    const actions: RunAction[] = []
    for (const attempt of [...this.#attempts.values()]) actions.push(...this.#look(attempt, nowMs))
    const waiting = this.#uncovered([...this.#loads.keys()])
    if (waiting.length > 0 && !this.#isOver) actions.push(...this.#assign(waiting, nowMs))
    return actions
  }

  /** When `tick` has something to look at. */
  nextAtMs(): number {
    let nextMs = this.#endsAtMs()
    for (const attempt of this.#attempts.values()) {
      if (attempt.peerId === null || attempt.hasArrived) continue
      const { hedgeMs, deadlineMs } = attempt.patience
      if (!attempt.isHedged) nextMs = Math.min(nextMs, attempt.startedAtMs + hedgeMs)
      if (!attempt.isSuspect) nextMs = Math.min(nextMs, attempt.heardAtMs + callLimits.idleMs)
      if (!attempt.isLate) nextMs = Math.min(nextMs, attempt.startedAtMs + deadlineMs)
    }
    if (this.#uncovered([...this.#loads.keys()]).length > 0)
      for (const { untilMs } of this.#busy.values()) if (untilMs > this.#lookedAtMs) nextMs = Math.min(nextMs, untilMs)
    return nextMs
  }

  /** Ends the run. */
  stop(): RunAction[] {
    this.#isOver = true
    return this.#cancelIdle()
  }

  #look(attempt: Attempt, nowMs: number): RunAction[] {
    const { peerId, places, patience } = attempt
    if (peerId === null || attempt.hasArrived) return []
    const actions: RunAction[] = []
    if (!attempt.isSuspect && nowMs >= attempt.heardAtMs + callLimits.idleMs) {
      attempt.isSuspect = true
      actions.push({ kind: 'suspect', peerId }, ...this.#hedge(attempt, nowMs))
    }
    if (!attempt.isHedged && nowMs >= attempt.startedAtMs + patience.hedgeMs) {
      if (this.#needs.mayHedge()) actions.push(...this.#hedge(attempt, nowMs))
      // Without a budget it may go on until it is silent or late.
      else attempt.isHedged = true
    }
    if (!attempt.isLate && nowMs >= attempt.startedAtMs + patience.deadlineMs) {
      attempt.isLate = true
      actions.push({ kind: 'late', peerId })
      actions.push(...this.#assign(this.#uncovered(places), nowMs))
    }
    return actions
  }

  /** Asks others for what an attempt has, where there are others; it stays open. */
  #hedge(attempt: Attempt, nowMs: number): RunAction[] {
    attempt.isHedged = true
    const alone = attempt.places.filter(place => !this.#isDoneOr(place, other => other !== attempt))
    return this.#ask(this.#choose(alone, nowMs, false), nowMs)
  }

  #assign(places: readonly number[], nowMs: number): RunAction[] {
    if (places.length === 0) return []
    const choice = this.#choose(places, nowMs, false)
    const actions = this.#ask(choice, nowMs)
    // Who is busy is worth waiting for; nobody at all is not.
    const stuck = choice.missing.filter(place => !this.#waitsForBusy(place, nowMs))
    const home = stuck.filter(place => !this.#loads[place]!.isHomeTried)
    if (home.length > 0) actions.push(this.#home(home, nowMs))
    const last = stuck.filter(place => !home.includes(place) && !this.#isDoneOr(place, () => true))
    if (last.length > 0) actions.push(...this.#lastWay(last, nowMs))
    return actions
  }

  #lastWay(places: readonly number[], nowMs: number): RunAction[] {
    const choice = this.#choose(
      places.filter(place => !this.#loads[place]!.isLastTried),
      nowMs,
      true
    )
    for (const place of places) this.#loads[place]!.isLastTried = true
    const asked = new Set(choice.groups.flatMap(group => group.loads))
    if (places.every(place => asked.has(place))) return this.#ask(choice, nowMs)
    return this.#giveUp()
  }

  #choose(places: readonly number[], nowMs: number, isLast: boolean): Choice {
    if (places.length === 0) return { groups: [], missing: [] }
    const busy = [...this.#busy].filter(([, { untilMs }]) => nowMs < untilMs).map(([peerId]) => peerId)
    return this.#needs.choose(places, place => new Set([...this.#loads[place]!.tried, ...busy]), isLast)
  }

  #ask(choice: Choice, nowMs: number): RunAction[] {
    return choice.groups.map(({ peerId, loads: places }) => {
      for (const place of places) this.#loads[place]!.tried.add(peerId)
      const attempt = this.#open(peerId, places, this.#needs.patience(peerId, places), nowMs)
      return { kind: 'ask' as const, attempt, peerId, places }
    })
  }

  #home(places: readonly number[], nowMs: number): RunAction {
    for (const place of places) this.#loads[place]!.isHomeTried = true
    const patience = { hedgeMs: Number.POSITIVE_INFINITY, deadlineMs: Number.POSITIVE_INFINITY }
    return { kind: 'home', attempt: this.#open(null, places, patience, nowMs), places }
  }

  #open(peerId: string | null, places: readonly number[], patience: Patience, nowMs: number): number {
    const attempt = this.#attemptsMade++
    const state = { isHedged: false, isSuspect: false, isLate: false, hasArrived: false }
    this.#attempts.set(attempt, { peerId, places, patience, startedAtMs: nowMs, heardAtMs: nowMs, ...state })
    return attempt
  }

  #endsAtMs(): number {
    for (const { peerId } of this.#attempts.values())
      if (peerId === null) return this.#startedAtMs + callLimits.homeMsMax
    return this.#startedAtMs + callLimits.callMsMax
  }

  #giveUp(): RunAction[] {
    const places = [...this.#loads.keys()].filter(place => !this.#loads[place]!.isDone)
    this.#isOver = true
    return [{ kind: 'give-up', places }, ...this.#cancelIdle()]
  }

  /** Those of `places` that have no result, and that nobody works on who is in time. */
  #uncovered(places: readonly number[]): number[] {
    return places.filter(place => !this.#isDoneOr(place, attempt => !attempt.isLate))
  }

  #isDoneOr(place: number, counts: (attempt: Attempt) => boolean): boolean {
    if (this.#loads[place]!.isDone) return true
    for (const attempt of this.#attempts.values()) if (attempt.places.includes(place) && counts(attempt)) return true
    return false
  }

  #waitsForBusy(place: number, nowMs: number): boolean {
    const { tried } = this.#loads[place]!
    for (const [peerId, { untilMs }] of this.#busy) if (nowMs < untilMs && !tried.has(peerId)) return true
    return false
  }

  /** Ends attempts that nobody waits for any more. */
  #cancelIdle(): RunAction[] {
    const actions: RunAction[] = []
    for (const [number, { peerId, places }] of [...this.#attempts]) {
      if (!this.#isOver && places.some(place => !this.#loads[place]!.isDone)) continue
      this.#attempts.delete(number)
      if (peerId !== null) actions.push({ kind: 'cancel', attempt: number, peerId })
    }
    return actions
  }
}
