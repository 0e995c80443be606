import { bytesToHex, type CanonicalValue, sha256 } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { Coin } from '../book/coins.ts'

/** What is paid for. */
export type Service = {
  readonly kind: string
  /** Part of the model that serves, which earns by its use; null where none does. */
  readonly expert: string | null
  /** How many calls the quote is for. */
  readonly calls: number
  /** How much of what its kind is metered by (src/ledger/gifted/meter.ts); 0 where that is nothing. */
  readonly amount: number
}

/** What was delivered. */
export type Usage = { readonly calls: number; readonly amount: number; readonly responseMsTotal: number }

/**
 * `quoted` -> `authorised` (coins in escrow) -> `captured` (delivered) -> `credited`. On the way it ends as `failed` (the
 * payee cannot deliver), `reversed` (the payee gives back what was delivered) or `expired` (nobody went on in time).
 */
export type HoldStatus = 'quoted' | 'authorised' | 'captured' | 'credited' | 'failed' | 'reversed' | 'expired'

export type Hold = {
  readonly status: HoldStatus
  readonly payee: string
  /** Null while anybody may authorise it. */
  readonly payer: string | null
  readonly coin: Coin
  /** Base units, as decimal strings: what was asked, what is or was held, what the payee gets of it. */
  readonly quoted: string
  readonly authorised: string | null
  readonly captured: string | null
  readonly service: Service
  readonly usage: Usage | null
  /** Of the payee: the same key makes the same hold. */
  readonly key: string
  /** Why it failed or was reversed; empty when nobody said. */
  readonly reason: string
  readonly quotedAtMs: number
  /** Time of the last change. */
  readonly changedAtMs: number
  /** When something happens to it without an event: it expires, is credited, or is forgotten. */
  readonly dueMs: number
}

export const holdPrefix = 'hold/'
const idBytes = 16

/** Known before the quote is ordered, to both sides. */
export function holdIdOf(payee: string, key: string): string {
  return bytesToHex(sha256(new TextEncoder().encode(`blyan/hold/1/${payee}/${key}`)).subarray(0, idBytes))
}

function holdKey(id: string): string {
  return `${holdPrefix}${id}`
}

export function readHold(state: StateView, id: string): Hold | undefined {
  return state.get(holdKey(id)) as Hold | undefined
}

/** Throws HOLD_UNKNOWN. */
export function requireHold(state: StateView, id: string): Hold {
  const hold = readHold(state, id)
  if (hold === undefined) throw new BlyanError('HOLD_UNKNOWN', { hold: id })
  return hold
}

export function writeHold(state: StateView, id: string, hold: Hold): void {
  state.set(holdKey(id), hold as unknown as CanonicalValue)
}

export function forgetHold(state: StateView, id: string): void {
  state.delete(holdKey(id))
}

export function isOver({ status }: Hold): boolean {
  return status !== 'quoted' && status !== 'authorised' && status !== 'captured'
}
