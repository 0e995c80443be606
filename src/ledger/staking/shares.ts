import { share } from '../book/coins.ts'

/** Coins that several own by shares: a loss lowers what every share is worth, and nothing raises it but rounding. */
export type Shared = { readonly units: bigint; readonly shares: bigint }

/** A share that is worth less than this part of a base unit is no measure any more: nobody may buy in. */
const sharesPerUnitMax = 1_000_000n

export function isWorthless({ units, shares }: Shared): boolean {
  return shares > 0n && (units === 0n || shares / units >= sharesPerUnitMax)
}

/** Shares for coins that are paid in, rounded down. Of a worthless whole nothing can be bought. */
export function sharesFor({ units, shares }: Shared, paid: bigint): bigint {
  return shares === 0n ? paid : share(paid, shares, units)
}

/** What shares are worth, rounded down. */
export function worthOf({ units, shares }: Shared, owned: bigint): bigint {
  return shares === 0n ? 0n : share(owned, units, shares)
}

/** Shares that have to be given for coins that are taken out, rounded up: what is lost in rounding stays with the others. */
export function sharesToTake({ units, shares }: Shared, taken: bigint): bigint {
  return units === 0n ? 0n : (taken * shares + units - 1n) / units
}

/** What a loss of so many parts per million takes, rounded down. */
export function lossOf({ units }: Shared, ppm: bigint): bigint {
  return share(units, ppm > 1_000_000n ? 1_000_000n : ppm, 1_000_000n)
}
