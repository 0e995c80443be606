import type { CallMode, Holdings, RequestTally } from '../routing-types.ts'

type Share = { account: string | null; calls: number; rows: number; costThousandths: bigint }

/** Requests whose accounts are open at once; the oldest one gives way. */
const requestsMax = 4096

/** What each holder did for each request: only answers that were used count. */
export class RequestTallies {
  readonly #requests = new Map<string, { readonly mode: CallMode; readonly shares: Map<string, Share> }>()

  begin(requestId: string, mode: CallMode): void {
    if (this.#requests.size >= requestsMax) this.#requests.delete(this.#requests.keys().next().value!)
    this.#requests.set(requestId, { mode, shares: new Map() })
  }

  modeOf(requestId: string): CallMode | undefined {
    return this.#requests.get(requestId)?.mode
  }

  /** One answered call of a holder, at the price it told. */
  note(call: {
    readonly peerId: string
    readonly rowsOfRequest: ReadonlyMap<string, number>
    readonly holdings: Pick<Holdings, 'account' | 'priceUnitsPer1000Rows'> | undefined
  }): void {
    const { peerId, rowsOfRequest, holdings } = call
    for (const [requestId, rows] of rowsOfRequest) {
      const shares = this.#requests.get(requestId)?.shares
      if (shares === undefined) continue
      const share = shares.get(peerId) ?? { account: null, calls: 0, rows: 0, costThousandths: 0n }
      share.account = holdings?.account ?? share.account
      share.calls++
      share.rows += rows
      share.costThousandths += BigInt(rows) * (holdings?.priceUnitsPer1000Rows ?? 0n)
      shares.set(peerId, share)
    }
  }

  of(requestId: string): RequestTally[] {
    const shares = this.#requests.get(requestId)?.shares ?? new Map<string, Share>()
    return [...shares].map(([peerId, { account, calls, rows, costThousandths }]) => ({
      peerId,
      account,
      calls,
      rows,
      costUnits: (costThousandths + 999n) / 1000n
    }))
  }

  end(requestId: string): RequestTally[] {
    const last = this.of(requestId)
    this.#requests.delete(requestId)
    return last
  }
}
