import { bytesEqual, bytesToHex, concatBytes, hexToBytes, sha256 } from '../codec/index.ts'
import type { StateView } from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'

/*
 * Chance that nobody chooses: every observation opens the lot that its author laid down (as a hash) with the one before,
 * and lays down the next. What is opened is mixed into the state. Who opens last can keep its lot back, and nothing more.
 */
const mixKey = 'lots/mix'
const lotKey = (author: string): string => `lot/${author}`
const text = new TextEncoder()

type StoredLot = { readonly hash: Uint8Array; readonly number: number }

export type Lot = {
  /** Hash that was laid down, hex. */
  readonly hash: string
  /** 1 for the first of its author: from it and its key a node makes its lots, and need not keep them. */
  readonly number: number
}

/** What an author laid down last. */
export function lotOf(state: StateView, author: string): Lot | undefined {
  const laid = state.get(lotKey(author)) as StoredLot | undefined
  return laid === undefined ? undefined : { hash: bytesToHex(laid.hash), number: laid.number }
}

/** Throws OBSERVATION_LOT_WRONG when `opens` (hex, empty for a first one) is not what was laid down. */
export function openLot(
  state: StateView,
  author: string,
  given: { readonly opens: string; readonly lot: string }
): void {
  const laid = state.get(lotKey(author)) as StoredLot | undefined
  const opened = given.opens === '' ? undefined : hexToBytes(given.opens)!
  const isRight =
    laid === undefined ? opened === undefined : opened !== undefined && bytesEqual(sha256(opened), laid.hash)
  if (!isRight) throw new BlyanError('OBSERVATION_LOT_WRONG')
  if (opened !== undefined) state.set(mixKey, sha256(concatBytes(mixOf(state), opened)))
  const next: StoredLot = { hash: hexToBytes(given.lot)!, number: (laid?.number ?? 0) + 1 }
  state.set(lotKey(author), next)
}

/** A whole number from 0 to below `limit`, the same at every node, for one purpose. */
export function drawBelow(state: StateView, purpose: string, limit: bigint): bigint {
  const digest = sha256(concatBytes(mixOf(state), text.encode(purpose)))
  return BigInt(`0x${bytesToHex(digest)}`) % limit
}

function mixOf(state: StateView): Uint8Array {
  return (state.get(mixKey) as Uint8Array | undefined) ?? new Uint8Array(32)
}
