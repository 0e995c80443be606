import type { ConsensusParameters } from './parameters.ts'
import { nameOf, type VertexRef } from './vertex.ts'

/** Vertices to ask one peer for. */
export type FetchPlan = { readonly peer: string; readonly digests: readonly string[] }

/** A peer that did not bring what it was asked for is asked after the others for this long. */
const restAfterFailureMs = 10_000

/** Nobody had it: everybody is asked again, each time after twice as long. */
const doublingsMax = 2

type Want = {
  readonly ref: VertexRef
  /** The peer that showed us the need, or nobody. */
  readonly shownBy: string | undefined
  readonly asked: string[]
  peer: string | undefined
  askedAtMs: number
  isOpen: boolean
  /** How often everybody was asked in vain. */
  doublings: number
}

/**
 * Which missing vertex to ask whom: the peer that showed us the need first, then the others in turn, each ask given
 * `fetchTimeoutMs`; a peer that was asked in vain comes after the others for a while. What one peer makes us want shares
 * the room with what others do, so that invented references cannot starve true ones. Bounded by what the graph suspends
 * and by requests in flight per peer.
 */
export class Fetcher {
  readonly #parameters: ConsensusParameters
  /** By the whole name: a false reference to a vertex must not stand for the true one. */
  readonly #wants = new Map<string, Want>()
  readonly #inFlight = new Map<string, number>()
  /** When a peer was last asked in vain. Bounded by the peers that are connected. */
  readonly #failedAtMs = new Map<string, number>()
  /** Before this there is nothing to ask: most calls come with nothing due. */
  #dueAtMs = Number.NEGATIVE_INFINITY

  constructor(parameters: ConsensusParameters) {
    this.#parameters = parameters
  }

  get size(): number {
    return this.#wants.size
  }

  want(ref: VertexRef, from: string | undefined): void {
    if (this.#wants.has(nameOf(ref))) return
    this.#dueAtMs = Number.NEGATIVE_INFINITY
    this.#wants.set(nameOf(ref), {
      ref,
      shownBy: from,
      asked: [],
      peer: undefined,
      askedAtMs: Number.NEGATIVE_INFINITY,
      isOpen: false,
      doublings: 0
    })
  }

  forget(ref: VertexRef): void {
    this.#wants.delete(nameOf(ref))
  }

  keepOnly(isWanted: (ref: VertexRef) => boolean): void {
    for (const want of this.#wants.values()) if (!isWanted(want.ref)) this.forget(want.ref)
  }

  /** The ask ended; what it did not bring may be asked of another peer at once. */
  finished(peer: string, digests: readonly string[]): void {
    this.#dueAtMs = Number.NEGATIVE_INFINITY
    this.#inFlight.set(peer, Math.max(0, (this.#inFlight.get(peer) ?? 0) - 1))
    const ended = new Set(digests)
    const missed = [...this.#wants.values()].filter(want => want.peer === peer && ended.has(want.ref.digest))
    for (const want of missed) want.isOpen = false
    // It took its time and brought nothing at all.
    if (missed.length > 0 && missed.length === ended.size) this.#failedAtMs.set(peer, missed[0]!.askedAtMs)
  }

  peerGone(peer: string): void {
    this.#dueAtMs = Number.NEGATIVE_INFINITY
    this.#inFlight.delete(peer)
    this.#failedAtMs.delete(peer)
    for (const want of this.#wants.values()) if (want.peer === peer) want.isOpen = false
  }

  /** What to ask now. Every plan counts as in flight until `finished`. */
  plan(nowMs: number, peers: readonly string[]): FetchPlan[] {
    if (peers.length === 0 || nowMs < this.#dueAtMs) return []
    const byPeer = new Map<string, string[]>()
    for (const want of this.#inTurn(nowMs)) {
      if (want.isOpen && want.peer !== undefined && peers.includes(want.peer)) this.#failedAtMs.set(want.peer, nowMs)
      const everybodyWasAsked = peers.every(peer => want.asked.includes(peer))
      if (everybodyWasAsked && nowMs - want.askedAtMs < this.#againAfterMs(want)) continue
      if (everybodyWasAsked) {
        want.asked.length = 0
        want.doublings = Math.min(doublingsMax, want.doublings + 1)
      }
      const peer = this.#choose(nowMs, want, peers, byPeer)
      if (peer === undefined) continue
      want.peer = peer
      want.asked.push(peer)
      want.askedAtMs = nowMs
      want.isOpen = true
      const digests = byPeer.get(peer)
      if (digests === undefined) byPeer.set(peer, [want.ref.digest])
      else digests.push(want.ref.digest)
    }
    this.#dueAtMs = this.#nextDueMs(peers)
    return [...byPeer].map(([peer, digests]) => {
      this.#inFlight.set(peer, (this.#inFlight.get(peer) ?? 0) + 1)
      return { peer, digests }
    })
  }

  /** What is due, the longest unasked first, one of each peer that showed us a need in turn. */
  #inTurn(nowMs: number): Want[] {
    const groups = new Map<string | undefined, Want[]>()
    for (const want of this.#wants.values()) {
      if (want.isOpen && nowMs - want.askedAtMs < this.#parameters.fetchTimeoutMs) continue
      const group = groups.get(want.shownBy)
      if (group === undefined) groups.set(want.shownBy, [want])
      else group.push(want)
    }
    for (const group of groups.values()) group.sort((a, b) => compare(a.askedAtMs, b.askedAtMs))
    if (groups.size <= 1) return [...groups.values()].flat()
    const inTurn: Want[] = []
    for (let place = 0; ; place++) {
      const before = inTurn.length
      for (const group of groups.values()) if (place < group.length) inTurn.push(group[place]!)
      if (inTurn.length === before) return inTurn
    }
  }

  #againAfterMs(want: Want): number {
    return this.#parameters.fetchTimeoutMs * 2 ** want.doublings
  }

  #nextDueMs(peers: readonly string[]): number {
    let dueAtMs = Number.POSITIVE_INFINITY
    for (const want of this.#wants.values()) {
      const isWaitingForAll = !want.isOpen && peers.every(peer => want.asked.includes(peer))
      if (!want.isOpen && !isWaitingForAll) return Number.NEGATIVE_INFINITY
      const afterMs = isWaitingForAll ? this.#againAfterMs(want) : this.#parameters.fetchTimeoutMs
      dueAtMs = Math.min(dueAtMs, want.askedAtMs + afterMs)
    }
    return dueAtMs
  }

  #choose(
    nowMs: number,
    want: Want,
    peers: readonly string[],
    planned: ReadonlyMap<string, string[]>
  ): string | undefined {
    const isResting = (peer: string): boolean =>
      nowMs - (this.#failedAtMs.get(peer) ?? Number.NEGATIVE_INFINITY) < restAfterFailureMs
    const free = (peer: string): boolean =>
      (this.#inFlight.get(peer) ?? 0) < this.#parameters.requestsPerPeerMax &&
      (planned.get(peer)?.length ?? 0) < this.#parameters.refsPerFetchMax
    const untried = peers.filter(peer => free(peer) && !want.asked.includes(peer))
    const willing = untried.filter(peer => !isResting(peer))
    if (want.shownBy !== undefined && willing.includes(want.shownBy)) return want.shownBy
    const candidates = willing.length > 0 ? willing : untried
    return candidates.length === 0 ? undefined : candidates[want.ref.round % candidates.length]
  }
}

/** Never asked is minus infinity, and infinity less infinity is no number. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}
