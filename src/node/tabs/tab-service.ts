import { BlyanError, isBlyanError } from '../../errors/index.ts'
import { type Hold, holdIdOf } from '../../ledger/index.ts'
import { type Network, protocolIds } from '../../net/index.ts'
import type { AnswerReport } from '../answers/answer-types.ts'
import type { Logger } from '../logging.ts'
import { type Bill, createPayeeTabs, type PayeeTabs, type PayeeTabView } from './payee-tabs.ts'
import { createPayerTabs, type PayerJob, type PayerTabs, type PayerTabView } from './payer-tabs.ts'
import type { TabLedger } from './tab-ledger.ts'
import { decodeTabAnswer, decodeTabRequest, encodeTabAnswer, encodeTabRequest, type TabAnswer } from './tab-wire.ts'

/** Pays holders for what they computed for answers of this node, and is paid for what it computed for others. */
export interface TabService {
  /** What an answer had computed by others; called at its end, also when it was cancelled. */
  noteAnswer(report: AnswerReport): void
  /** Whether a peer still has credit, or coins in its tab. */
  mayServe(peerId: string): boolean
  onServed(peerId: string, work: { readonly rows: number; readonly elapsedMs: number }): void
  /** Opens and settles what is due now; called now and then. */
  turn(): Promise<void>
  /** Settles what is open, as far as that is quick. */
  close(): Promise<void>
  view(): { readonly pays: readonly PayerTabView[]; readonly earns: readonly PayeeTabView[] }
}

export type TabServiceNeeds = {
  readonly network: Pick<Network, 'serve' | 'request'>
  readonly ledger: TabLedger
  /** Account of this node, as text. */
  readonly account: string
  readonly priceUnitsPer1000Rows: bigint
  /** Coins that are put aside for one holder at a time; 0 pays nobody. */
  readonly tabUnits: bigint
  /** Differs from that of the process before. */
  readonly session: string
  readonly nowMs: () => number
  readonly logger: Pick<Logger, 'info' | 'warn' | 'debug'>
}

const requestTimeoutMs = 25_000
const jobsAtOnceMax = 4
const closeTimeoutMs = 5000
/** A tab whose payer says nothing is billed this long before its coins would go back. */
const billBeforeMs = 10 * 60_000
const callsMax = 1_000_000_000n

/** Before the network starts: it serves `/blyan/tabs/1`. */
export function createTabService(needs: TabServiceNeeds): TabService {
  const service = new HoldBackedTabs(needs)
  needs.network.serve(protocolIds.tabs, (peerId, request) => service.serve(peerId, request))
  return service
}

class HoldBackedTabs implements TabService {
  readonly #needs: TabServiceNeeds
  readonly #payer: PayerTabs
  readonly #payee: PayeeTabs
  readonly #settling = new Map<string, Promise<bigint>>()

  constructor(needs: TabServiceNeeds) {
    this.#needs = needs
    this.#payer = createPayerTabs(needs.tabUnits)
    this.#payee = createPayeeTabs(needs)
  }

  noteAnswer({ holders }: AnswerReport): void {
    for (const { peerId, account, costUnits } of holders)
      if (account !== null && account !== this.#needs.account)
        this.#payer.note(peerId, { account, costUnits: BigInt(costUnits) }, this.#needs.nowMs())
  }

  mayServe(peerId: string): boolean {
    return this.#payee.mayServe(peerId, this.#heldUnits(this.#payee.holdOf(peerId)))
  }

  onServed(peerId: string, work: { rows: number; elapsedMs: number }): void {
    this.#payee.served(peerId, work)
  }

  async turn(): Promise<void> {
    const jobs = this.#payer.due(this.#needs.nowMs())
    for (let at = 0; at < jobs.length; at += jobsAtOnceMax)
      await Promise.all(jobs.slice(at, at + jobsAtOnceMax).map(job => this.#pay(job)))
    for (const { peerId, hold } of this.#payee.offers()) await this.#billIfLate(peerId, hold)
  }

  async close(): Promise<void> {
    const jobs = this.#payer.rest()
    const settled = Promise.all(jobs.map(job => this.#pay(job)))
    await Promise.race([settled, new Promise(resolve => setTimeout(resolve, closeTimeoutMs).unref())])
  }

  view(): { pays: readonly PayerTabView[]; earns: readonly PayeeTabView[] } {
    return { pays: this.#payer.view(), earns: this.#payee.view() }
  }

  /** What a payer asks of this node. */
  async serve(peerId: string, bytes: Uint8Array): Promise<Uint8Array> {
    const request = decodeTabRequest(bytes)
    try {
      const answer: TabAnswer =
        request.kind === 'open'
          ? { kind: 'hold', hold: await this.#offer(peerId, request) }
          : { kind: 'captured', units: await this.#capture(peerId, request.hold) }
      return encodeTabAnswer(answer)
    } catch (error) {
      this.#needs.logger.debug({ peerId, error }, 'a tab was refused')
      return encodeTabAnswer({ kind: 'refusal', reason: isBlyanError(error) ? error.code : 'INTERNAL' })
    }
  }

  async #pay(job: PayerJob): Promise<void> {
    const { logger, nowMs } = this.#needs
    try {
      if (job.kind === 'open') this.#payer.opened(job.peerId, await this.#open(job), nowMs())
      else await this.#settle(job)
    } catch (error) {
      this.#payer.failed(job.peerId, nowMs())
      const code = isBlyanError(error) ? error.code : 'INTERNAL'
      logger.info({ peerId: job.peerId, job: job.kind, code }, 'a tab with a holder of experts has to wait')
    }
  }

  async #open({ peerId, account, amountUnits }: PayerJob & { kind: 'open' }): Promise<string> {
    const { ledger, account: own } = this.#needs
    const answer = await this.#ask(peerId, encodeTabRequest({ kind: 'open', account: own, amountUnits }))
    if (answer.kind !== 'hold') throw refused(peerId, 'no hold was offered')
    const hold = await ledger.until(answer.hold, () => true)
    const isAsAsked =
      hold.payee === account && hold.payer === own && hold.coin === 'BLY' && BigInt(hold.quoted) === amountUnits
    if (!isAsAsked) throw refused(peerId, 'it offered another hold than was asked for')
    if (hold.status === 'quoted')
      await ledger.submit('hold-authorise', { hold: answer.hold, amount: amountUnits.toString() })
    return answer.hold
  }

  async #settle({ peerId, hold: id }: PayerJob & { kind: 'settle' }): Promise<void> {
    const { ledger, logger } = this.#needs
    if (ledger.hold(id)?.status === 'authorised') {
      const answer = await this.#ask(peerId, encodeTabRequest({ kind: 'settle', hold: id }))
      if (answer.kind !== 'captured') throw refused(peerId, 'it did not settle')
      await ledger.until(id, ({ status }) => status !== 'authorised')
    }
    const hold = ledger.hold(id)
    const capturedUnits = isPaid(hold) ? BigInt(hold.captured ?? 0) : 0n
    if (hold?.status === 'captured') await ledger.submit('hold-credit', { hold: id })
    const { isTooMuch } = this.#payer.settled(peerId, capturedUnits)
    if (isTooMuch)
      logger.warn(
        { peerId, hold: id },
        'a holder took more than it computed as far as is known: it gets no tab any more'
      )
    else logger.info({ peerId, hold: id, capturedUnits: `${capturedUnits}` }, 'settled with a holder of experts')
  }

  async #ask(peerId: string, request: Uint8Array): Promise<TabAnswer> {
    const answer = decodeTabAnswer(
      await this.#needs.network.request(peerId, protocolIds.tabs, request, requestTimeoutMs)
    )
    if (answer.kind === 'refusal') throw refused(peerId, answer.reason)
    return answer
  }

  async #offer(peerId: string, request: { account: string; amountUnits: bigint }): Promise<string> {
    const { ledger, account, priceUnitsPer1000Rows: price, nowMs } = this.#needs
    if (price === 0n || request.amountUnits === 0n || request.account === account)
      throw refused(peerId, 'nothing to be paid')
    const before = this.#payee.holdOf(peerId)
    const known = before === undefined ? undefined : ledger.hold(before)
    const isSame = known?.payer === request.account && known.quoted === request.amountUnits.toString()
    if (before !== undefined && isSame && (known?.status === 'quoted' || known?.status === 'authorised')) return before
    const key = this.#payee.nextKey(peerId, nowMs())
    if (key === undefined) throw refused(peerId, 'it was offered one a moment ago')
    const rows = (request.amountUnits * 1000n) / price + 1n
    const calls = Number(rows < callsMax ? rows : callsMax)
    await ledger.submit('hold-quote', {
      payer: request.account,
      coin: 'BLY',
      amount: request.amountUnits.toString(),
      service: { kind: 'inference', expert: null, calls },
      key
    })
    const hold = holdIdOf(account, key)
    this.#payee.offered(peerId, hold)
    return hold
  }

  /** Twice at a time is once. */
  #capture(peerId: string, hold: string): Promise<bigint> {
    if (this.#payee.holdOf(peerId) !== hold) return Promise.reject(refused(peerId, 'that is not its tab'))
    const running = this.#settling.get(hold) ?? this.#bill(peerId, hold).finally(() => this.#settling.delete(hold))
    this.#settling.set(hold, running)
    return running
  }

  async #bill(peerId: string, hold: string): Promise<bigint> {
    const { ledger } = this.#needs
    const bill: Bill = this.#payee.bill(peerId, this.#heldUnits(hold))
    const usage = { calls: bill.rows, amount: 0, responseMsTotal: bill.elapsedMs }
    if (bill.units > 0n) await ledger.submit('hold-capture', { hold, amount: bill.units.toString(), usage })
    else await ledger.submit('hold-fail', { hold, reason: 'nothing was computed' })
    this.#payee.paid(peerId, bill)
    return bill.units
  }

  async #billIfLate(peerId: string, hold: string): Promise<void> {
    const found = this.#needs.ledger.hold(hold)
    if (found?.status === 'quoted') return
    // Over without us: its coins went back, and what is unpaid goes on to the next tab.
    if (found?.status !== 'authorised') return this.#payee.paid(peerId, { units: 0n, rows: 0, elapsedMs: 0 })
    if (this.#needs.nowMs() < found.dueMs - billBeforeMs) return
    await this.#capture(peerId, hold).catch(error =>
      this.#needs.logger.debug({ peerId, hold, error }, 'a tab could not be billed')
    )
  }

  #heldUnits(hold: string | undefined): bigint {
    const found = hold === undefined ? undefined : this.#needs.ledger.hold(hold)
    return found?.status === 'authorised' ? BigInt(found.authorised ?? 0) : 0n
  }
}

function isPaid(hold: Hold | undefined): hold is Hold {
  return hold?.status === 'captured' || hold?.status === 'credited'
}

function refused(peer: string, reason: string): BlyanError {
  return new BlyanError('TAB_REFUSED', { peer, reason })
}
