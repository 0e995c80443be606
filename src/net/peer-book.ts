import { networkLimits } from './protocols.ts'

/** Points against peers, forgiven with time; at the limit a peer is banned for a while. Bounded by the peers known. */
export class PenaltyBook {
  readonly #entries = new Map<string, { points: number; atMs: number; bannedUntilMs: number }>()

  /** True when this reached the limit. */
  add(peerId: string, points: number): boolean {
    const entry = this.#entry(peerId)
    entry.points = this.points(peerId) + points
    entry.atMs = performance.now()
    if (entry.points < networkLimits.penaltyPointsMax) return false
    this.ban(peerId)
    return true
  }

  ban(peerId: string): void {
    this.#entry(peerId).bannedUntilMs = performance.now() + networkLimits.banMs
  }

  points(peerId: string): number {
    const entry = this.#entries.get(peerId)
    return entry === undefined ? 0 : Math.max(0, entry.points - (performance.now() - entry.atMs) / 10_000)
  }

  isBanned(peerId: string): boolean {
    return (this.#entries.get(peerId)?.bannedUntilMs ?? 0) > performance.now()
  }

  #entry(peerId: string): { points: number; atMs: number; bannedUntilMs: number } {
    let entry = this.#entries.get(peerId)
    if (entry === undefined) {
      if (this.#entries.size >= networkLimits.knownPeersMax) this.#entries.delete(this.#entries.keys().next().value!)
      entry = { points: 0, atMs: 0, bannedUntilMs: 0 }
      this.#entries.set(peerId, entry)
    }
    return entry
  }
}

export type DialerNeeds = {
  dial(address: string): Promise<void>
  isConnected(peerId: string): boolean
  mayDial(peerId: string): boolean
}

type Target = { readonly address: string; readonly isConfigured: boolean; waitMs: number; nextAtMs: number }

/** Keeps connections to configured and learnt addresses: tries again with doubling waits, for ever for configured ones. */
export class Dialer {
  readonly #needs: DialerNeeds
  readonly #targets = new Map<string, Target>()
  #timer: NodeJS.Timeout | undefined
  #isRunning = false

  constructor(addresses: readonly string[], needs: DialerNeeds) {
    this.#needs = needs
    for (const address of addresses) this.add(address)
  }

  add(address: string): void {
    this.#put(address, true)
  }

  /** An address that a peer told us of: worth a few tries. */
  learn(address: string): void {
    if (this.#targets.size < networkLimits.knownPeersMax) this.#put(address, false)
  }

  lost(peerId: string): void {
    for (const target of this.#targets.values())
      if (peerIdOf(target.address) === peerId) this.#again(target, networkLimits.redialMsMin)
  }

  start(): void {
    this.#timer = setInterval(() => void this.#round(), networkLimits.redialMsMin / 2)
    this.#timer.unref()
    void this.#round()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #put(address: string, isConfigured: boolean): void {
    const name = peerIdOf(address) ?? address
    const known = this.#targets.get(name)
    if (known !== undefined && (known.isConfigured || !isConfigured)) return
    this.#targets.set(name, { address, isConfigured, waitMs: networkLimits.redialMsMin, nextAtMs: 0 })
  }

  #again(target: Target, waitMs: number): void {
    target.waitMs = waitMs
    target.nextAtMs = performance.now() + waitMs
  }

  async #round(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      const due = [...this.#targets].filter(([, target]) => target.nextAtMs <= performance.now()).slice(0, 16)
      await Promise.all(due.map(([name, target]) => this.#try(name, target)))
    } finally {
      this.#isRunning = false
    }
  }

  async #try(name: string, target: Target): Promise<void> {
    const peerId = peerIdOf(target.address)
    if (peerId !== undefined && (this.#needs.isConnected(peerId) || !this.#needs.mayDial(peerId))) {
      this.#again(target, networkLimits.redialMsMin)
      return
    }
    try {
      await this.#needs.dial(target.address)
      this.#again(target, Math.min(target.waitMs * 2, networkLimits.redialMsMax))
    } catch {
      if (!target.isConfigured && target.waitMs >= networkLimits.redialMsMax) this.#targets.delete(name)
      this.#again(target, Math.min(target.waitMs * 2, networkLimits.redialMsMax))
    }
  }
}

function peerIdOf(address: string): string | undefined {
  return /\/p2p\/([^/]+)$/.exec(address)?.[1]
}
