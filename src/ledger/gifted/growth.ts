import type { CanonicalValue } from '../../codec/index.ts'
import type { CommitSeen, StateView } from '../../dag/index.ts'
import { schedule } from '../book/agenda.ts'
import { balanceOf, move, post, systemAccounts } from '../book/book.ts'
import { share } from '../book/coins.ts'
import type { Period, RuleInput } from '../book/rule.ts'
import { numberOf, type ParameterName, parameterOf } from '../parameters.ts'
import { eachCoin, type Impacts } from './impacts.ts'
import { clearIncome, meterIncome } from './meter.ts'
import {
  type GiftedNode,
  giftedNodes,
  type MeterCoin,
  meterCoins,
  readGifted,
  specialisationCapacities,
  writeGifted
} from './node.ts'
import { type ClassDecision, type ClassLoad, classOf, decideScaling, loadPpmMax } from './scaling.ts'

/** A decision as it is stored: amounts as decimal strings. */
export type StoredDecision = {
  readonly [Field in keyof ClassDecision]: ClassDecision[Field] extends bigint
    ? string
    : ClassDecision[Field] extends bigint | null
      ? string | null
      : ClassDecision[Field]
}

export type ScalingPeriod = {
  readonly period: number
  readonly untilMs: number
  readonly lengthMs: number
  readonly commits: number
  readonly events: number
  readonly income: Impacts<string>
  readonly parameters: {
    readonly loadPpm: number
    readonly nodesMax: number
    readonly costUnits: string
    readonly returnMs: number
    readonly bonusPpm: number
    readonly capacityEvents: number
  }
  readonly decisions: Impacts<StoredDecision>
}

/** What the next nodes of a class get, until the next decision. */
type Offer = { readonly left: number; readonly decision: StoredDecision }

/** Agenda: a node that the treasury pays for has served long enough. */
export const grantDue = 'gifted-grant'

const million = 1_000_000n
const periodsKept = 64
const loadKey = 'scaling/load'
const scalingKey = (period: number): string => `scaling/period/${period}`
const offerKey = (coin: MeterCoin): string => `scaling/offer/${coin}`
const minimumNames: Impacts<ParameterName> = {
  GEN: 'treasuryMinGenesisUnits',
  NEX: 'treasuryMinNexusUnits',
  FLX: 'treasuryMinFluxUnits',
  AUR: 'treasuryMinAurumUnits'
}

export function scalingPeriod(state: StateView, period: number): ScalingPeriod | undefined {
  return state.get(scalingKey(period)) as ScalingPeriod | undefined
}

export function openOffer(state: StateView, coin: MeterCoin): Offer | undefined {
  return state.get(offerKey(coin)) as Offer | undefined
}

/** Counts what was ordered: the load of the quorum. */
export function countLoad(state: StateView, { vertices }: CommitSeen): void {
  const [commits, events] = loadOf(state)
  const more = vertices.reduce((sum, { header }) => sum + header.eventCount, 0)
  state.set(loadKey, [commits + 1, events + more])
}

/** Decides for the next period by what was measured in this one, before the counts of the nodes begin anew. */
export function scale({ state, genesis }: RuleInput, period: Period): void {
  const [commits, events] = loadOf(state)
  const income = meterIncome(state)
  const capacityEvents = numberOf(state, genesis, 'scalingCapacityEvents')
  const parameters = {
    loadPpm: numberOf(state, genesis, 'scalingLoadPpm'),
    nodesMax: numberOf(state, genesis, 'scalingNodesMax'),
    costUnits: parameterOf(state, genesis, 'scalingCostUnits'),
    returnMs: numberOf(state, genesis, 'scalingReturnMs'),
    bonusPpm: numberOf(state, genesis, 'giftingBonusPpm')
  }
  const eventLoad = ratio(events, commits * capacityEvents)
  const nodes = giftedNodes(state)
  const decisions = decideScaling({
    need: eachCoin(coin => loadOfClass(nodes, coin, coin === 'GEN' ? eventLoad : 0)),
    treasury: eachCoin(coin => balanceOf(state, systemAccounts.treasury, coin)),
    income: eachCoin(coin => BigInt(income[coin])),
    periodMs: period.untilMs - period.sinceMs,
    parameters: {
      ...parameters,
      treasuryMin: eachCoin(coin => parameterOf(state, genesis, minimumNames[coin]))
    }
  })
  const stored: ScalingPeriod = {
    period: period.number,
    untilMs: period.untilMs,
    lengthMs: period.untilMs - period.sinceMs,
    commits,
    events,
    income,
    parameters: { ...parameters, costUnits: parameters.costUnits.toString(), capacityEvents },
    decisions: eachCoin(coin => storedDecision(decisions[coin]))
  }
  state.set(scalingKey(period.number), stored as unknown as CanonicalValue)
  const old = scalingKey(period.number - periodsKept)
  if (state.get(old) !== undefined) state.delete(old)
  for (const coin of meterCoins) openFor(state, coin, stored.decisions[coin])
  state.delete(loadKey)
  clearIncome(state)
}

/**
 * What a node that comes now gets of an open offer: coins of the treasury, held until it has served, or more incentives.
 * Nothing when the treasury has spent what it would pay with since.
 */
export function takeOffer({ state, genesis, nowMs }: RuleInput, node: GiftedNode): GiftedNode {
  const coin = classOf(node.specialisation)
  const offer = openOffer(state, coin)
  if (offer === undefined || offer.left === 0) return node
  const { strategy, costEachUnits, bonus } = offer.decision
  if (strategy === 'gifting') {
    countTaken(state, coin, offer)
    const untilMs = nowMs + numberOf(state, genesis, 'giftingBonusMs')
    return { ...node, bonus: { ppm: bonus![node.giftedBy.kind], untilMs } }
  }
  const units = BigInt(costEachUnits)
  const least = units + parameterOf(state, genesis, minimumNames[coin])
  if (balanceOf(state, systemAccounts.treasury, coin) < least) return node
  countTaken(state, coin, offer)
  move(state, systemAccounts.treasury, systemAccounts.escrow, coin, units)
  const dueMs = nowMs + numberOf(state, genesis, 'scalingServeMs')
  schedule(state, dueMs, grantDue, node.account)
  return { ...node, grant: { coin, units: costEachUnits, dueMs } }
}

/** A node that serves is paid, with its gifter's share; of one that is silent the coins go back. */
export function grantIsDue({ state, nowMs }: RuleInput, account: string): void {
  const node = readGifted(state, account)
  if (node === undefined || node.grant === null || nowMs < node.grant.dueMs) return
  const { coin, units } = node.grant
  if (!node.isActive) {
    giveGrantBack(state, node)
    writeGifted(state, { ...node, grant: null })
    return
  }
  const forGifter = share(BigInt(units), BigInt(node.sharePpm), million)
  post(state, [
    { account: systemAccounts.escrow, coin, change: -BigInt(units) },
    { account: node.giftedBy.account, coin, change: forGifter },
    { account: node.account, coin, change: BigInt(units) - forGifter }
  ])
  writeGifted(state, { ...node, grant: null })
}

export function giveGrantBack(state: StateView, { grant }: GiftedNode): void {
  if (grant !== null) move(state, systemAccounts.escrow, systemAccounts.treasury, grant.coin, BigInt(grant.units))
}

function countTaken(state: StateView, coin: MeterCoin, offer: Offer): void {
  state.set(offerKey(coin), { ...offer, left: offer.left - 1 } as unknown as CanonicalValue)
}

/** The newest decision is the only one that counts. */
function openFor(state: StateView, coin: MeterCoin, decision: StoredDecision): void {
  if (decision.nodes > 0) state.set(offerKey(coin), { left: decision.nodes, decision } as unknown as CanonicalValue)
  else if (openOffer(state, coin) !== undefined) state.delete(offerKey(coin))
}

/**
 * Calls that were paid for, of what active nodes of the class say they can do in a period; or `other` when that is more.
 * Whoever says it can do nothing is no node of the class.
 */
function loadOfClass(all: readonly GiftedNode[], coin: MeterCoin, other: number): ClassLoad {
  const nodes = all.filter(node => classOf(node.specialisation) !== coin || capacityOf(node) > 0)
  const active = nodes.filter(node => node.isActive && classOf(node.specialisation) === coin)
  const capacity = active.reduce((sum, node) => sum + capacityOf(node), 0)
  const calls = nodes.reduce((sum, node) => sum + node.calls[coin], 0)
  return { loadPpm: Math.max(other, ratio(calls, capacity)), activeNodes: active.length }
}

function capacityOf({ specialisation, capacities }: GiftedNode): number {
  return capacities[specialisationCapacities[specialisation][0]]!
}

/** In parts per million, at most ten whole ones; so also where there is something to do and nobody to do it. */
function ratio(used: number, capacity: number): number {
  if (used === 0) return 0
  if (capacity === 0) return loadPpmMax
  const ppm = share(BigInt(used), million, BigInt(capacity))
  return ppm > BigInt(loadPpmMax) ? loadPpmMax : Number(ppm)
}

function loadOf(state: StateView): readonly [commits: number, events: number] {
  return (state.get(loadKey) as readonly [number, number] | undefined) ?? [0, 0]
}

function storedDecision(decision: ClassDecision): StoredDecision {
  const { costEachUnits, costUnits, treasuryUnits, treasuryMinUnits, expectedReturnUnits, returnPpm } = decision
  return {
    ...decision,
    costEachUnits: costEachUnits.toString(),
    costUnits: costUnits.toString(),
    treasuryUnits: treasuryUnits.toString(),
    treasuryMinUnits: treasuryMinUnits.toString(),
    expectedReturnUnits: expectedReturnUnits.toString(),
    returnPpm: returnPpm === null ? null : returnPpm.toString()
  }
}
