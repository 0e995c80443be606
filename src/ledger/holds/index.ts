import type { z } from 'zod'
import type { EventHandler, Genesis } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { move, systemAccounts } from '../book/book.ts'
import { share } from '../book/coins.ts'
import { type LedgerInput, ledgerHandler } from '../book/ledger-handler.ts'
import { requireMeterCapture, requireMeterQuote } from '../gifted/meter.ts'
import { numberOf, parameterOf } from '../parameters.ts'
import { closeHold, credit, scheduled } from './closing.ts'
import { type Hold, holdIdOf, isOver, readHold, requireHold, writeHold } from './hold.ts'
import { authorisePayload, capturePayload, creditPayload, endPayload, quotePayload } from './payloads.ts'

export { holdDue, holdIsDue } from './closing.ts'
export { type Hold, type HoldStatus, holdIdOf, holdPrefix, readHold } from './hold.ts'

const million = 1_000_000n

/** `hold-quote`, `hold-authorise`, `hold-capture`, `hold-credit`, `hold-fail` and `hold-reverse`. */
export function holdHandlers(genesis: Genesis): EventHandler[] {
  const event = <Schema extends z.ZodType>(
    type: string,
    purpose: string,
    schema: Schema,
    apply: (input: LedgerInput, payload: z.output<Schema>) => void
  ): EventHandler => ledgerHandler({ type, purpose, genesis, schema, apply })
  return [
    event('hold-quote', 'offers a service at a price', quotePayload, quote),
    event('hold-authorise', 'has the coins of a quote held for its payee', authorisePayload, authorise),
    event('hold-capture', 'says that the service was delivered', capturePayload, capture),
    event('hold-credit', 'pays the payee, the rest goes back', creditPayload, creditCaptured),
    event('hold-fail', 'gives the coins back: the service cannot be delivered', endPayload, fail),
    event('hold-reverse', 'gives the coins back after the service was delivered', endPayload, reverse)
  ]
}

function quote(input: LedgerInput, payload: z.output<typeof quotePayload>): void {
  const { state, genesis, author, timestampMs } = input
  const { payer, coin, amount, service, key } = payload
  const id = holdIdOf(author, key)
  if (payer === author) throw new BlyanError('HOLD_TO_SELF')
  if (readHold(state, id) !== undefined) throw new BlyanError('HOLD_KEY_USED', { key, hold: id })
  const hold: Hold = {
    status: 'quoted',
    payee: author,
    payer,
    coin,
    quoted: amount,
    authorised: null,
    captured: null,
    service,
    usage: null,
    key,
    reason: '',
    quotedAtMs: timestampMs,
    changedAtMs: timestampMs,
    dueMs: timestampMs + numberOf(state, genesis, 'quoteMs')
  }
  requireMeterQuote(state, genesis, hold)
  writeHold(state, id, scheduled(state, id, hold))
}

function authorise(input: LedgerInput, { hold: id, amount }: z.output<typeof authorisePayload>): void {
  const { state, genesis, author, timestampMs } = input
  const hold = requireHold(state, id)
  if (author === hold.payee) throw new BlyanError('HOLD_TO_SELF')
  if (hold.status === 'authorised' || hold.status === 'captured')
    throw new BlyanError('HOLD_ALREADY_AUTHORISED', { hold: id })
  // The agenda acts after the events of a commit: what is due now is not done yet.
  const isLate = hold.status === 'quoted' && timestampMs >= hold.dueMs
  if (isLate || (hold.status === 'expired' && hold.authorised === null))
    throw new BlyanError('HOLD_QUOTE_EXPIRED', { hold: id })
  requireOpen(id, hold)
  if (hold.payer !== null && hold.payer !== author) throw new BlyanError('HOLD_NOT_PAYER', { hold: id })
  const units = BigInt(amount)
  const quoted = BigInt(hold.quoted)
  const distance = units > quoted ? units - quoted : quoted - units
  if (distance > share(quoted, parameterOf(state, genesis, 'priceTolerancePpm'), million))
    throw new BlyanError('HOLD_PRICE_MISMATCH', { hold: id, amount, quoted: hold.quoted })
  move(state, author, systemAccounts.escrow, hold.coin, units)
  const changed: Hold = {
    ...hold,
    status: 'authorised',
    payer: author,
    authorised: amount,
    changedAtMs: timestampMs,
    dueMs: timestampMs + numberOf(state, genesis, 'holdMs')
  }
  writeHold(state, id, scheduled(state, id, changed))
}

function capture(input: LedgerInput, { hold: id, amount, usage }: z.output<typeof capturePayload>): void {
  const { state, genesis, timestampMs } = input
  const hold = requireHeld(input, id)
  requirePayee(input, id, hold)
  if (hold.status === 'captured') throw new BlyanError('HOLD_ALREADY_CAPTURED', { hold: id })
  if (BigInt(amount) > BigInt(hold.authorised!))
    throw new BlyanError('HOLD_CAPTURE_TOO_LARGE', { hold: id, amount, authorised: hold.authorised! })
  const quotedCalls = BigInt(hold.service.calls)
  const callsMax = quotedCalls + share(quotedCalls, parameterOf(state, genesis, 'priceTolerancePpm'), million)
  if (BigInt(usage.calls) > callsMax) throw new BlyanError('HOLD_USAGE_MISMATCH', { hold: id, calls: usage.calls })
  requireMeterCapture(state, genesis, hold, BigInt(amount), usage)
  writeHold(state, id, { ...hold, status: 'captured', captured: amount, usage, changedAtMs: timestampMs })
}

function creditCaptured(input: LedgerInput, { hold: id }: z.output<typeof creditPayload>): void {
  const { state, genesis, author, timestampMs } = input
  const hold = requireHeld(input, id)
  if (author !== hold.payee && author !== hold.payer) throw new BlyanError('HOLD_NOT_PARTY', { hold: id })
  if (hold.status === 'authorised') throw new BlyanError('HOLD_NOT_CAPTURED', { hold: id })
  credit({ state, genesis, nowMs: timestampMs }, id, hold)
}

/** Before delivery: also takes a quote back. */
function fail(input: LedgerInput, { hold: id, reason }: z.output<typeof endPayload>): void {
  const { state, genesis, timestampMs } = input
  const hold = requireInTime(input, id)
  requirePayee(input, id, hold)
  if (hold.status === 'captured') throw new BlyanError('HOLD_ALREADY_CAPTURED', { hold: id })
  closeHold({ state, genesis, nowMs: timestampMs }, id, hold, { status: 'failed', reason })
}

/** After delivery: what was captured is given back, all of it. */
function reverse(input: LedgerInput, { hold: id, reason }: z.output<typeof endPayload>): void {
  const { state, genesis, timestampMs } = input
  const hold = requireHeld(input, id)
  requirePayee(input, id, hold)
  if (hold.status === 'authorised') throw new BlyanError('HOLD_NOT_CAPTURED', { hold: id })
  closeHold({ state, genesis, nowMs: timestampMs }, id, hold, { status: 'reversed', reason })
}

/** A hold that is neither over nor late. */
function requireInTime({ state, timestampMs }: LedgerInput, id: string): Hold {
  const hold = requireHold(state, id)
  if (hold.status === 'expired')
    throw new BlyanError(hold.authorised === null ? 'HOLD_QUOTE_EXPIRED' : 'HOLD_EXPIRED', { hold: id })
  requireOpen(id, hold)
  if (timestampMs < hold.dueMs || hold.status === 'captured') return hold
  throw new BlyanError(hold.status === 'quoted' ? 'HOLD_QUOTE_EXPIRED' : 'HOLD_EXPIRED', { hold: id })
}

/** One whose coins are in escrow. */
function requireHeld(input: LedgerInput, id: string): Hold {
  const hold = requireInTime(input, id)
  if (hold.status === 'quoted') throw new BlyanError('HOLD_NOT_AUTHORISED', { hold: id })
  return hold
}

function requireOpen(id: string, hold: Hold): void {
  if (isOver(hold)) throw new BlyanError('HOLD_CLOSED', { hold: id, status: hold.status })
}

function requirePayee({ author }: LedgerInput, id: string, hold: Hold): void {
  if (author !== hold.payee) throw new BlyanError('HOLD_NOT_PAYEE', { hold: id, payee: hold.payee })
}
