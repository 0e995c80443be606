/**
 * What this node owes to holders of experts, and the tabs it pays that from. A tab is one hold of the ledger: coins put
 * aside for one holder, of which it gets what it really computed. Decides only; `tab-service.ts` does it.
 */
export interface PayerTabs {
  /** An answer had this computed by a holder. */
  note(peerId: string, work: { readonly account: string; readonly costUnits: bigint }, nowMs: number): void
  /** What is to be done now. Each job is under way until `opened`, `settled` or `failed` ends it. */
  due(nowMs: number): PayerJob[]
  /** All tabs that are open, to be settled before the node stops. */
  rest(): PayerJob[]
  opened(peerId: string, hold: string, nowMs: number): void
  /** `isTooMuch` when the holder took clearly more than it is known to have computed: it gets no tab any more. */
  settled(peerId: string, capturedUnits: bigint): { readonly isTooMuch: boolean }
  failed(peerId: string, nowMs: number): void
  view(): readonly PayerTabView[]
}

export type PayerJob =
  | { readonly kind: 'open'; readonly peerId: string; readonly account: string; readonly amountUnits: bigint }
  | { readonly kind: 'settle'; readonly peerId: string; readonly account: string; readonly hold: string }

export type PayerTabView = {
  readonly peerId: string
  readonly account: string
  readonly owedUnits: string
  readonly paidUnits: string
  readonly hold: string | null
  readonly isDistrusted: boolean
}

type Debt = {
  readonly account: string
  owedUnits: bigint
  paidUnits: bigint
  hold: string | null
  openedMs: number
  isUnderWay: boolean
  isDistrusted: boolean
  failures: number
  retryMs: number
}

const holdersMax = 1024
/** Well before the coins would go back by themselves (`holdMs`, an hour). */
const settleAfterMs = 20 * 60_000
const settleAtPercent = 80n
const toleratedPercent = 10n
const retryFirstMs = 30_000
const retryDoublingsMax = 6

/** `tabUnits`: size of a tab; 0 pays nobody. */
export function createPayerTabs(tabUnits: bigint): PayerTabs {
  return new OwedTabs(tabUnits)
}

class OwedTabs implements PayerTabs {
  readonly #tabUnits: bigint
  readonly #debts = new Map<string, Debt>()

  constructor(tabUnits: bigint) {
    this.#tabUnits = tabUnits
  }

  note(peerId: string, { account, costUnits }: { account: string; costUnits: bigint }, nowMs: number): void {
    if (costUnits <= 0n) return
    const known = this.#debts.get(peerId)
    if (known?.account === account) known.owedUnits += costUnits
    else if (known === undefined || !isBusy(known)) {
      this.#debts.delete(peerId)
      this.#makeRoom()
      this.#debts.set(peerId, { ...noDebt, account, owedUnits: costUnits, retryMs: nowMs })
    }
  }

  due(nowMs: number): PayerJob[] {
    if (this.#tabUnits === 0n) return []
    const jobs: PayerJob[] = []
    for (const [peerId, debt] of this.#debts) {
      if (debt.isUnderWay || debt.isDistrusted || nowMs < debt.retryMs) continue
      const { account, hold } = debt
      if (hold === null && debt.owedUnits > 0n)
        jobs.push({ kind: 'open', peerId, account, amountUnits: this.#tabUnits })
      else if (hold !== null && this.#isFull(debt, nowMs)) jobs.push({ kind: 'settle', peerId, account, hold })
      else continue
      debt.isUnderWay = true
    }
    return jobs
  }

  rest(): PayerJob[] {
    return [...this.#debts].flatMap(([peerId, { account, hold }]) =>
      hold === null ? [] : [{ kind: 'settle' as const, peerId, account, hold }]
    )
  }

  opened(peerId: string, hold: string, nowMs: number): void {
    const debt = this.#debts.get(peerId)
    if (debt === undefined) return
    Object.assign(debt, { hold, openedMs: nowMs, isUnderWay: false, failures: 0 })
  }

  settled(peerId: string, capturedUnits: bigint): { isTooMuch: boolean } {
    const debt = this.#debts.get(peerId)
    if (debt === undefined) return { isTooMuch: false }
    const toleratedUnits = debt.owedUnits + (debt.owedUnits * toleratedPercent) / 100n + this.#tabUnits / 100n
    const isTooMuch = capturedUnits > toleratedUnits
    const owedUnits = capturedUnits > debt.owedUnits ? 0n : debt.owedUnits - capturedUnits
    Object.assign(debt, { hold: null, isUnderWay: false, failures: 0, owedUnits, isDistrusted: isTooMuch })
    debt.paidUnits += capturedUnits
    return { isTooMuch }
  }

  failed(peerId: string, nowMs: number): void {
    const debt = this.#debts.get(peerId)
    if (debt === undefined) return
    debt.isUnderWay = false
    debt.retryMs = nowMs + retryFirstMs * 2 ** Math.min(debt.failures, retryDoublingsMax)
    debt.failures++
    // A hold that cannot be settled goes back by itself; what is owed is tried with another.
    if (debt.failures > retryDoublingsMax) debt.hold = null
  }

  view(): readonly PayerTabView[] {
    return [...this.#debts].map(([peerId, { account, owedUnits, paidUnits, hold, isDistrusted }]) => {
      return { peerId, account, owedUnits: `${owedUnits}`, paidUnits: `${paidUnits}`, hold, isDistrusted }
    })
  }

  #isFull({ owedUnits, openedMs }: Debt, nowMs: number): boolean {
    return owedUnits * 100n >= this.#tabUnits * settleAtPercent || nowMs - openedMs >= settleAfterMs
  }

  /** Lets go of the one who is owed least and has no tab. */
  #makeRoom(): void {
    if (this.#debts.size < holdersMax) return
    let least: string | undefined
    for (const [peerId, debt] of this.#debts)
      if (!isBusy(debt) && (least === undefined || debt.owedUnits < this.#debts.get(least)!.owedUnits)) least = peerId
    this.#debts.delete(least ?? this.#debts.keys().next().value!)
  }
}

const noDebt = { paidUnits: 0n, hold: null, openedMs: 0, isUnderWay: false, isDistrusted: false, failures: 0 }

function isBusy({ hold, isUnderWay }: Debt): boolean {
  return hold !== null || isUnderWay
}
