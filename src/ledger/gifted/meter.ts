import type { Genesis, StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { move, systemAccounts } from '../book/book.ts'
import { type Coin, share, tierMultipliers } from '../book/coins.ts'
import { type ParameterName, parameterOf } from '../parameters.ts'
import { type GiftedNode, type MeterCoin, noneServed, readGifted, writeGifted } from './node.ts'

type Tariff = {
  readonly coin: MeterCoin
  readonly callPrice: ParameterName
  readonly amountPrice: ParameterName
  /** What `amount` counts. */
  readonly amountOf: string
}

/** What is charged in which coin (seed 003, "Real Coin Charging System"); whatever has no tariff of its own is `other`. */
export const tariffs = {
  transaction: {
    coin: 'FLX',
    callPrice: 'meterTransactionCallUnits',
    amountPrice: 'meterTransactionAmountUnits',
    amountOf: 'KiB'
  },
  consensus: {
    coin: 'GEN',
    callPrice: 'meterConsensusCallUnits',
    amountPrice: 'meterConsensusAmountUnits',
    amountOf: 'seconds of computing'
  },
  storage: {
    coin: 'NEX',
    callPrice: 'meterStorageCallUnits',
    amountPrice: 'meterStorageAmountUnits',
    amountOf: 'MiB days'
  },
  'cross-border': {
    coin: 'AUR',
    callPrice: 'meterCrossBorderCallUnits',
    amountPrice: 'meterCrossBorderAmountUnits',
    amountOf: 'KiB'
  },
  other: {
    coin: 'FLX',
    callPrice: 'meterOtherCallUnits',
    amountPrice: 'meterOtherAmountUnits',
    amountOf: 'seconds of computing'
  }
} as const satisfies Record<string, Tariff>
export type MeteredKind = keyof typeof tariffs

export type Metered = { readonly calls: number; readonly amount: number }
export type MeterQuote = {
  readonly coin: MeterCoin
  readonly units: bigint
  /** The same in the lowest tier, by the multipliers. */
  readonly aurumUnits: bigint
}

/** What the meter has to know of a hold. */
type MeteredHold = {
  readonly payee: string
  readonly coin: Coin
  readonly service: Metered & { readonly kind: string }
  readonly usage: Metered | null
}

const million = 1_000_000n
/** No count goes beyond: sums of them stay exact. */
const callsMax = 2 ** 40

export function isMetered(kind: string): kind is MeteredKind {
  return Object.hasOwn(tariffs, kind)
}

/** What a service costs: calls and amount, each at its price. */
export function quoteOf(state: StateView, genesis: Genesis, kind: MeteredKind, { calls, amount }: Metered): MeterQuote {
  const { coin, callPrice, amountPrice } = tariffs[kind]
  const units =
    BigInt(calls) * parameterOf(state, genesis, callPrice) + BigInt(amount) * parameterOf(state, genesis, amountPrice)
  return { coin, units, aurumUnits: units * tierMultipliers[coin] }
}

/**
 * A metered service is offered by a gifted node that serves, in its coin, at its price; every other service is left to
 * whoever agrees on it. Throws METER_NOT_GIFTED, METER_COIN_WRONG, METER_PRICE_WRONG.
 */
export function requireMeterQuote(
  state: StateView,
  genesis: Genesis,
  hold: MeteredHold & { readonly quoted: string }
): void {
  const { kind } = hold.service
  if (!isMetered(kind)) return
  if (readGifted(state, hold.payee)?.isActive !== true) throw new BlyanError('METER_NOT_GIFTED', { service: kind })
  const { coin, units } = quoteOf(state, genesis, kind, hold.service)
  if (hold.coin !== coin) throw new BlyanError('METER_COIN_WRONG', { service: kind, coin: hold.coin, expected: coin })
  if (BigInt(hold.quoted) !== units)
    throw new BlyanError('METER_PRICE_WRONG', { service: kind, amount: hold.quoted, price: units.toString(), coin })
}

/** No more is captured than what was delivered costs. Throws METER_PRICE_WRONG, METER_USAGE_MISMATCH. */
export function requireMeterCapture(
  state: StateView,
  genesis: Genesis,
  hold: MeteredHold,
  captured: bigint,
  usage: Metered
): void {
  const { kind, amount } = hold.service
  if (!isMetered(kind)) return
  const tolerance = share(BigInt(amount), parameterOf(state, genesis, 'priceTolerancePpm'), million)
  if (BigInt(usage.amount) > BigInt(amount) + tolerance)
    throw new BlyanError('METER_USAGE_MISMATCH', { amount: usage.amount, quoted: amount })
  const { coin, units } = quoteOf(state, genesis, kind, usage)
  if (captured > units)
    throw new BlyanError('METER_PRICE_WRONG', {
      service: kind,
      amount: captured.toString(),
      price: units.toString(),
      coin
    })
}

/**
 * Called when a captured hold is credited: takes the treasury's share of a metered payment from what is held, and counts
 * for the node what it served. Returns what is left for the payee.
 */
export function meterCredit(state: StateView, genesis: Genesis, hold: MeteredHold, captured: bigint): bigint {
  const { kind } = hold.service
  if (!isMetered(kind)) return captured
  const { coin } = tariffs[kind]
  const toTreasury = share(captured, parameterOf(state, genesis, 'meterTreasuryPpm'), million)
  move(state, systemAccounts.escrow, systemAccounts.treasury, coin, toTreasury)
  noteIncome(state, coin, toTreasury)
  const node = readGifted(state, hold.payee)
  if (node !== undefined) {
    const served = { ...node.served, [coin]: (BigInt(node.served[coin]) + captured).toString() }
    const calls = { ...node.calls, [coin]: Math.min(callsMax, node.calls[coin] + (hold.usage?.calls ?? 0)) }
    writeGifted(state, { ...node, served, calls })
  }
  return captured - toTreasury
}

const incomeKey = 'gifted/income'
/** What the treasury got by the meter in the period that runs. */
export function meterIncome(state: StateView): GiftedNode['served'] {
  return (state.get(incomeKey) as GiftedNode['served'] | undefined) ?? noneServed
}

export function clearIncome(state: StateView): void {
  state.delete(incomeKey)
}

function noteIncome(state: StateView, coin: MeterCoin, units: bigint): void {
  const income = meterIncome(state)
  state.set(incomeKey, { ...income, [coin]: (BigInt(income[coin]) + units).toString() })
}
