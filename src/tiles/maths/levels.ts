/**
 * Values in two bits: a sign and one of two magnitudes, which each chunk has for itself. A magnitude is a byte: the largest one
 * of the tile divided by 2^(byte / 8), from 0 to 254; 255 is zero.
 */
export const zeroLevel = 255

/** 2^(-i/8), written out: Math.pow may differ between machines in its last bit. */
const eighths = [
  1,
  0.9170040432046712,
  0.8408964152537145,
  0.7711054127039704,
  Math.SQRT1_2,
  0.6484197773255048,
  0.5946035575013605,
  0.5452538663326288
] as const
const shares = Float64Array.from({ length: zeroLevel }, (_, code) => {
  let share: number = eighths[code % 8]!
  for (let halvings = Math.floor(code / 8); halvings > 0; halvings--) share /= 2
  return share
})

/** The magnitude, rounded to fp32. */
export function levelOf(top: number, code: number): number {
  return code === zeroLevel ? 0 : Math.fround(top * shares[code]!)
}

/** The nearest code of a magnitude up to `top`. */
export function codeOfLevel(top: number, magnitude: number): number {
  if (!(magnitude > 0)) return zeroLevel
  const share = magnitude / top
  if (share < shares[zeroLevel - 1]! / 2) return zeroLevel
  let low = 0
  let high = zeroLevel - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (share >= (shares[middle]! + shares[middle + 1]!) / 2) high = middle
    else low = middle + 1
  }
  return low
}

/** The means of the magnitudes above and not above their mean: what loses least with one pass. */
export function meansOf(magnitudes: Float64Array): {
  readonly low: number
  readonly high: number
  readonly mean: number
} {
  let sum = 0
  for (let at = 0; at < magnitudes.length; at++) sum += magnitudes[at]!
  const mean = magnitudes.length === 0 ? 0 : sum / magnitudes.length
  let lowSum = 0
  let lowCount = 0
  for (let at = 0; at < magnitudes.length; at++) {
    const magnitude = magnitudes[at]!
    if (magnitude > mean) continue
    lowSum += magnitude
    lowCount++
  }
  const highCount = magnitudes.length - lowCount
  const low = lowCount === 0 ? mean : lowSum / lowCount
  return { low, high: highCount === 0 ? low : (sum - lowSum) / highCount, mean }
}
