import { describeError } from '../errors/index.ts'
import { type Network, protocolIds } from '../net/index.ts'
import { decodeHoldings, decodeHoldingsRequest, encodeHoldings, encodeHoldingsRequest } from './core/wire.ts'
import type { Holdings, RoutingLogger } from './routing-types.ts'

/** Which experts the connected peers hold, as they say themselves: asked when they come, and again while it changes. */
export interface HoldingsBook {
  of(peerId: string): Holdings | undefined
  /** Connected peers that say they hold it. */
  holdersOf(tensor: string): ReadonlySet<string>
  peers(): Iterable<string>
  noteOpenCalls(peerId: string, openCalls: number): void
  /** It said that it does not hold what the book says: asks again soon. */
  refresh(peerId: string): void
  stop(): void
}

export type HoldingsBookNeeds = {
  readonly network: Pick<Network, 'serve' | 'request' | 'onPeer'>
  /** What this node tells of itself, but for the version. */
  readonly own: () => Omit<Holdings, 'version'>
  readonly logger: RoutingLogger
}

export const holdingsLimits = Object.freeze({
  ownFreshMs: 1000,
  askEveryMs: 2000,
  /** Of a peer whose holdings do not change. */
  askEveryMsMax: 8000,
  askTimeoutMs: 5000,
  asksAtOnceMax: 16,
  /** Of all peers together. */
  entriesMax: 1 << 20,
  roundMs: 500
})

/** Must be created before the network starts. */
export function createHoldingsBook(needs: HoldingsBookNeeds): HoldingsBook {
  return new AskedHoldings(needs)
}

type Entry = { holdings: Holdings | undefined; nextAtMs: number; waitMs: number; isAsking: boolean }

const nobody: ReadonlySet<string> = new Set()

class AskedHoldings implements HoldingsBook {
  readonly #needs: HoldingsBookNeeds
  readonly #peers = new Map<string, Entry>()
  readonly #holders = new Map<string, Set<string>>()
  readonly #timer: NodeJS.Timeout
  #entries = 0
  /** A restarted node must not seem to have changed nothing. */
  #ownVersion = Date.now()
  #ownText = ''
  #own: Holdings | undefined
  #ownAtMs = Number.NEGATIVE_INFINITY

  constructor(needs: HoldingsBookNeeds) {
    this.#needs = needs
    needs.network.serve(protocolIds.holdings, async (_, request) => this.#answer(decodeHoldingsRequest(request)))
    needs.network.onPeer((peerId, isThere) => (isThere ? this.#came(peerId) : this.#left(peerId)))
    this.#timer = setInterval(() => this.#round(), holdingsLimits.roundMs).unref()
  }

  of(peerId: string): Holdings | undefined {
    return this.#peers.get(peerId)?.holdings
  }

  holdersOf(tensor: string): ReadonlySet<string> {
    return this.#holders.get(tensor) ?? nobody
  }

  peers(): Iterable<string> {
    return this.#peers.keys()
  }

  noteOpenCalls(peerId: string, openCalls: number): void {
    const entry = this.#peers.get(peerId)
    if (entry?.holdings !== undefined) entry.holdings = { ...entry.holdings, openCalls }
  }

  refresh(peerId: string): void {
    const entry = this.#peers.get(peerId)
    if (entry === undefined) return
    entry.waitMs = holdingsLimits.askEveryMs
    entry.nextAtMs = Math.min(entry.nextAtMs, performance.now() + holdingsLimits.roundMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #answer(knownVersion: number): Uint8Array {
    return encodeHoldings(this.#ownHoldings(), knownVersion)
  }

  /** Looked up once a second, whoever asks. */
  #ownHoldings(): Holdings {
    if (this.#own !== undefined && performance.now() < this.#ownAtMs + holdingsLimits.ownFreshMs) return this.#own
    const own = this.#needs.own()
    const text = own.tensors.join(' ')
    if (text !== this.#ownText) this.#ownVersion++
    this.#ownText = text
    this.#ownAtMs = performance.now()
    this.#own = { ...own, version: this.#ownVersion }
    return this.#own
  }

  #came(peerId: string): void {
    const { askEveryMs } = holdingsLimits
    this.#peers.set(peerId, { holdings: undefined, nextAtMs: 0, waitMs: askEveryMs, isAsking: false })
    this.#round()
  }

  #left(peerId: string): void {
    const entry = this.#peers.get(peerId)
    this.#peers.delete(peerId)
    if (entry?.holdings !== undefined) this.#forget(peerId, entry.holdings.tensors)
  }

  #round(): void {
    const nowMs = performance.now()
    let asking = 0
    for (const { isAsking } of this.#peers.values()) if (isAsking) asking++
    for (const [peerId, entry] of this.#peers) {
      if (asking >= holdingsLimits.asksAtOnceMax) return
      if (entry.isAsking || nowMs < entry.nextAtMs) continue
      asking++
      void this.#ask(peerId, entry)
    }
  }

  async #ask(peerId: string, entry: Entry): Promise<void> {
    const { network, logger } = this.#needs
    const { askEveryMs, askEveryMsMax, askTimeoutMs } = holdingsLimits
    entry.isAsking = true
    try {
      const request = encodeHoldingsRequest(entry.holdings?.version ?? 0)
      const told = decodeHoldings(await network.request(peerId, protocolIds.holdings, request, askTimeoutMs))
      if (this.#peers.get(peerId) !== entry) return
      entry.waitMs = told.tensors === null ? Math.min(askEveryMsMax, entry.waitMs * 2) : askEveryMs
      this.#learn(peerId, entry, told)
    } catch (error) {
      entry.waitMs = Math.min(askEveryMsMax, entry.waitMs * 2)
      logger.debug({ peerId, code: describeError(error).code }, 'a peer does not say what it holds')
    } finally {
      entry.isAsking = false
      entry.nextAtMs = performance.now() + entry.waitMs
    }
  }

  #learn(peerId: string, entry: Entry, told: ReturnType<typeof decodeHoldings>): void {
    const before = entry.holdings?.tensors ?? []
    if (told.tensors === null) {
      entry.holdings = { ...told, tensors: before }
      return
    }
    this.#forget(peerId, before)
    const kept: string[] = []
    for (const tensor of new Set(told.tensors)) {
      if (this.#entries >= holdingsLimits.entriesMax) break
      const holders = this.#holders.get(tensor) ?? new Set()
      holders.add(peerId)
      this.#holders.set(tensor, holders)
      this.#entries++
      kept.push(tensor)
    }
    entry.holdings = { ...told, tensors: kept }
  }

  #forget(peerId: string, tensors: readonly string[]): void {
    for (const tensor of tensors) {
      const holders = this.#holders.get(tensor)
      if (holders?.delete(peerId) !== true) continue
      this.#entries--
      if (holders.size === 0) this.#holders.delete(tensor)
    }
  }
}
