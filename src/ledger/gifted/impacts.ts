import { type Coin, share, tierMultipliers } from '../book/coins.ts'
import { type GiftedNode, type MeterCoin, meterCoins, type Resources, type Specialisation } from './node.ts'
import { least } from './resources.ts'
import { uptimeFactor } from './uptime.ts'

/** One number for each coin: governance (GEN), community (NEX), operations (FLX), premium (AUR). */
export type Impacts<Value> = Readonly<Record<MeterCoin, Value>>

/** What of each impact's value is paid in its coin (seed 003, "process_gifted_node_incentives"). */
const incentivePpm: Impacts<bigint> = { GEN: 100_000n, NEX: 300_000n, FLX: 500_000n, AUR: 100_000n }

/** The impact that a node is made for counts in full, the others by half. */
export const impactOf: Readonly<Record<Specialisation, MeterCoin>> = {
  core: 'GEN',
  notary: 'NEX',
  registry: 'FLX',
  cluster: 'FLX',
  parachain: 'AUR'
}

const million = 1_000_000n
const pointsMax = 1000

export type Contribution = {
  /** What it has, each the least of what was claimed and what was found. */
  readonly resources: Resources
  readonly specialisation: Specialisation
  readonly committedPpm: number
  readonly uptimePpm: number
  /** Time in the period in which it was registered, of the period's length. */
  readonly spanMs: number
  readonly lengthMs: number
  /** Base units that it was paid by the meter. */
  readonly served: Impacts<string>
  readonly bonusPpm: number
}

export type ContributionValue = {
  readonly points: Impacts<number>
  readonly factorPpm: number
  /** AUR base units. */
  readonly value: Impacts<bigint>
  /** Base units of each coin. */
  readonly wanted: Impacts<bigint>
}

export function eachCoin<Value>(of: (coin: MeterCoin) => Value): Record<MeterCoin, Value> {
  return Object.fromEntries(meterCoins.map(coin => [coin, of(coin)])) as Record<MeterCoin, Value>
}

/** What a node gave in a period, and what it earns by it. */
export function valueOfGift(
  contribution: Contribution,
  price: { readonly pointUnits: bigint; readonly servedPpm: bigint }
): ContributionValue {
  const { resources, specialisation, committedPpm, uptimePpm, spanMs, lengthMs, served, bonusPpm } = contribution
  const points = pointsOf(resources, specialisation)
  const factorPpm = uptimeFactor(uptimePpm, committedPpm)
  const value = eachCoin(coin => {
    const time = BigInt(factorPpm) * BigInt(spanMs)
    const given = share(BigInt(points[coin]) * price.pointUnits, time, million * BigInt(lengthMs))
    return given + share(BigInt(served[coin]) * tierMultipliers[coin], price.servedPpm, million)
  })
  const wanted = eachCoin(coin =>
    share(value[coin] * incentivePpm[coin], million + BigInt(bonusPpm), million * million * tierMultipliers[coin])
  )
  return { points, factorPpm, value, wanted }
}

/** The lesser of what was claimed and what was found, of each; of its connections, which nobody can promise, what was found. */
export function countedResources({ claimed, leastMeasured }: GiftedNode): Resources {
  const { peers, roundTripMs } = leastMeasured
  return { ...least(claimed, leastMeasured), peers, roundTripMs }
}

/** Whole points, at most 1000 of each kind: a giant is no substitute for many. */
export function pointsOf(resources: Resources, specialisation: Specialisation): Impacts<number> {
  const { cores, megaflops, memoryBytes, diskFreeBytes, diskWriteBytesPerSecond, peers, roundTripMs } = resources
  const compute = capped(10 * cores + Math.floor(megaflops / 100))
  const memory = capped(Math.floor(memoryBytes / 2 ** 28))
  const storage = capped(Math.floor(diskFreeBytes / 2 ** 33) + Math.floor(diskWriteBytesPerSecond / 2 ** 24))
  const network = capped(peers + (roundTripMs === null ? 0 : Math.floor(10_000 / (roundTripMs + 100))))
  const raw: Impacts<number> = {
    GEN: compute,
    NEX: memory + storage,
    FLX: compute + memory + network,
    AUR: network
  }
  return eachCoin(coin => (impactOf[specialisation] === coin ? raw[coin] : Math.floor(raw[coin] / 2)))
}

function capped(points: number): number {
  return Math.min(points, pointsMax)
}

/** What amounts of the four coins are worth together, in AUR base units. */
export function aurumValue(amounts: Impacts<bigint>): bigint {
  return meterCoins.reduce((sum, coin) => sum + amounts[coin] * tierMultipliers[coin as Exclude<Coin, 'BLY'>], 0n)
}
