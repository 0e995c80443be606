import { describeError } from '../errors/index.ts'
import { type Channel, type Network, protocolIds } from '../net/index.ts'
import { decodeExpertFrame, type ExpertFrame, encodeExpertFrame, type Refusal, type WireLoad } from './core/wire.ts'
import type { RoutingLogger } from './routing-types.ts'

export type LinkCall = {
  readonly request: string
  readonly layer: number
  readonly isPrompt: boolean
  readonly loads: readonly WireLoad[]
}

export type LinkAnswer = Extract<ExpertFrame, { kind: 'answer' }>

/** One of these is called, once. */
export type LinkListener = {
  answered(answer: LinkAnswer): void
  refused(reason: Refusal): void
  /** The channel could not be opened, or it ended. */
  broken(): void
}

/** Kept channels to holders, and the calls that are open on them. */
export interface HolderLinks {
  /** Returns what gives the call up; nothing is heard of it then. */
  ask(peerId: string, call: LinkCall, listener: LinkListener): () => void
  /** Opens a channel if there is none, and keeps measuring the way there for a while. */
  warm(peerId: string): void
  stop(): void
}

export type HolderLinksNeeds = {
  readonly network: Pick<Network, 'openChannel'>
  /** A sign of life. */
  readonly onHeard: (peerId: string) => void
  readonly onRoundTrip: (peerId: string, roundTripMs: number) => void
  /** How many calls it has open, of all who ask it. */
  readonly onOpenCalls: (peerId: string, openCalls: number) => void
  readonly logger: RoutingLogger
}

export const linkLimits = Object.freeze({
  linksMax: 256,
  callsPerLinkMax: 256,
  pingEveryMs: 1000,
  /** A link that nobody used for so long is not measured any more, and closed. */
  warmMs: 60_000
})

export function createHolderLinks(needs: HolderLinksNeeds): HolderLinks {
  return new KeptLinks(needs)
}

class KeptLinks implements HolderLinks {
  readonly #needs: HolderLinksNeeds
  readonly #links = new Map<string, Link>()
  #timer: NodeJS.Timeout | undefined

  constructor(needs: HolderLinksNeeds) {
    this.#needs = needs
  }

  ask(peerId: string, call: LinkCall, listener: LinkListener): () => void {
    return this.#link(peerId).ask(call, listener)
  }

  warm(peerId: string): void {
    this.#link(peerId).use()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
  }

  #link(peerId: string): Link {
    const known = this.#links.get(peerId)
    if (known !== undefined && !known.isClosed) return known
    const link = new Link(peerId, this.#needs)
    this.#links.delete(peerId)
    if (this.#links.size >= linkLimits.linksMax) this.#closeOldest()
    this.#links.set(peerId, link)
    this.#timer ??= setInterval(() => this.#round(), linkLimits.pingEveryMs).unref()
    return link
  }

  #round(): void {
    for (const [peerId, link] of this.#links) {
      if (link.isIdle) link.close()
      if (link.isClosed) this.#links.delete(peerId)
      else link.ping()
    }
    if (this.#links.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #closeOldest(): void {
    const oldest = [...this.#links].toSorted(([, a], [, b]) => a.usedAtMs - b.usedAtMs)[0]
    oldest?.[1].close()
    if (oldest !== undefined) this.#links.delete(oldest[0])
  }
}

class Link {
  readonly #peerId: string
  readonly #needs: HolderLinksNeeds
  readonly #calls = new Map<number, LinkListener>()
  /** What is sent once the channel is there. */
  #waiting: Uint8Array[] = []
  #channel: Channel | undefined
  #lastCall = 0
  #pingedAtMs: number | undefined
  #pings = 0
  usedAtMs = performance.now()
  isClosed = false

  constructor(peerId: string, needs: HolderLinksNeeds) {
    this.#peerId = peerId
    this.#needs = needs
    void this.#open()
  }

  get isIdle(): boolean {
    return this.#calls.size === 0 && performance.now() - this.usedAtMs > linkLimits.warmMs
  }

  use(): void {
    this.usedAtMs = performance.now()
  }

  ask(call: LinkCall, listener: LinkListener): () => void {
    this.use()
    const number = ++this.#lastCall
    if (this.#calls.size >= linkLimits.callsPerLinkMax) {
      queueMicrotask(() => listener.refused('busy'))
      return () => {}
    }
    this.#calls.set(number, listener)
    this.#send({ kind: 'call', call: number, ...call })
    return () => {
      if (this.#calls.delete(number)) this.#send({ kind: 'cancel', call: number })
    }
  }

  ping(): void {
    // The one before is still on its way: a measure of how long would say nothing of the way.
    if (this.#channel === undefined || this.#pingedAtMs !== undefined) return
    this.#pingedAtMs = performance.now()
    this.#send({ kind: 'ping', number: ++this.#pings })
  }

  close(): void {
    this.#channel?.close()
    this.#end()
  }

  async #open(): Promise<void> {
    try {
      const channel = await this.#needs.network.openChannel(this.#peerId, protocolIds.experts, {
        onFrame: frame => this.#take(decodeExpertFrame(frame)),
        onClose: () => this.#end()
      })
      if (this.isClosed) return channel.close()
      this.#channel = channel
      for (const frame of this.#waiting.splice(0)) if (!channel.send(frame)) return this.close()
      this.ping()
    } catch (error) {
      this.#needs.logger.debug({ peerId: this.#peerId, code: describeError(error).code }, 'no channel to a holder')
      this.#end()
    }
  }

  #send(frame: ExpertFrame): void {
    if (this.isClosed) return
    const bytes = encodeExpertFrame(frame)
    if (this.#channel === undefined) this.#waiting.push(bytes)
    else if (!this.#channel.send(bytes)) this.close()
  }

  #take(frame: ExpertFrame): void {
    const { onHeard, onRoundTrip, onOpenCalls } = this.#needs
    onHeard(this.#peerId)
    if (frame.kind === 'answer') this.#listener(frame.call)?.answered(frame)
    else if (frame.kind === 'refusal') this.#listener(frame.call)?.refused(frame.reason)
    else if (frame.kind === 'heartbeat') onOpenCalls(this.#peerId, frame.openCalls)
    else if (frame.kind === 'pong' && frame.number === this.#pings && this.#pingedAtMs !== undefined) {
      onRoundTrip(this.#peerId, performance.now() - this.#pingedAtMs)
      onOpenCalls(this.#peerId, frame.openCalls)
      this.#pingedAtMs = undefined
    }
  }

  /** Undefined for a call that was given up. */
  #listener(call: number): LinkListener | undefined {
    const listener = this.#calls.get(call)
    this.#calls.delete(call)
    return listener
  }

  #end(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#waiting = []
    const calls = [...this.#calls.values()]
    this.#calls.clear()
    for (const listener of calls) listener.broken()
  }
}
