/** A budget that refills with time: so much for a burst, so much a second after it. */
export type Allowance = { readonly perSecond: number; readonly burst: number }

type Account = { tokens: number; atMs: number }

/**
 * One budget for each peer. It outlives a connection, so that coming back brings nothing new. Bounded: when too many
 * are known, the one that has used least is forgotten, which gives it nothing.
 */
export class PeerBudget {
  readonly #allowance: Allowance
  readonly #peersMax: number
  readonly #nowMs: () => number
  readonly #accounts = new Map<string, Account>()

  constructor(allowance: Allowance, peersMax: number, nowMs: () => number = () => performance.now()) {
    this.#allowance = allowance
    this.#peersMax = peersMax
    this.#nowMs = nowMs
  }

  /** Takes it, if need be on credit. Returns how many milliseconds the peer has to wait for what it took. */
  spend(peerId: string, cost = 1): number {
    const account = this.#account(peerId)
    account.tokens -= cost
    return account.tokens >= 0 ? 0 : (-account.tokens * 1000) / this.#allowance.perSecond
  }

  /** Takes it if it is there; false, and nothing is taken, when it is not. */
  trySpend(peerId: string, cost = 1): boolean {
    const account = this.#account(peerId)
    if (account.tokens < cost) return false
    account.tokens -= cost
    return true
  }

  #account(peerId: string): Account {
    const nowMs = this.#nowMs()
    const account = this.#accounts.get(peerId)
    if (account === undefined) return this.#open(peerId, nowMs)
    this.#refill(account, nowMs)
    return account
  }

  #refill(account: Account, nowMs: number): void {
    const { perSecond, burst } = this.#allowance
    account.tokens = Math.min(burst, account.tokens + ((nowMs - account.atMs) * perSecond) / 1000)
    account.atMs = nowMs
  }

  #open(peerId: string, nowMs: number): Account {
    if (this.#accounts.size >= this.#peersMax) this.#forgetOne(nowMs)
    const account = { tokens: this.#allowance.burst, atMs: nowMs }
    this.#accounts.set(peerId, account)
    return account
  }

  #forgetOne(nowMs: number): void {
    let richest: string | undefined
    let mostTokens = Number.NEGATIVE_INFINITY
    for (const [peerId, account] of this.#accounts) {
      this.#refill(account, nowMs)
      if (account.tokens <= mostTokens) continue
      mostTokens = account.tokens
      richest = peerId
    }
    if (richest !== undefined) this.#accounts.delete(richest)
  }
}
