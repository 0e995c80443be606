import type { CanonicalValue } from '../../codec/index.ts'
import type { StateView } from '../../dag/index.ts'
import { balanceOf, post, systemAccounts } from '../book/book.ts'
import { share } from '../book/coins.ts'
import { yearMs } from '../book/issuance.ts'
import type { Period, RuleInput } from '../book/rule.ts'
import { parameterOf } from '../parameters.ts'
import {
  type Contribution,
  type ContributionValue,
  countedResources,
  eachCoin,
  type Impacts,
  valueOfGift
} from './impacts.ts'
import { type GiftedNode, giftedNodes, type MeterCoin, meterCoins, noCalls, noneServed, writeGifted } from './node.ts'
import { counted, uptimeOf } from './uptime.ts'

type Texts = Impacts<string>

/** What a node was paid for one period, with every number that it comes from. */
export type GiftedPayment = {
  readonly period: number
  readonly contribution: Contribution
  readonly judgedBy: 'heartbeats' | 'observations'
  readonly points: Impacts<number>
  readonly factorPpm: number
  readonly value: Texts
  readonly wanted: Texts
  /** Node and gifter together. */
  readonly paid: Texts
  readonly forGifter: Texts
}

/** All nodes together, for one period. */
export type GiftingPeriod = {
  readonly period: number
  readonly sinceMs: number
  readonly untilMs: number
  readonly nodes: number
  readonly pointUnits: string
  readonly servedPpm: string
  readonly value: Texts
  readonly wanted: Texts
  /** What the year's limit still allowed: where it is less than wanted, all get the same part of what they earned. */
  readonly allowed: Texts
  readonly paid: Texts
}

const million = 1_000_000n
const periodsKept = 64
const paymentKey = (account: string): string => `gifted/paid/${account}`
const periodKey = (period: number): string => `gifted/period/${period}`
const yearKey = (coin: MeterCoin): string => `gifted/year/${coin}`

export function giftedPayment(state: StateView, account: string): GiftedPayment | undefined {
  return state.get(paymentKey(account)) as GiftedPayment | undefined
}

export function giftingPeriod(state: StateView, period: number): GiftingPeriod | undefined {
  return state.get(periodKey(period)) as GiftingPeriod | undefined
}

export function forgetPayment(state: StateView, account: string): void {
  if (giftedPayment(state, account) !== undefined) state.delete(paymentKey(account))
}

/** Pays every gifted node and whoever gave it for the period, out of what is not issued yet. */
export function payGifted(input: RuleInput, period: Period): GiftingPeriod {
  const { state, genesis, nowMs } = input
  const price = {
    pointUnits: parameterOf(state, genesis, 'giftedPointUnits'),
    servedPpm: parameterOf(state, genesis, 'giftedServedPpm')
  }
  const years = eachCoin(coin => yearOf(input, coin))
  const earned = giftedNodes(state).map(node => {
    const until = counted(node, nowMs)
    const { contribution, judgedBy } = contributionOf(until, period, nowMs)
    return { node: until, contribution, judgedBy, result: valueOfGift(contribution, price) }
  })
  const sumOf = (of: (result: ContributionValue) => Impacts<bigint>): Impacts<bigint> =>
    eachCoin(coin => earned.reduce((sum, { result }) => sum + of(result)[coin], 0n))
  const wanted = sumOf(({ wanted: each }) => each)
  const allowed = eachCoin(coin => allowedNow(input, coin, years[coin]))
  const paidAll: Record<MeterCoin, bigint> = eachCoin(() => 0n)
  for (const { node, contribution, judgedBy, result } of earned) {
    const paid = eachCoin(coin => partOfLimit(result.wanted[coin], allowed[coin], wanted[coin]))
    const forGifter = eachCoin(coin => share(paid[coin], BigInt(node.sharePpm), million))
    payNode(state, node, paid, forGifter)
    for (const coin of meterCoins) paidAll[coin] += paid[coin]
    const { points, factorPpm } = result
    const payment: GiftedPayment = {
      period: period.number,
      contribution,
      judgedBy,
      points,
      factorPpm,
      value: texts(result.value),
      wanted: texts(result.wanted),
      paid: texts(paid),
      forGifter: texts(forGifter)
    }
    state.set(paymentKey(node.account), payment as unknown as CanonicalValue)
    writeGifted(state, begunAnew(node, nowMs))
  }
  for (const coin of meterCoins) noteIssued(state, coin, years[coin], paidAll[coin])
  const summary: GiftingPeriod = {
    period: period.number,
    sinceMs: period.sinceMs,
    untilMs: period.untilMs,
    nodes: earned.length,
    pointUnits: price.pointUnits.toString(),
    servedPpm: price.servedPpm.toString(),
    value: texts(sumOf(({ value }) => value)),
    wanted: texts(wanted),
    allowed: texts(allowed),
    paid: texts(paidAll)
  }
  state.set(periodKey(period.number), summary as unknown as CanonicalValue)
  const old = period.number - periodsKept
  if (state.get(periodKey(old)) !== undefined) state.delete(periodKey(old))
  return summary
}

function contributionOf(
  node: GiftedNode,
  period: Period,
  nowMs: number
): { contribution: Contribution; judgedBy: 'heartbeats' | 'observations' } {
  const lengthMs = period.untilMs - period.sinceMs
  const spanMs = Math.min(lengthMs, nowMs - node.registeredAtMs)
  const { uptimePpm, judgedBy } = uptimeOf(node, spanMs)
  const { bonus, specialisation, served } = node
  const contribution: Contribution = {
    resources: countedResources(node),
    specialisation,
    committedPpm: node.uptimePpm,
    uptimePpm,
    spanMs,
    lengthMs,
    served,
    bonusPpm: bonus !== null && nowMs <= bonus.untilMs ? bonus.ppm : 0
  }
  return { contribution, judgedBy }
}

function payNode(state: StateView, node: GiftedNode, paid: Impacts<bigint>, forGifter: Impacts<bigint>): void {
  for (const coin of meterCoins)
    if (paid[coin] > 0n)
      post(state, [
        { account: systemAccounts.unissued, coin, change: -paid[coin] },
        { account: node.giftedBy.account, coin, change: forGifter[coin] },
        { account: node.account, coin, change: paid[coin] - forGifter[coin] }
      ])
}

/** Counts from here on. */
function begunAnew(node: GiftedNode, nowMs: number): GiftedNode {
  const { bonus, measured } = node
  return {
    ...node,
    leastMeasured: measured,
    vouchedMs: 0,
    countedUntilMs: nowMs,
    observed: { reachable: 0, unreachable: 0 },
    served: noneServed,
    calls: noCalls,
    bonus: bonus !== null && nowMs <= bonus.untilMs ? bonus : null
  }
}

type StoredYear = { readonly year: number; readonly of: string; readonly issued: string }

type YearNow = { readonly year: number; readonly of: bigint; readonly issued: bigint; readonly sinceMs: number }

/** What is left of the year's limit until now, as BLY is issued: a share of what was not issued, by the time of year. */
function allowedNow({ state, genesis, nowMs }: RuleInput, coin: MeterCoin, { of, issued, sinceMs }: YearNow): bigint {
  const ofYear = share(of, parameterOf(state, genesis, 'giftedPerYearPpm'), million)
  const left = share(ofYear, BigInt(nowMs - sinceMs), BigInt(yearMs)) - issued
  const unissued = balanceOf(state, systemAccounts.unissued, coin)
  if (left < 0n) return 0n
  if (left < unissued) return left
  return unissued
}

function noteIssued(state: StateView, coin: MeterCoin, { year, of, issued }: YearNow, units: bigint): void {
  const stored: StoredYear = { year, of: of.toString(), issued: (issued + units).toString() }
  state.set(yearKey(coin), stored)
}

function yearOf({ state, genesis, nowMs }: RuleInput, coin: MeterCoin): YearNow {
  const year = Math.floor((nowMs - genesis.timeMs) / yearMs) + 1
  const stored = state.get(yearKey(coin)) as StoredYear | undefined
  const isThisYear = stored?.year === year
  return {
    year,
    of: isThisYear ? BigInt(stored.of) : balanceOf(state, systemAccounts.unissued, coin),
    issued: isThisYear ? BigInt(stored.issued) : 0n,
    sinceMs: genesis.timeMs + (year - 1) * yearMs
  }
}

/** What is paid of what was earned, where all together may be more than is allowed. */
export function partOfLimit(units: bigint, allowed: bigint, wanted: bigint): bigint {
  return wanted <= allowed ? units : share(units, allowed, wanted)
}

function texts(amounts: Impacts<bigint>): Texts {
  return eachCoin(coin => amounts[coin].toString())
}
