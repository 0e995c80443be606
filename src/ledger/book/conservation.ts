import { decodeCanonical } from '../../codec/index.ts'
import type { Genesis, State, StateMemory } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { balancePrefix } from './book.ts'
import { type Coin, coins } from './coins.ts'

/** Throws LEDGER_NOT_CONSERVED when the accounts that changed since `before` have more or less of a coin than they had. */
export function requireConserved(state: State, before: StateMemory): void {
  const sums = new Map<string, bigint>()
  for (const [key, bytes] of before) {
    if (!key.startsWith(balancePrefix)) continue
    const coin = coinOf(key)
    sums.set(coin, (sums.get(coin) ?? 0n) + unitsOf(state.bytesOf(key)) - unitsOf(bytes))
  }
  for (const [coin, change] of sums)
    if (change !== 0n) throw new BlyanError('LEDGER_NOT_CONSERVED', { coin, change: change.toString() })
}

/** Throws LEDGER_NOT_CONSERVED when all accounts together do not have exactly the supply of genesis. */
export function requireConservedInFull(state: State, genesis: Genesis): void {
  const sums = new Map<string, bigint>()
  for (const [key, bytes] of state.entries())
    if (key.startsWith(balancePrefix)) sums.set(coinOf(key), (sums.get(coinOf(key)) ?? 0n) + unitsOf(bytes))
  for (const coin of coins) {
    const change = (sums.get(coin) ?? 0n) - supplyOf(genesis, coin)
    if (change !== 0n) throw new BlyanError('LEDGER_NOT_CONSERVED', { coin, change: change.toString() })
  }
}

export function supplyOf(genesis: Genesis, coin: Coin): bigint {
  return BigInt(genesis.file.economy!.supply[coin])
}

function coinOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}

function unitsOf(bytes: Uint8Array | undefined): bigint {
  return bytes === undefined ? 0n : BigInt(decodeCanonical(bytes, { sizeBytesMax: 64 }) as string)
}
