import { randomBytes } from 'node:crypto'
import { BlyanError } from '../errors/index.ts'
import type { RemoteExpertCall } from '../experts/index.ts'
import type { Reputation } from '../guardian/index.ts'
import type { Network } from '../net/index.ts'
import { type CallNeeds, notAvailable, type RunningCall, runCall } from './call-driver.ts'
import { HolderBook } from './core/holder-book.ts'
import { Placement } from './core/placement.ts'
import { planCalls } from './core/plan-calls.ts'
import { RequestTallies } from './core/request-tallies.ts'
import { createHolderLinks, type HolderLinks } from './holder-links.ts'
import type { HoldingsBook } from './holdings-book.ts'
import type { AuditedCall, CallAuditor } from './integrity/index.ts'
import type {
  ExpertAddress,
  ExpertCaller,
  ExpertHome,
  HolderView,
  Plan,
  PlanRequest,
  RequestTally,
  RoutingLogger
} from './routing-types.ts'

export type ExpertCallerNeeds = {
  readonly network: Pick<Network, 'openChannel'>
  readonly holdings: HoldingsBook
  readonly home: ExpertHome
  readonly reputation: Pick<Reputation, 'standing' | 'note'>
  readonly auditor: Pick<CallAuditor, 'onCall' | 'check'>
  readonly logger: RoutingLogger
}

export function createExpertCaller(needs: ExpertCallerNeeds): HolderCaller {
  return new FailoverCaller(needs)
}

export interface HolderCaller extends ExpertCaller {
  /** One question outside of any answer, for checks: to this holder, or to any but that one. Undefined without an answer. */
  ask(
    question: {
      readonly model: string
      readonly layer: number
      readonly weights: string
      readonly width: number
      readonly input: Float32Array
    },
    whom: { readonly holder: string } | { readonly except: string },
    signal: AbortSignal
  ): Promise<AuditedCall | undefined>
}

class FailoverCaller implements HolderCaller {
  readonly #needs: ExpertCallerNeeds
  readonly #book = new HolderBook()
  readonly #placement: Placement
  readonly #links: HolderLinks
  readonly #tallies = new RequestTallies()
  readonly #running = new Set<RunningCall>()
  /** Begins the names of our calls: no two callers share one. */
  readonly #name = randomBytes(9).toString('base64url')
  readonly #callNeeds: CallNeeds
  #calls = 0

  constructor(needs: ExpertCallerNeeds) {
    this.#needs = needs
    const { network, holdings, reputation, logger } = needs
    this.#links = createHolderLinks({
      network,
      logger,
      onHeard: peerId => {
        this.#book.heard(peerId)
        for (const run of this.#running) run.heard(peerId)
      },
      onRoundTrip: (peerId, roundTripMs) => this.#book.times(peerId).noteRoundTrip(roundTripMs),
      onOpenCalls: (peerId, openCalls) => holdings.noteOpenCalls(peerId, openCalls)
    })
    this.#placement = new Placement({
      book: this.#book,
      holdersOf: tensor => holdings.holdersOf(tensor),
      openCallsOf: peerId => holdings.of(peerId)?.openCalls ?? 0,
      reputationOf: (peerId, nowMs) => reputation.standing(peerId, nowMs)
    })
    this.#callNeeds = {
      ...needs,
      book: this.#book,
      placement: this.#placement,
      links: this.#links,
      tallies: this.#tallies,
      nextRequest: () => this.#nextRequest()
    }
  }

  begin(requestId: string, options: Parameters<ExpertCaller['begin']>[1]): void {
    this.#tallies.begin(requestId, options.mode)
  }

  tally(requestId: string): readonly RequestTally[] {
    return this.#tallies.of(requestId)
  }

  end(requestId: string): readonly RequestTally[] {
    return this.#tallies.end(requestId)
  }

  async call(request: RemoteExpertCall): Promise<readonly Float32Array[]> {
    const { model, layer, loads, requests, signal } = request
    signal.throwIfAborted()
    if (loads.length === 0) return []
    const addresses = loads.map(({ expert }) => this.#needs.home.resolve(model, layer, expert))
    const unknown = loads.filter((_, place) => addresses[place] === undefined)
    if (unknown.length > 0) throw notAvailable(request, unknown, 'the model has no such experts')
    const isSecure = requests.some(id => this.#tallies.modeOf(id) === 'secure')
    const question = { request, addresses: addresses as readonly ExpertAddress[], isSecure }
    const running = runCall(question, this.#callNeeds)
    this.#running.add(running)
    return running.done.finally(() => this.#running.delete(running))
  }

  plan(request: PlanRequest): Plan {
    return planCalls(request, {
      nowMs: performance.now(),
      book: this.#book,
      candidates: (tensor, nowMs) => this.#placement.candidates(tensor, nowMs, false)
    })
  }

  warm(tensors: readonly string[]): void {
    const nowMs = performance.now()
    const wanted = new Set<string>()
    for (const tensor of tensors) {
      const quickest = this.#placement
        .candidates(tensor, nowMs, false)
        .toSorted((a, b) => a.baseMs - b.baseMs || (a.peerId < b.peerId ? -1 : 1))
      for (const { peerId } of quickest.slice(0, 2)) wanted.add(peerId)
    }
    for (const peerId of wanted) this.#links.warm(peerId)
  }

  holdersOf(tensor: string): readonly HolderView[] {
    return [...this.#needs.holdings.holdersOf(tensor)].map(peerId => this.#view(peerId))
  }

  holders(): readonly HolderView[] {
    const { holdings } = this.#needs
    return [...holdings.peers()]
      .filter(peerId => (holdings.of(peerId)?.tensors.length ?? 0) > 0)
      .map(peerId => this.#view(peerId))
  }

  async ask(
    { model, layer, weights, width, input }: Parameters<HolderCaller['ask']>[0],
    whom: Parameters<HolderCaller['ask']>[1],
    signal: AbortSignal
  ): Promise<AuditedCall | undefined> {
    const fit = this.#placement
      .candidates(weights, performance.now(), false)
      .filter(({ peerId }) => ('holder' in whom ? peerId === whom.holder : peerId !== whom.except))
      .toSorted((a, b) => a.baseMs - b.baseMs)
    const holder = fit[0]?.peerId
    if (holder === undefined || signal.aborted) return undefined
    const request = this.#nextRequest()
    const call = { request, layer, isPrompt: false, loads: [{ tensor: weights, rows: input }] }
    return new Promise(resolve => {
      const give = (answer: AuditedCall | undefined): void => {
        signal.removeEventListener('abort', giveUp)
        resolve(answer)
      }
      const cancel = this.#links.ask(holder, call, {
        answered: ({ results, commitment, signature }) => {
          const output = results[0]
          if (results.length !== 1 || output?.length !== input.length) return give(undefined)
          const loads = [{ weights, width, input, output }]
          give({ holder, request, model, layer, loads, commitment: { bytes: commitment, signature } })
        },
        refused: () => give(undefined),
        broken: () => give(undefined)
      })
      const giveUp = (): void => {
        cancel()
        give(undefined)
      }
      signal.addEventListener('abort', giveUp, { once: true })
    })
  }

  stop(): void {
    for (const run of [...this.#running]) run.stop(new BlyanError('EXPERT_CALL_INVALID', { reason: 'this node stops' }))
    this.#links.stop()
  }

  #nextRequest(): string {
    return `${this.#name}-${++this.#calls}`
  }

  #view(peerId: string): HolderView {
    const { holdings, reputation } = this.#needs
    const nowMs = performance.now()
    const told = holdings.of(peerId)
    const found = reputation.standing(peerId, nowMs)
    const own = this.#book.standing(peerId, nowMs)
    return {
      peerId,
      account: told?.account ?? null,
      priceUnitsPer1000Rows: told?.priceUnitsPer1000Rows ?? 0n,
      score: told?.score ?? 0,
      openCalls: told?.openCalls ?? 0,
      roundTripMs: this.#book.times(peerId).roundTripMs,
      standing: found === 'quarantined' || (found === 'probation' && own === 'good') ? found : own,
      experts: told?.tensors.length ?? 0
    }
  }
}
