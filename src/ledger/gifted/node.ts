import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'

/** Who gives a node: a notary miner, whoever deploys applications, or a validator of the community. */
export const gifterKinds = ['miner', 'deployer', 'validator'] as const
export type GifterKind = (typeof gifterKinds)[number]

/** What a gifted node is for, with the seed's two capacities of each. */
export const specialisationCapacities = {
  core: ['consensusWeight', 'validationCapacity'],
  notary: ['notarizationCapacity', 'witnessStorage'],
  registry: ['serviceCapacity', 'discoveryRange'],
  cluster: ['orchestrationCapacity', 'containerSlots'],
  parachain: ['parachainCapacity', 'crossChainBandwidth']
} as const
export const specialisations = ['core', 'notary', 'registry', 'cluster', 'parachain'] as const
export type Specialisation = (typeof specialisations)[number]

/** The four coins that gifted nodes are paid in, the highest tier first. */
export const meterCoins = ['GEN', 'NEX', 'FLX', 'AUR'] as const
export type MeterCoin = (typeof meterCoins)[number]
export const noneServed: Readonly<Record<MeterCoin, string>> = { GEN: '0', NEX: '0', FLX: '0', AUR: '0' }
export const noCalls: Readonly<Record<MeterCoin, number>> = { GEN: 0, NEX: 0, FLX: 0, AUR: 0 }

/** What a machine has. */
export type Resources = {
  readonly cores: number
  /** Million floating-point operations a second, of a short benchmark on all cores. */
  readonly megaflops: number
  readonly memoryBytes: number
  readonly diskFreeBytes: number
  readonly diskWriteBytesPerSecond: number
  readonly peers: number
  /** Median time to a peer and back; null while it has none. */
  readonly roundTripMs: number | null
}

export type GiftedNode = {
  /** The node's own account. */
  readonly account: string
  readonly peerId: string
  readonly name: string
  readonly giftedBy: { readonly kind: GifterKind; readonly account: string }
  readonly specialisation: Specialisation
  readonly capacities: Readonly<Record<string, number>>
  /** What the gifter says it gives. */
  readonly claimed: Resources
  /** What the node found at its last heartbeat. */
  readonly measured: Resources
  /** The least that it found in the period that runs. */
  readonly leastMeasured: Resources
  /** Uptime that was promised, and the gifter's share of the incentives. */
  readonly uptimePpm: number
  readonly sharePpm: number
  /** Of those who deploy applications. */
  readonly priority: 'low' | 'normal' | 'high' | null
  /** BLY held while it is registered. */
  readonly depositUnits: string
  readonly registeredAtMs: number
  readonly heartbeatMs: number
  /** Whether its last heartbeat still vouches for it. */
  readonly isActive: boolean
  /** Up to when its heartbeats vouch for it. */
  readonly vouchedUntilMs: number
  /** Time of the period that runs which heartbeats vouch for, counted up to `countedUntilMs`. */
  readonly vouchedMs: number
  readonly countedUntilMs: number
  /** What a quorum of validators saw of it in the period that runs. */
  readonly observed: { readonly reachable: number; readonly unreachable: number }
  /** Base units that it was paid by the meter in the period that runs, and the calls that they were for. */
  readonly served: Readonly<Record<MeterCoin, string>>
  readonly calls: Readonly<Record<MeterCoin, number>>
  /** More of its incentives, because the network asked for nodes of its kind when it came. */
  readonly bonus: { readonly ppm: number; readonly untilMs: number } | null
  /** Held of the treasury for it, and given to it when it still serves then. */
  readonly grant: { readonly coin: MeterCoin; readonly units: string; readonly dueMs: number } | null
  /** When the agenda looks at it next. */
  readonly watchMs: number
}

export const giftedMax = 512
const accountsKey = 'gifted/accounts'
const nodeKey = (account: string): string => `gifted/node/${account}`

/** Accounts of all gifted nodes, in the order in which they came. */
function giftedAccounts(state: StateView): readonly string[] {
  return (state.get(accountsKey) as readonly string[] | undefined) ?? []
}

/** All gifted nodes, at most 512, in the order in which they came. */
export function giftedNodes(state: StateView): GiftedNode[] {
  return giftedAccounts(state).map(account => readGifted(state, account)!)
}

export function readGifted(state: StateView, account: string): GiftedNode | undefined {
  return state.get(nodeKey(account)) as GiftedNode | undefined
}

/** Throws GIFTED_UNKNOWN. */
export function requireGifted(state: StateView, account: string): GiftedNode {
  const node = readGifted(state, account)
  if (node === undefined) throw new BlyanError('GIFTED_UNKNOWN', { account })
  return node
}

export function writeGifted(state: StateView, node: GiftedNode): void {
  state.set(nodeKey(node.account), node as unknown as CanonicalValue)
}

/** The caller has made sure that there is room. */
export function addGifted(state: StateView, node: GiftedNode): void {
  state.set(accountsKey, [...giftedAccounts(state), node.account])
  writeGifted(state, node)
}

export function removeGifted(state: StateView, account: string): void {
  state.set(
    accountsKey,
    giftedAccounts(state).filter(other => other !== account)
  )
  state.delete(nodeKey(account))
}
