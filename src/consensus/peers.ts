import { type FeedSender, type Network, protocolIds } from '../net/index.ts'
import type { Committee } from './core/committee.ts'
import { refOf, type Vertex } from './core/vertex.ts'
import { encodeAnnouncement, encodeBriefFrame, encodeVertexFrame } from './wire.ts'

type Connected = { validator: number | undefined; readonly feed: FeedSender; pushedAtMs: number }

export type QuorumPeersNeeds = {
  readonly network: Network
  readonly committee: () => Committee
  readonly isValidator: () => boolean
  /** Pushes what a peer needs first, whenever its feed begins. */
  readonly onFeedOpened: (peerId: string) => void
  readonly nowMs?: () => number
}

const provenLiePoints = 100
/** A round this long after the one before finds its parents everywhere, so that its vertices can be told in short. */
const quietRoundMs = 1000
/** Who has had nothing from us for this long is told how far we are: it must not take us for dead. */
const quietLinkMs = 30_000

/**
 * Whom we push to. Our own vertices go to every validator; everything we accept goes to peers that asked us to relay.
 * A node that is no validator asks one peer to relay, and another when that one is gone.
 */
export class QuorumPeers {
  readonly #needs: QuorumPeersNeeds
  readonly #nowMs: () => number
  readonly #connected = new Map<string, Connected>()
  readonly #relaysTo = new Set<string>()
  /** Peers that we asked to relay to us, while they are connected. */
  readonly #askedToRelay = new Set<string>()
  #relayFrom: string | undefined
  readonly #relaysMax = 32
  readonly #round = { number: -1, beganAtMs: Number.NEGATIVE_INFINITY, isQuiet: false }

  constructor(needs: QuorumPeersNeeds) {
    this.#needs = needs
    this.#nowMs = needs.nowMs ?? (() => performance.now())
  }

  get ids(): string[] {
    return [...this.#connected.keys()]
  }

  /** Other members: who is a validator is looked up anew. */
  epochBegan(): void {
    this.#needs.network.keepRoomFor(this.#needs.committee().validators.map(validator => validator.peerId))
    for (const [peerId, entry] of this.#connected) entry.validator = this.validatorOf(peerId)
    // Who has left the set is not pushed to any more.
    this.chooseRelay()
  }

  get validatorsConnected(): number {
    return [...this.#connected.values()].filter(peer => peer.validator !== undefined).length
  }

  isConnected(author: number): boolean {
    return [...this.#connected.values()].some(peer => peer.validator === author)
  }

  validatorOf(peerId: string): number | undefined {
    const index = this.#needs.committee().validators.findIndex(validator => validator.peerId === peerId)
    return index === -1 ? undefined : index
  }

  /** A validator pushes what it signed itself; what others signed comes from whom we asked to relay, or is fetched. */
  maySend(peerId: string, author: number): boolean {
    return this.#connected.get(peerId)?.validator === author || this.#askedToRelay.has(peerId)
  }

  connected(peerId: string): number | undefined {
    const validator = this.validatorOf(peerId)
    this.#connected.get(peerId)?.feed.close()
    const feed = this.#needs.network.feed(peerId, () => this.#needs.onFeedOpened(peerId))
    this.#connected.set(peerId, { validator, feed, pushedAtMs: Number.NEGATIVE_INFINITY })
    this.#needs.onFeedOpened(peerId)
    this.chooseRelay()
    return validator
  }

  disconnected(peerId: string): void {
    this.#connected.get(peerId)?.feed.close()
    this.#connected.delete(peerId)
    this.#relaysTo.delete(peerId)
    this.#askedToRelay.delete(peerId)
    if (this.#relayFrom === peerId) this.#relayFrom = undefined
    this.chooseRelay()
  }

  /** Somebody asks us for everything we accept. False when we relay to enough already. */
  addRelay(peerId: string): boolean {
    if (this.#relaysTo.has(peerId)) return true
    if (this.#relaysTo.size >= this.#relaysMax) return false
    this.#relaysTo.add(peerId)
    return true
  }

  chooseRelay(): void {
    if (this.#needs.isValidator() || this.#relayFrom !== undefined) return
    const candidates = [...this.#connected].sort(
      ([, a], [, b]) => Number(b.validator !== undefined) - Number(a.validator !== undefined)
    )
    const chosen = candidates[0]?.[0]
    if (chosen === undefined) return
    this.#relayFrom = chosen
    this.#askedToRelay.add(chosen)
    this.#needs.network.request(chosen, protocolIds.relay, Uint8Array.of(1), 5000).catch(() => {
      if (this.#relayFrom === chosen) this.#relayFrom = undefined
    })
  }

  pushTo(peerId: string, frame: Uint8Array): void {
    const peer = this.#connected.get(peerId)
    if (peer === undefined) return
    peer.pushedAtMs = this.#nowMs()
    peer.feed.push(frame)
  }

  pushToAll(frame: Uint8Array): void {
    for (const peerId of this.#connected.keys()) this.pushTo(peerId, frame)
  }

  /** To those only who have had nothing from us for long. */
  pushToQuiet(frame: () => Uint8Array): void {
    const nowMs = this.#nowMs()
    for (const [peerId, { pushedAtMs }] of this.#connected)
      if (nowMs - pushedAtMs >= quietLinkMs) this.pushTo(peerId, frame())
  }

  /** Names vertices that are here. Whoever lacks one fetches it: bodies are not sent to who may have them already. */
  announceTo(peerId: string, vertices: readonly Vertex[]): void {
    if (vertices.length > 0) this.pushTo(peerId, announcement(vertices))
  }

  /** A fresh vertex goes out whole, or in short when that says it all; one that was sent before is only named. */
  pushOwnVertex(vertex: Vertex, isAgain: boolean): void {
    const frame = isAgain ? announcement([vertex]) : this.#frameOf(vertex)
    for (const [peerId, { validator }] of this.#connected)
      if (validator !== undefined || this.#relaysTo.has(peerId)) this.pushTo(peerId, frame)
  }

  pushRelayed(vertex: Vertex): void {
    this.#noteRound(vertex.header.round)
    if (this.#relaysTo.size === 0) return
    const frame = this.#frameOf(vertex)
    for (const peerId of this.#relaysTo) this.pushTo(peerId, frame)
  }

  /** A member that was caught signing two vertices for one round. What it signed can still be fetched from others. */
  cutOff(author: number): void {
    const peerId = this.#needs.committee().validators[author]?.peerId
    if (peerId !== undefined) this.#needs.network.penalise(peerId, provenLiePoints, 'two vertices for one round')
  }

  close(): void {
    for (const { feed } of this.#connected.values()) feed.close()
    this.#connected.clear()
  }

  #frameOf(vertex: Vertex): Uint8Array {
    this.#noteRound(vertex.header.round)
    const isQuiet = this.#round.isQuiet && vertex.header.round === this.#round.number
    return isQuiet ? encodeBriefFrame(vertex) : encodeVertexFrame(vertex)
  }

  #noteRound(round: number): void {
    if (round <= this.#round.number) return
    const nowMs = this.#nowMs()
    this.#round.isQuiet = round === this.#round.number + 1 && nowMs - this.#round.beganAtMs >= quietRoundMs
    this.#round.number = round
    this.#round.beganAtMs = nowMs
  }
}

function announcement(vertices: readonly Vertex[]): Uint8Array {
  return encodeAnnouncement({ epoch: vertices[0]!.header.epoch, refs: vertices.map(refOf) })
}
