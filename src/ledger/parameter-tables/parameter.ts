import { unitsPerCoin } from '../book/coins.ts'

/** A number that a vote can change: its unit is in its name, amounts are base units. */
export type Parameter = {
  readonly usual: bigint
  readonly min: bigint
  readonly max: bigint
  /** One line for people. */
  readonly purpose: string
}

export const hourMs = 3_600_000n
export const dayMs = 24n * hourMs
const amountsMax = 10n ** 18n

export function amount(usual: { readonly coins?: bigint; readonly thousandths?: bigint }, purpose: string): Parameter {
  const units = (usual.coins ?? 0n) * unitsPerCoin + ((usual.thousandths ?? 0n) * unitsPerCoin) / 1000n
  return { usual: units, min: 0n, max: amountsMax, purpose }
}

/** Never below a second: a period of nothing would never end. */
export function duration(usualMs: bigint, purpose: string): Parameter {
  return { usual: usualMs, min: 1000n, max: 366n * dayMs, purpose }
}

export function partsPerMillion(usual: bigint, purpose: string): Parameter {
  return { usual, min: 0n, max: 1_000_000n, purpose }
}

export function basisPoints(usual: bigint, purpose: string): Parameter {
  return { usual, min: 0n, max: 10_000n, purpose }
}

export function count(
  usual: bigint,
  limits: { readonly min: bigint; readonly max: bigint },
  purpose: string
): Parameter {
  return { usual, ...limits, purpose }
}
