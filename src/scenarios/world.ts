import type { Scenario } from './scenario.ts'
import type { Random } from './seeded-random.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

/** What everybody in a scenario sees. */
export type World = {
  readonly scenario: Scenario
  readonly network: SimulatedNetwork
  readonly random: Random
  /** Millionths of a dollar for one BLY, now. */
  blyMicroDollars: number
  /** What users ask for, in parts of what they asked for at first. */
  load: number
  /** 1 for the first. */
  period: number
}

const unitsPerBly = 1_000_000_000

/** Whole coins as a number, for what is measured and weighed; never for what is booked. */
export function coinsOf(units: bigint): number {
  return Number(units) / unitsPerBly
}

export function unitsOf(coins: number): bigint {
  return BigInt(Math.round(coins * unitsPerBly))
}

/** How often something happens that happens `mean` times on average: the whole part surely, the rest by chance. */
export function timesOf(random: Random, mean: number): number {
  const whole = Math.floor(mean)
  return whole + (random.next() < mean - whole ? 1 : 0)
}
