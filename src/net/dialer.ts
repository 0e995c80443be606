import { networkLimits } from './protocols.ts'

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

  /** Those that name their peer. */
  addresses(): string[] {
    return [...this.#targets.values()].map(({ address }) => address).filter(address => peerIdOf(address) !== undefined)
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
