import { share, tierMultipliers } from '../book/coins.ts'
import { eachCoin, type Impacts, impactOf } from './impacts.ts'
import type { GifterKind, MeterCoin, Specialisation } from './node.ts'

/** Classes of growth, by the coin that pays for it (seed 003, "TreasuryThresholds"). */
export const growthNames: Impacts<string> = {
  GEN: 'major',
  NEX: 'community',
  FLX: 'operational',
  AUR: 'premium'
}

/** What one class of nodes is used to, measured in a period. */
export type ClassLoad = {
  /** Used of what there is. */
  readonly loadPpm: number
  readonly activeNodes: number
}

export type ScalingInput = {
  readonly need: Impacts<ClassLoad>
  readonly treasury: Impacts<bigint>
  /** What the treasury got by the meter in the period. */
  readonly income: Impacts<bigint>
  readonly periodMs: number
  readonly parameters: {
    readonly loadPpm: number
    readonly nodesMax: number
    /** AUR base units for one node. */
    readonly costUnits: bigint
    readonly treasuryMin: Impacts<bigint>
    readonly returnMs: number
    readonly bonusPpm: number
  }
}

/** What the network offers to whoever gives a node: more of its incentives, by who gives it. */
export type GiftingPackage = Readonly<Record<GifterKind, number>>

export type ClassDecision = {
  readonly loadPpm: number
  readonly activeNodes: number
  /** How many are missing. */
  readonly nodes: number
  /** `treasury` pays for the next nodes that come, `gifting` offers them a package. */
  readonly strategy: 'none' | 'treasury' | 'gifting'
  /** Of one node, and of all that are missing, in base units of the class's coin. */
  readonly costEachUnits: bigint
  readonly costUnits: bigint
  readonly treasuryUnits: bigint
  readonly treasuryMinUnits: bigint
  /** What the missing nodes bring to the treasury, if each brings what one does now. */
  readonly expectedReturnUnits: bigint
  /** The return over the cost; null where the treasury pays nothing, which no ratio describes. */
  readonly returnPpm: bigint | null
  readonly bonus: GiftingPackage | null
}

const million = 1_000_000n
/** Nobody is asked to believe more: a class without any node would have no end. */
export const loadPpmMax = 10_000_000

/** Treasury-funded growth where the treasury can afford it and keeps its minimum, gifts where it cannot. Pure. */
export function decideScaling(input: ScalingInput): Impacts<ClassDecision> {
  return eachCoin(coin => decideClass(input, coin))
}

function decideClass({ need, treasury, income, periodMs, parameters }: ScalingInput, coin: MeterCoin): ClassDecision {
  const { loadPpm, activeNodes } = need[coin]
  const nodes = missingNodes(need[coin], parameters)
  const costEachUnits = parameters.costUnits / tierMultipliers[coin]
  const costUnits = costEachUnits * BigInt(nodes)
  const treasuryMinUnits = parameters.treasuryMin[coin]
  const expectedReturnUnits = share(
    income[coin] * BigInt(nodes),
    BigInt(parameters.returnMs),
    BigInt(Math.max(1, activeNodes)) * BigInt(periodMs)
  )
  const isAffordable = costUnits > 0n && treasury[coin] >= costUnits + treasuryMinUnits
  const strategy = nodes === 0 ? 'none' : isAffordable ? 'treasury' : 'gifting'
  return {
    loadPpm,
    activeNodes,
    nodes,
    strategy,
    costEachUnits,
    costUnits: strategy === 'treasury' ? costUnits : 0n,
    treasuryUnits: treasury[coin],
    treasuryMinUnits,
    expectedReturnUnits,
    returnPpm: strategy === 'treasury' ? share(expectedReturnUnits, million, costUnits) : null,
    bonus: strategy === 'gifting' ? packageOf(parameters.bonusPpm) : null
  }
}

/** As many more as bring the load down to the limit. */
function missingNodes({ loadPpm, activeNodes }: ClassLoad, parameters: ScalingInput['parameters']): number {
  if (loadPpm <= parameters.loadPpm) return 0
  const most = BigInt(parameters.nodesMax)
  const limit = BigInt(parameters.loadPpm)
  const over = BigInt(Math.min(loadPpm, loadPpmMax)) - limit
  const wanted = (BigInt(Math.max(1, activeNodes)) * over + limit - 1n) / limit
  return Number(wanted < most ? wanted : most)
}

/** The seed has packages for miners and for deployers; whoever validates is paid for that already, and gets half. */
function packageOf(bonusPpm: number): GiftingPackage {
  return { miner: bonusPpm, deployer: bonusPpm, validator: Math.floor(bonusPpm / 2) }
}

/** The class that a node of this specialisation adds to. */
export function classOf(specialisation: Specialisation): MeterCoin {
  return impactOf[specialisation]
}
