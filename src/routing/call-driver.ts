import { BlyanError, describeError } from '../errors/index.ts'
import type { RemoteExpertCall } from '../experts/index.ts'
import type { Reputation } from '../guardian/index.ts'
import { CallRun, type RunAction } from './core/call-run.ts'
import type { HolderBook } from './core/holder-book.ts'
import type { Placement } from './core/placement.ts'
import type { RequestTallies } from './core/request-tallies.ts'
import type { HolderLinks, LinkAnswer } from './holder-links.ts'
import type { HoldingsBook } from './holdings-book.ts'
import type { AuditedCall, CallAuditor } from './integrity/index.ts'
import type { ExpertAddress, ExpertHome, RoutingLogger } from './routing-types.ts'

export type CallQuestion = {
  readonly request: RemoteExpertCall
  /** In the order of the loads. */
  readonly addresses: readonly ExpertAddress[]
  /** No answer is used before it was checked. */
  readonly isSecure: boolean
}

export type CallNeeds = {
  readonly book: HolderBook
  readonly placement: Placement
  readonly links: HolderLinks
  readonly tallies: RequestTallies
  readonly holdings: Pick<HoldingsBook, 'of' | 'refresh'>
  readonly home: Pick<ExpertHome, 'computeAtHome'>
  readonly reputation: Pick<Reputation, 'standing' | 'note'>
  readonly auditor: Pick<CallAuditor, 'onCall' | 'check'>
  readonly logger: RoutingLogger
  /** A name for a call to one holder that was never used before. */
  readonly nextRequest: () => string
}

export interface RunningCall {
  readonly done: Promise<readonly Float32Array[]>
  /** A holder gave a sign of life. */
  heard(peerId: string): void
  stop(reason: unknown): void
}

/** Runs one call: asks, listens and tells the core the time. */
export function runCall(question: CallQuestion, needs: CallNeeds): RunningCall {
  return new DrivenCall(question, needs)
}

/** Timers that come this much too late say that we were held up ourselves. */
const stallMsMin = 50

class DrivenCall implements RunningCall {
  readonly done: Promise<readonly Float32Array[]>
  readonly #question: CallQuestion
  readonly #needs: CallNeeds
  readonly #run: CallRun
  readonly #results: (Float32Array | undefined)[]
  readonly #cancels = new Map<number, () => void>()
  readonly #homeward = new AbortController()
  readonly #settle: PromiseWithResolvers<readonly Float32Array[]>
  #timer: NodeJS.Timeout | undefined
  #dueAtMs = Number.POSITIVE_INFINITY
  #lastFailure = 'nobody who is connected holds them'
  readonly #onAbort = (): void => this.stop(this.#question.request.signal.reason)

  constructor(question: CallQuestion, needs: CallNeeds) {
    this.#question = question
    this.#needs = needs
    this.#settle = Promise.withResolvers()
    this.done = this.#settle.promise
    this.#results = question.addresses.map(() => undefined)
    const loads = question.addresses.map(({ tensor }, place) => ({ tensor, rows: this.#rowsOf(place) }))
    this.#run = new CallRun(needs.placement.runNeeds(loads, () => performance.now()))
    question.request.signal.addEventListener('abort', this.#onAbort, { once: true })
    this.#apply(this.#run.start(performance.now()))
  }

  heard(peerId: string): void {
    this.#run.heard(peerId, performance.now())
  }

  stop(reason: unknown): void {
    this.#apply(this.#run.stop())
    this.#finish()
    this.#settle.reject(reason)
  }

  #apply(actions: readonly RunAction[]): void {
    const { book, logger } = this.#needs
    for (const action of actions) {
      if (action.kind === 'ask') this.#ask(action)
      else if (action.kind === 'home') void this.#goHome(action.attempt, action.places)
      else if (action.kind === 'cancel') this.#cancels.get(action.attempt)?.()
      else if (action.kind === 'suspect') book.suspect(action.peerId)
      else if (action.kind === 'late') {
        this.#blame(action.peerId)
        this.#lastFailure = 'holders did not answer in time'
        logger.debug({ peerId: action.peerId, layer: this.#question.request.layer }, 'a holder let a deadline pass')
      } else this.#giveUp(action.places)
    }
    if (this.#run.isOver) return
    this.#arm()
  }

  #ask({ attempt, peerId, places }: Extract<RunAction, { kind: 'ask' }>): void {
    const { request, addresses } = this.#question
    const { links, book, logger } = this.#needs
    const name = this.#needs.nextRequest()
    const askedAtMs = performance.now()
    const rows = places.reduce((sum, place) => sum + this.#rowsOf(place), 0)
    book.asked(peerId)
    const end = (): boolean => {
      if (!this.#cancels.delete(attempt)) return false
      book.ended(peerId)
      return true
    }
    const loads = places.map(place => ({ tensor: addresses[place]!.tensor, rows: request.loads[place]!.rows }))
    const fail = (isBusy: boolean, why: string): void => {
      this.#lastFailure = why
      logger.debug({ peerId, layer: request.layer, why }, 'a call to a holder failed')
      this.#apply(this.#run.failed(attempt, isBusy, performance.now()))
    }
    const cancel = links.ask(
      peerId,
      { request: name, layer: request.layer, isPrompt: request.isPrompt, loads },
      {
        answered: answer => {
          if (!end()) return
          const elapsedMs = performance.now() - askedAtMs
          this.#run.arrived(attempt)
          void this.#take({ attempt, peerId, places, name, answer, rows, elapsedMs, fail })
        },
        refused: reason => {
          if (!end()) return
          if (reason === 'not-held') this.#needs.holdings.refresh(peerId)
          if (reason === 'failed' || reason === 'invalid') this.#blame(peerId)
          fail(reason === 'busy', `a holder answered "${reason}"`)
        },
        broken: () => {
          if (!end()) return
          this.#blame(peerId)
          fail(false, 'the connection to a holder broke')
        }
      }
    )
    this.#cancels.set(attempt, () => {
      if (end()) cancel()
    })
  }

  async #take(taken: {
    readonly attempt: number
    readonly peerId: string
    readonly places: readonly number[]
    readonly name: string
    readonly answer: LinkAnswer
    readonly rows: number
    readonly elapsedMs: number
    readonly fail: (isBusy: boolean, why: string) => void
  }): Promise<void> {
    const { attempt, peerId, places, name, answer, rows, elapsedMs, fail } = taken
    const { request, addresses, isSecure } = this.#question
    const { book, auditor, reputation, tallies, holdings } = this.#needs
    const nowMs = performance.now()
    const isRight =
      answer.results.length === places.length &&
      places.every((place, index) => isResultOf(request.loads[place]!.rows, answer.results[index]!))
    if (!isRight) {
      book.failed(peerId, nowMs)
      reputation.note(peerId, 'wrong', nowMs)
      return fail(false, 'a holder answered what is no result')
    }
    if (reputation.standing(peerId, nowMs) === 'quarantined') return fail(false, 'a holder was caught meanwhile')
    const audited: AuditedCall = {
      holder: peerId,
      request: name,
      model: request.model,
      layer: request.layer,
      loads: places.map((place, index) => ({
        weights: addresses[place]!.tensor,
        width: addresses[place]!.width,
        input: request.loads[place]!.rows,
        output: answer.results[index]!
      })),
      commitment: { bytes: answer.commitment, signature: answer.signature }
    }
    if (isSecure) {
      const verdict = await auditor.check(audited, request.signal).catch(() => 'inconclusive' as const)
      if (this.#run.isOver) return
      if (verdict !== 'right') return fail(false, `an answer was checked and is ${verdict}`)
    } else setImmediate(() => auditor.onCall(audited))
    book.answered(peerId, rows, elapsedMs, nowMs)
    const first = this.#run.answered(attempt)
    for (const place of first.places) this.#results[place] = answer.results[places.indexOf(place)]!
    const rowsOfRequest = rowsByRequest(request, first.places)
    tallies.note({ peerId, rowsOfRequest, holdings: holdings.of(peerId) })
    this.#apply(first.actions)
    this.#settleWhenDone()
  }

  async #goHome(attempt: number, places: readonly number[]): Promise<void> {
    const { request } = this.#question
    const { home, logger } = this.#needs
    const signal = AbortSignal.any([request.signal, this.#homeward.signal])
    const loads = places.map(place => ({ expert: request.loads[place]!.expert, rows: request.loads[place]!.rows }))
    try {
      const results = await home.computeAtHome({ model: request.model, layer: request.layer, loads, signal })
      const first = this.#run.answered(attempt)
      for (const place of first.places) this.#results[place] = results[places.indexOf(place)]!
      this.#apply(first.actions)
      this.#settleWhenDone()
    } catch (error) {
      if (signal.aborted) return
      const { code, message } = describeError(error)
      this.#lastFailure = `${this.#lastFailure}; at home: ${message}`
      logger.debug({ layer: request.layer, code }, 'experts could not be brought home')
      this.#apply(this.#run.failed(attempt, false, performance.now()))
    }
  }

  /** It is left alone for a while, and watched more closely after it. */
  #blame(peerId: string): void {
    const nowMs = performance.now()
    this.#needs.book.failed(peerId, nowMs)
    this.#needs.reputation.note(peerId, 'failed', nowMs)
  }

  #settleWhenDone(): void {
    if (!this.#run.isOver || this.#results.includes(undefined)) return
    this.#finish()
    this.#settle.resolve(this.#results as Float32Array[])
  }

  #giveUp(places: readonly number[]): void {
    const { request } = this.#question
    const failed = places.map(place => request.loads[place]!)
    this.#finish()
    this.#settle.reject(notAvailable(request, failed, this.#lastFailure))
  }

  #finish(): void {
    clearTimeout(this.#timer)
    this.#dueAtMs = Number.NEGATIVE_INFINITY
    this.#homeward.abort()
    this.#question.request.signal.removeEventListener('abort', this.#onAbort)
  }

  /** A timer that is due sooner serves as well: it looks and is set again. */
  #arm(): void {
    const nextMs = this.#run.nextAtMs()
    if (nextMs >= this.#dueAtMs) return
    clearTimeout(this.#timer)
    this.#dueAtMs = nextMs
    this.#timer = setTimeout(() => this.#tick(), Math.max(1, nextMs - performance.now()))
  }

  #tick(): void {
    const nowMs = performance.now()
    const lateMs = nowMs - this.#dueAtMs
    this.#dueAtMs = Number.POSITIVE_INFINITY
    if (lateMs > stallMsMin) this.#run.stalled(lateMs)
    this.#apply(this.#run.tick(nowMs))
  }

  #rowsOf(place: number): number {
    return this.#question.request.loads[place]!.rows.length / this.#question.addresses[place]!.width
  }
}

function isResultOf(rows: Float32Array, result: Float32Array): boolean {
  if (result.length !== rows.length) return false
  // Whatever is finite gives 0, all else NaN: quicker than asking each of thousands of numbers.
  let zero = 0
  for (let place = 0; place < result.length; place++) zero += result[place]! * 0
  return zero === 0
}

function rowsByRequest(request: RemoteExpertCall, places: readonly number[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const place of places)
    for (const index of request.loads[place]!.requestOfRow) {
      const id = request.requests[index]
      if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1)
    }
  return counts
}

export function notAvailable(request: RemoteExpertCall, loads: RemoteExpertCall['loads'], reason: string): BlyanError {
  const experts = loads.map(({ expert }) => expert).join(', ')
  return new BlyanError('EXPERT_NOT_AVAILABLE', { model: request.model, layer: request.layer, experts, reason })
}
