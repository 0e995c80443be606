import {
  balanceOf,
  giftedNodes,
  peerProof,
  type Resources,
  readGifted,
  specialisationCapacities
} from '../../ledger/index.ts'
import { type Participant, participant } from '../participant.ts'
import type { Scenario } from '../scenario.ts'
import type { Random } from '../seeded-random.ts'
import type { GenesisHolder } from '../simulated-genesis.ts'
import { unitsOf, type World } from '../world.ts'

const startUnits = unitsOf(1000)
/** What a node says it can do in a period. */
const callsPerPeriod = 5000
const uses = ['core', 'notary', 'registry', 'cluster', 'parachain'] as const

type Gift = {
  readonly account: Participant
  readonly use: (typeof uses)[number]
  readonly resources: Resources
  stage: 'waiting' | 'in' | 'left'
}

/** Those who give nodes to the network, and the nodes they gave. */
export class Gifters {
  readonly #scenario: Scenario
  readonly #all: readonly Gift[]
  #cameCount = 0

  constructor(scenario: Scenario, random: Random) {
    this.#scenario = scenario
    const { count, waiting } = scenario.gifted
    this.#all = Array.from({ length: count + waiting }, (_, place) => ({
      account: participant(`gifted node ${place + 1}`),
      use: uses[place % uses.length]!,
      resources: resourcesOf(2 ** random.below(4)),
      stage: 'waiting'
    }))
  }

  get holders(): readonly GenesisHolder[] {
    return this.#all.map(({ account }) => ({ account, units: startUnits, hasCoins: false }))
  }

  /** Accounts of the nodes that serve. */
  get serving(): readonly Participant[] {
    return this.#all.filter(({ stage }) => stage === 'in').map(({ account }) => account)
  }

  /** What all of them were paid and hold of the four coins, worth in AUR. */
  paidUnits(world: World): bigint {
    return this.#all.reduce((sum, { account }) => sum + worthOf(world, account.account), 0n)
  }

  get cameCount(): number {
    return this.#cameCount
  }

  activeCount({ network }: World): number {
    return giftedNodes(network.state).filter(({ isActive }) => isActive).length
  }

  act(world: World): void {
    const { random, period } = world
    const { count, leavePpm, joinPpm } = this.#scenario.gifted
    for (const gift of this.#all)
      if (gift.stage === 'in' && period > 1 && random.happens(leavePpm)) this.#leave(world, gift)
    for (const gift of this.#all)
      if (gift.stage === 'waiting' && (this.#cameCount < count || random.happens(joinPpm))) this.#come(world, gift)
  }

  /** Before a commit: nodes that are there say so. */
  beat({ network, random }: World): void {
    for (const { account, stage, resources } of this.#all)
      if (stage === 'in' && random.happens(this.#scenario.gifted.presentPpm))
        network.submit(account, 'gifted-heartbeat', { measured: resources })
  }

  leave(world: World, sharePpm: number): void {
    const serving = this.#all.filter(({ stage }) => stage === 'in')
    for (const gift of serving.slice(0, Math.round((serving.length * sharePpm) / 1e6))) this.#leave(world, gift)
  }

  #come({ network }: World, gift: Gift): void {
    const { account, use, resources } = gift
    if (readGifted(network.state, account.account) !== undefined) return
    gift.stage = 'in'
    this.#cameCount++
    network.submit(account, 'gifted-register', {
      name: account.name,
      ...peerProof(network.genesis.digest, account.account, account.key),
      giftedBy: { kind: 'miner', account: account.account },
      consent: '',
      specialisation: { kind: use, [specialisationCapacities[use][0]]: callsPerPeriod },
      claimed: resources,
      measured: resources,
      uptimePpm: 950_000,
      sharePpm: 500_000
    })
  }

  #leave({ network }: World, gift: Gift): void {
    gift.stage = 'left'
    network.submit(gift.account, 'gifted-retire', { account: gift.account.account })
  }
}

const multipliers = { GEN: 1000n, NEX: 100n, FLX: 10n, AUR: 1n } as const

/** The four coins of an account in AUR, by their multipliers. */
export function worthOf({ network }: Pick<World, 'network'>, account: string): bigint {
  return Object.entries(multipliers).reduce(
    (sum, [coin, multiplier]) => sum + balanceOf(network.state, account, coin as keyof typeof multipliers) * multiplier,
    0n
  )
}

function resourcesOf(cores: number): Resources {
  return {
    cores,
    megaflops: cores * 10_000,
    memoryBytes: cores * 2 ** 32,
    diskFreeBytes: cores * 2 ** 36,
    diskWriteBytesPerSecond: 2 ** 28,
    peers: 20,
    roundTripMs: 40
  }
}
