/** What is measured of a device. */
export type DeviceFigures = {
  /** Memory of its own; 0 for a processor, which shares the machine's. */
  readonly videoMemoryBytes: number
  readonly teraflopsPerSecond: number
  /** How fast numbers get to where it computes. */
  readonly transferBytesPerSecond: number
}

export type DeviceScore = {
  readonly score: number
  /** 0, the smallest, to 9. */
  readonly tier: number
}

const tierMax = 9
const scorePerTier = 10
const gibibyte = 2 ** 30
const gigabyte = 1e9

/** The seed's formula over what was measured, to three decimals. One tier for every ten points. */
export function scoreDevice(figures: DeviceFigures): DeviceScore {
  const { videoMemoryBytes, teraflopsPerSecond, transferBytesPerSecond } = figures
  const points =
    (videoMemoryBytes / gibibyte) * 0.5 + teraflopsPerSecond * 2 + (transferBytesPerSecond / gigabyte) * 0.2
  const score = Math.round(points * 1000) / 1000
  return { score, tier: Math.min(tierMax, Math.floor(score / scorePerTier)) }
}
