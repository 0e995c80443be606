/**
 * What others owe this node for experts it computed for them. Somebody without a tab has credit for so many rows; with one,
 * for what is put aside in it. Decides only; `tab-service.ts` does it.
 */
export interface PayeeTabs {
  served(peerId: string, work: { readonly rows: number; readonly elapsedMs: number }): void
  /** `heldUnits`: what the peer's tab has put aside; 0 without one. */
  mayServe(peerId: string, heldUnits: bigint): boolean
  /** The tab that this peer was last offered. */
  holdOf(peerId: string): string | undefined
  /** A key for a new quote, never used before by this process. Undefined where the peer had one a moment ago. */
  nextKey(peerId: string, nowMs: number): string | undefined
  offered(peerId: string, hold: string): void
  /** What to take of a tab: the work since the last one, as far as it is covered. */
  bill(peerId: string, heldUnits: bigint): Bill
  /** The tab is closed; what it paid for is forgotten. */
  paid(peerId: string, bill: Bill): void
  /** Peers with a tab. */
  offers(): readonly { readonly peerId: string; readonly hold: string }[]
  view(): readonly PayeeTabView[]
}

export type Bill = { readonly units: bigint; readonly rows: number; readonly elapsedMs: number }
export type PayeeTabView = {
  readonly peerId: string
  readonly rows: number
  readonly dueUnits: string
  readonly earnedUnits: string
  readonly hold: string | null
}

type Account = { rows: number; elapsedMs: number; earnedUnits: bigint; hold: string | undefined; offeredMs: number }

const peersMax = 4096
/** What anybody gets before the first tab: some long prompts. */
const creditRowsMax = 200_000
const offerEveryMs = 60_000

/** `session` makes keys of this process differ from those of the one before. */
export function createPayeeTabs(needs: {
  readonly priceUnitsPer1000Rows: bigint
  readonly session: string
}): PayeeTabs {
  return new ServedTabs(needs.priceUnitsPer1000Rows, needs.session)
}

class ServedTabs implements PayeeTabs {
  readonly #price: bigint
  readonly #session: string
  readonly #accounts = new Map<string, Account>()
  #offers = 0

  constructor(price: bigint, session: string) {
    this.#price = price
    this.#session = session
  }

  served(peerId: string, { rows, elapsedMs }: { rows: number; elapsedMs: number }): void {
    if (this.#price === 0n) return
    const account = this.#accountOf(peerId)
    account.rows += rows
    account.elapsedMs += Math.round(elapsedMs)
  }

  mayServe(peerId: string, heldUnits: bigint): boolean {
    const account = this.#accounts.get(peerId)
    if (account === undefined || this.#price === 0n) return true
    return heldUnits > 0n ? this.#unitsOf(account.rows) < heldUnits : account.rows < creditRowsMax
  }

  holdOf(peerId: string): string | undefined {
    return this.#accounts.get(peerId)?.hold
  }

  nextKey(peerId: string, nowMs: number): string | undefined {
    const account = this.#accountOf(peerId)
    if (nowMs - account.offeredMs < offerEveryMs) return undefined
    account.offeredMs = nowMs
    return `tab-${this.#session}-${++this.#offers}`
  }

  offered(peerId: string, hold: string): void {
    this.#accountOf(peerId).hold = hold
  }

  bill(peerId: string, heldUnits: bigint): Bill {
    const { rows, elapsedMs } = this.#accountOf(peerId)
    const units = this.#unitsOf(rows)
    if (units <= heldUnits) return { units, rows, elapsedMs }
    const covered = Number((heldUnits * 1000n) / this.#price)
    return { units: heldUnits, rows: covered, elapsedMs: Math.round((elapsedMs * covered) / rows) }
  }

  paid(peerId: string, { units, rows, elapsedMs }: Bill): void {
    const account = this.#accountOf(peerId)
    account.rows = Math.max(0, account.rows - rows)
    account.elapsedMs = Math.max(0, account.elapsedMs - elapsedMs)
    account.earnedUnits += units
    account.hold = undefined
  }

  offers(): readonly { peerId: string; hold: string }[] {
    return [...this.#accounts].flatMap(([peerId, { hold }]) => (hold === undefined ? [] : [{ peerId, hold }]))
  }

  view(): readonly PayeeTabView[] {
    return [...this.#accounts].map(([peerId, { rows, earnedUnits, hold }]) => {
      return { peerId, rows, dueUnits: `${this.#unitsOf(rows)}`, earnedUnits: `${earnedUnits}`, hold: hold ?? null }
    })
  }

  #unitsOf(rows: number): bigint {
    return (BigInt(rows) * this.#price) / 1000n
  }

  #accountOf(peerId: string): Account {
    const known = this.#accounts.get(peerId)
    if (known !== undefined) return known
    if (this.#accounts.size >= peersMax) this.#forgetOne()
    const made = { rows: 0, elapsedMs: 0, earnedUnits: 0n, hold: undefined, offeredMs: Number.NEGATIVE_INFINITY }
    this.#accounts.set(peerId, made)
    return made
  }

  /** The oldest without a tab: whoever comes under many names gets credit for each, so little that it is not worth it. */
  #forgetOne(): void {
    for (const [peerId, { hold }] of this.#accounts) {
      if (hold !== undefined) continue
      this.#accounts.delete(peerId)
      return
    }
    this.#accounts.delete(this.#accounts.keys().next().value!)
  }
}
