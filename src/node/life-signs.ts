import type { QuorumView } from '../consensus/index.ts'
import type { Signs } from '../guardian/index.ts'
import type { Network } from '../net/index.ts'

/** A node that is watched, as the state describes it now. */
export type Watched = {
  readonly account: string
  readonly peerId: string | undefined
  /** Place of its validator; undefined for a node that has none in the set. */
  readonly place: number | undefined
  /** Changes with every sign of life that the state holds of it. */
  readonly traces: string
  readonly isDutyLate: boolean
}

type Seen = {
  readonly sinceMs: number
  heardAtMs: number | null
  lastRound: number
  signedAtMs: number
  traces: string
  responseMs: number | null
  pingedAtMs: number
  isPinging: boolean
}

export type LifeSignsNeeds = {
  readonly network: Pick<Network, 'peers' | 'ping'>
  readonly view: () => Pick<QuorumView, 'members' | 'self'>
  /** Silence after which it is asked, and how long it has to answer. */
  readonly askAfterMs: () => number
  readonly nowMs?: () => number
}

/** Members that must be ahead of one before it counts as not signing. */
const roundsBehind = 3
/** After a ping of our own, what the network measures now and then says how quick a peer is. */
const responseKeptMs = 60_000

/**
 * What this node notices of nodes that are watched. Vertices and records say that a node is there; only one that is silent
 * is asked, so a healthy node costs nothing.
 */
export class LifeSigns {
  readonly #needs: LifeSignsNeeds
  readonly #nowMs: () => number
  readonly #seen = new Map<string, Seen>()
  #lookedAtMs: number | undefined

  constructor(needs: LifeSignsNeeds) {
    this.#needs = needs
    this.#nowMs = needs.nowMs ?? (() => performance.now())
  }

  /** Looks at all of them; `pauseMs` without a look (this machine slept) begins everything anew. */
  look(watched: readonly Watched[], pauseMs: number): Map<string, Signs> {
    const nowMs = this.#nowMs()
    if (this.#lookedAtMs !== undefined && nowMs - this.#lookedAtMs > pauseMs) this.#seen.clear()
    this.#lookedAtMs = nowMs
    const accounts = new Set(watched.map(({ account }) => account))
    for (const account of this.#seen.keys()) if (!accounts.has(account)) this.#seen.delete(account)
    const connected = new Map(this.#needs.network.peers().map(({ peerId, latencyMs }) => [peerId, latencyMs]))
    return new Map(watched.map(one => [one.account, this.#signsOf(one, connected, nowMs)]))
  }

  #signsOf(watched: Watched, connected: ReadonlyMap<string, number | null>, nowMs: number): Signs {
    const { account, peerId, place, traces, isDutyLate } = watched
    const { members } = this.#needs.view()
    const lastRound = place === undefined ? 0 : (members[place]?.lastRound ?? 0)
    let seen = this.#seen.get(account)
    if (seen === undefined) {
      seen = {
        sinceMs: nowMs,
        heardAtMs: null,
        lastRound,
        signedAtMs: nowMs,
        traces,
        responseMs: null,
        pingedAtMs: Number.NEGATIVE_INFINITY,
        isPinging: false
      }
      this.#seen.set(account, seen)
    }
    if (lastRound > seen.lastRound || (lastRound > 0 && lastRound < seen.lastRound)) {
      seen.lastRound = lastRound
      seen.signedAtMs = nowMs
      seen.heardAtMs = nowMs
    }
    if (traces !== seen.traces) {
      seen.traces = traces
      seen.heardAtMs = nowMs
    }
    const isConnected = peerId !== undefined && connected.has(peerId)
    const measuredMs = connected.get(peerId ?? '') ?? seen.responseMs
    if (isConnected) this.#askIfSilent(peerId, seen, nowMs)
    const askAfterMs = this.#needs.askAfterMs()
    const isBehind = members.filter(member => member.lastRound > lastRound + roundsBehind).length * 2 > members.length
    return {
      watchedMs: nowMs - seen.sinceMs,
      silentMs: seen.heardAtMs === null ? null : nowMs - seen.heardAtMs,
      isConnected,
      responseMs:
        nowMs - seen.pingedAtMs < responseKeptMs || measuredMs === null ? seen.responseMs : Math.round(measuredMs),
      isSigning: place === undefined ? null : !(isBehind && nowMs - seen.signedAtMs > askAfterMs),
      isDutyLate
    }
  }

  #askIfSilent(peerId: string, seen: Seen, nowMs: number): void {
    const askAfterMs = this.#needs.askAfterMs()
    const quietMs = nowMs - (seen.heardAtMs ?? Number.NEGATIVE_INFINITY)
    if (seen.isPinging || quietMs < askAfterMs || nowMs - seen.pingedAtMs < askAfterMs / 2) return
    seen.isPinging = true
    seen.pingedAtMs = nowMs
    this.#needs.network
      .ping(peerId, askAfterMs)
      .then(elapsedMs => {
        seen.responseMs = Math.round(elapsedMs)
        seen.heardAtMs = this.#nowMs()
      })
      .catch(() => {})
      .finally(() => {
        seen.isPinging = false
      })
  }
}
