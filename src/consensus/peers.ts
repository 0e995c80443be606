import { type FeedSender, type Network, protocolIds } from '../net/index.ts'
import type { Committee } from './core/committee.ts'

type Connected = { readonly validator: number | undefined; feed: FeedSender }

const reopenFeedMs = 500

/**
 * Whom we push to. Our own vertices go to every validator; everything we accept goes to peers that asked us to relay.
 * A node that is no validator asks one peer to relay, and another when that one is gone.
 */
export class QuorumPeers {
  readonly #network: Network
  readonly #committee: Committee
  readonly #isValidator: boolean
  readonly #connected = new Map<string, Connected>()
  readonly #relaysTo = new Set<string>()
  #relayFrom: string | undefined
  readonly #relaysMax = 32
  readonly #onFeedOpened: (peerId: string) => void

  /** `onFeedOpened` pushes what a peer needs first, whenever its feed begins. */
  constructor(network: Network, committee: Committee, isValidator: boolean, onFeedOpened: (peerId: string) => void) {
    this.#onFeedOpened = onFeedOpened
    this.#network = network
    this.#committee = committee
    this.#isValidator = isValidator
  }

  get validatorsConnected(): number {
    return [...this.#connected.values()].filter(peer => peer.validator !== undefined).length
  }

  isConnected(author: number): boolean {
    return [...this.#connected.values()].some(peer => peer.validator === author)
  }

  validatorOf(peerId: string): number | undefined {
    const index = this.#committee.validators.findIndex(validator => validator.peerId === peerId)
    return index === -1 ? undefined : index
  }

  connected(peerId: string): number | undefined {
    const validator = this.validatorOf(peerId)
    this.#connected.set(peerId, { validator, feed: this.#open(peerId) })
    this.#onFeedOpened(peerId)
    this.chooseRelay()
    return validator
  }

  /** A feed can end while the connection lives (a slow peer, a busy machine): without it the peer would never hear of us. */
  #open(peerId: string): FeedSender {
    let hasEnded = false
    const feed = this.#network.feed(peerId, () => {
      if (hasEnded) return
      hasEnded = true
      setTimeout(() => {
        const entry = this.#connected.get(peerId)
        if (entry?.feed !== feed) return
        entry.feed = this.#open(peerId)
        this.#onFeedOpened(peerId)
      }, reopenFeedMs).unref()
    })
    return feed
  }

  disconnected(peerId: string): void {
    this.#connected.get(peerId)?.feed.close()
    this.#connected.delete(peerId)
    this.#relaysTo.delete(peerId)
    if (this.#relayFrom === peerId) this.#relayFrom = undefined
    this.chooseRelay()
  }

  /** Somebody asks us for everything we accept. False when we relay to enough already. */
  addRelay(peerId: string): boolean {
    if (this.#relaysTo.size >= this.#relaysMax) return false
    this.#relaysTo.add(peerId)
    return true
  }

  chooseRelay(): void {
    if (this.#isValidator || this.#relayFrom !== undefined) return
    const candidates = [...this.#connected].sort(
      ([, a], [, b]) => Number(b.validator !== undefined) - Number(a.validator !== undefined)
    )
    const chosen = candidates[0]?.[0]
    if (chosen === undefined) return
    this.#relayFrom = chosen
    this.#network.request(chosen, protocolIds.relay, Uint8Array.of(1), 5000).catch(() => {
      if (this.#relayFrom === chosen) this.#relayFrom = undefined
    })
  }

  pushTo(peerId: string, frame: Uint8Array): void {
    this.#connected.get(peerId)?.feed.push(frame)
  }

  pushToAll(frame: Uint8Array): void {
    for (const { feed } of this.#connected.values()) feed.push(frame)
  }

  pushOwnVertex(frame: Uint8Array): void {
    for (const [peerId, { validator, feed }] of this.#connected)
      if (validator !== undefined || this.#relaysTo.has(peerId)) feed.push(frame)
  }

  pushRelayed(frame: () => Uint8Array): void {
    if (this.#relaysTo.size === 0) return
    const bytes = frame()
    for (const peerId of this.#relaysTo) this.pushTo(peerId, bytes)
  }

  close(): void {
    for (const { feed } of this.#connected.values()) feed.close()
    this.#connected.clear()
  }
}
