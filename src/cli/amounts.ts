import { BlyanError } from '../errors/index.ts'

/** A coin has this many decimals: its smallest part is one base unit. */
const decimals = 9
const wholeDigitsMax = 18

/**
 * Base units of an amount that a person wrote in whole coins, such as `12.5`.
 * Throws AMOUNT_NEGATIVE, AMOUNT_FRACTIONAL (a part below the base unit), AMOUNT_TOO_LARGE, AMOUNT_INVALID.
 */
export function parseCoins(text: string): bigint {
  const amount = text.slice(0, 64)
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)
  if (parts === null) throw new BlyanError('AMOUNT_INVALID', { amount })
  const [, sign, whole, fraction = ''] = parts as unknown as [string, string, string, string?]
  if (sign === '-') throw new BlyanError('AMOUNT_NEGATIVE', { amount })
  const needed = fraction.replace(/0+$/, '')
  if (needed.length > decimals) throw new BlyanError('AMOUNT_FRACTIONAL', { amount })
  if (whole.replace(/^0+/, '').length > wholeDigitsMax) throw new BlyanError('AMOUNT_TOO_LARGE', { amount })
  return BigInt(whole + needed.padEnd(decimals, '0'))
}

/** `12.5 BLY` of base units, whole coins without a point. */
export function formatCoins(units: bigint | string, coin: string): string {
  const value = BigInt(units)
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, '0')
  const fraction = digits.slice(-decimals).replace(/0+$/, '')
  const whole = digits.slice(0, -decimals)
  return `${value < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`} ${coin}`
}
