import { z } from 'zod'
import type { ErrorCode } from '../../errors/index.ts'
import { refuse } from '../payload.ts'

/** BLY is staked, paid and earned; the four others are what the seed's billing meter charges in. */
export const coins = ['BLY', 'GEN', 'NEX', 'FLX', 'AUR'] as const
export type Coin = (typeof coins)[number]

/** Base units of one coin, of every kind. */
export const unitsPerCoin = 10n ** 9n

/** What a coin of each tier is worth in the lowest (seed 003, "Four-Tier Token System"). */
export const tierMultipliers: Readonly<Record<Exclude<Coin, 'BLY'>, bigint>> = {
  GEN: 1000n,
  NEX: 100n,
  FLX: 10n,
  AUR: 1n
}

/** No amount has more digits: there cannot be more of any coin. */
const amountDigitsMax = 27
const usualAmount = /^[1-9][0-9]{0,26}$/

/** An amount in base units above zero, as a decimal string. Refuses with AMOUNT_*. */
export const positiveAmount = z
  .custom<string>(value => value !== undefined, 'missing')
  .superRefine((value, context) => {
    const code = faultOfAmount(value)
    if (code !== undefined) refuse(context, code, { amount: String(value).slice(0, 64) })
  })

export function isCoin(text: string): text is Coin {
  return (coins as readonly string[]).includes(text)
}

/** `amount * numerator / denominator`, rounded down: the one rounding of this ledger. */
export function share(amount: bigint, numerator: bigint, denominator: bigint): bigint {
  return (amount * numerator) / denominator
}

function faultOfAmount(value: unknown): ErrorCode | undefined {
  if (typeof value === 'string' && usualAmount.test(value)) return undefined
  const text = String(value)
  if (/^-[0-9.]+$/.test(text)) return 'AMOUNT_NEGATIVE'
  if (/^0+$/.test(text)) return 'AMOUNT_ZERO'
  if (/^[0-9]+\.[0-9]+$/.test(text)) return 'AMOUNT_FRACTIONAL'
  return /^[1-9][0-9]*$/.test(text) && text.length > amountDigitsMax ? 'AMOUNT_TOO_LARGE' : 'AMOUNT_INVALID'
}
