import type { ConsensusParameters } from './parameters.ts'
import { nameOf, type VertexRef } from './vertex.ts'

/** Vertices to ask one peer for. */
export type FetchPlan = { readonly peer: string; readonly digests: readonly string[] }

type Want = {
  readonly ref: VertexRef
  readonly asked: string[]
  peer: string | undefined
  askedAtMs: number
  isOpen: boolean
}

/**
 * Which missing vertex to ask whom: the peer that showed us the need first, then the others in turn, each ask given
 * `fetchTimeoutMs`. Bounded by what the graph suspends and by requests in flight per peer.
 */
export class Fetcher {
  readonly #parameters: ConsensusParameters
  /** By the whole name: a false reference to a vertex must not stand for the true one. */
  readonly #wants = new Map<string, Want>()
  readonly #inFlight = new Map<string, number>()

  constructor(parameters: ConsensusParameters) {
    this.#parameters = parameters
  }

  get size(): number {
    return this.#wants.size
  }

  want(ref: VertexRef, from: string | undefined): void {
    if (this.#wants.has(nameOf(ref))) return
    this.#wants.set(nameOf(ref), { ref, asked: [], peer: from, askedAtMs: Number.NEGATIVE_INFINITY, isOpen: false })
  }

  forget(ref: VertexRef): void {
    this.#wants.delete(nameOf(ref))
  }

  keepOnly(isWanted: (ref: VertexRef) => boolean): void {
    for (const want of this.#wants.values()) if (!isWanted(want.ref)) this.forget(want.ref)
  }

  /** The ask ended; what it did not bring may be asked of another peer at once. */
  finished(peer: string, digests: readonly string[]): void {
    this.#inFlight.set(peer, Math.max(0, (this.#inFlight.get(peer) ?? 0) - 1))
    const ended = new Set(digests)
    for (const want of this.#wants.values()) if (want.peer === peer && ended.has(want.ref.digest)) want.isOpen = false
  }

  peerGone(peer: string): void {
    this.#inFlight.delete(peer)
    for (const want of this.#wants.values()) if (want.peer === peer) want.isOpen = false
  }

  /** What to ask now. Every plan counts as in flight until `finished`. */
  plan(nowMs: number, peers: readonly string[]): FetchPlan[] {
    if (peers.length === 0) return []
    const byPeer = new Map<string, string[]>()
    for (const want of this.#wants.values()) {
      const isFresh = nowMs - want.askedAtMs < this.#parameters.fetchTimeoutMs
      if (want.isOpen && isFresh) continue
      const everybodyWasAsked = peers.every(peer => want.asked.includes(peer))
      if (everybodyWasAsked && isFresh) continue
      if (everybodyWasAsked) want.asked.length = 0
      const peer = this.#choose(want, peers, byPeer)
      if (peer === undefined) continue
      want.peer = peer
      want.asked.push(peer)
      want.askedAtMs = nowMs
      want.isOpen = true
      const digests = byPeer.get(peer)
      if (digests === undefined) byPeer.set(peer, [want.ref.digest])
      else digests.push(want.ref.digest)
    }
    return [...byPeer].map(([peer, digests]) => {
      this.#inFlight.set(peer, (this.#inFlight.get(peer) ?? 0) + 1)
      return { peer, digests }
    })
  }

  #choose(want: Want, peers: readonly string[], planned: ReadonlyMap<string, string[]>): string | undefined {
    const free = (peer: string): boolean =>
      (this.#inFlight.get(peer) ?? 0) < this.#parameters.requestsPerPeerMax &&
      (planned.get(peer)?.length ?? 0) < this.#parameters.refsPerFetchMax
    if (want.asked.length === 0 && want.peer !== undefined && peers.includes(want.peer) && free(want.peer))
      return want.peer
    const untried = peers.filter(peer => free(peer) && !want.asked.includes(peer))
    return untried.length === 0 ? undefined : untried[want.ref.round % untried.length]
  }
}
