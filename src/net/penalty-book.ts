import { networkLimits } from './protocols.ts'

/**
 * Points against peers, forgiven with time; at the limit a peer is banned for a while. Points and bans are kept apart
 * and each is bounded: many new names with few points push out neither a ban nor a peer that is close to one.
 */
export class PenaltyBook {
  readonly #points = new Map<string, { points: number; atMs: number }>()
  /** Peer -> when its ban ends; in the order in which they end. */
  readonly #bans = new Map<string, number>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  /** True when this reached the limit. */
  add(peerId: string, points: number): boolean {
    const sum = this.points(peerId) + points
    if (!this.#points.has(peerId) && this.#points.size >= networkLimits.knownPeersMax) this.#forgetLeast()
    this.#points.set(peerId, { points: sum, atMs: this.#nowMs() })
    if (sum < networkLimits.penaltyPointsMax) return false
    this.ban(peerId)
    return true
  }

  ban(peerId: string): void {
    const nowMs = this.#nowMs()
    this.#bans.delete(peerId)
    for (const [banned, untilMs] of this.#bans) {
      if (untilMs > nowMs && this.#bans.size < networkLimits.bansMax) break
      this.#bans.delete(banned)
    }
    this.#bans.set(peerId, nowMs + networkLimits.banMs)
  }

  points(peerId: string): number {
    const entry = this.#points.get(peerId)
    return entry === undefined ? 0 : Math.max(0, entry.points - (this.#nowMs() - entry.atMs) / 10_000)
  }

  isBanned(peerId: string): boolean {
    return (this.#bans.get(peerId) ?? 0) > this.#nowMs()
  }

  #forgetLeast(): void {
    let least: string | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const peerId of this.#points.keys()) {
      const points = this.points(peerId)
      if (points >= fewest) continue
      fewest = points
      least = peerId
    }
    if (least !== undefined) this.#points.delete(least)
  }
}
