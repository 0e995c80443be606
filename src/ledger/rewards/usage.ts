import type { CanonicalValue } from '../../codec/index.ts'
import type { Genesis, StateView } from '../../dag/index.ts'
import { periodNow } from '../economy.ts'
import { numberOf, parameterOf } from '../parameters.ts'
import { SetOpinion } from './scores.ts'

/** What one account served of one expert in the period that runs. */
export type HolderUsage = {
  readonly holder: string
  readonly calls: number
  readonly responseMsTotal: number
  readonly lastMs: number
}

/** Of all holders together. */
export type ExpertUsage = { readonly expert: string; readonly holders: readonly HolderUsage[] }

/** Most pairs of expert and holder that one period counts, and most holders of one expert. */
export const usageLimits = { pairs: 4096, holders: 16 } as const

/** No count goes beyond: sums of them stay exact. */
const countMax = 2 ** 40
const countKey = 'usage/count'
const pairsKey = 'usage/pairs'
const placeKey = (expert: string): string => `usage/place/${expert}`
const expertKey = (place: number): string => `usage/expert/${place}`

/**
 * Counts a service that was delivered and paid: as many of its calls as it was paid for. What is no expert of the model
 * is not counted, nor is a holder for whom there is no room left. Gives whether it was counted.
 */
export function noteUsage(
  state: StateView,
  genesis: Genesis,
  served: {
    readonly expert: string
    readonly holder: string
    readonly calls: number
    readonly responseMsTotal: number
    /** In BLY: what is paid in other coins earns nothing beyond it. */
    readonly paidUnits: bigint
    readonly nowMs: number
  }
): boolean {
  const { expert, holder, nowMs } = served
  const calls = paidCalls(state, genesis, served)
  if (calls === 0 || !isExpert(state, expert)) return false
  const responseMsTotal = Number((BigInt(bounded(served.responseMsTotal)) * BigInt(calls)) / BigInt(served.calls))
  const place = state.get(placeKey(expert)) as number | undefined
  const holders = place === undefined ? [] : readHolders(state, place)
  const known = holders.findIndex(one => one.holder === holder)
  const before = holders[known]
  const entry: HolderUsage = {
    holder,
    calls: bounded((before?.calls ?? 0) + calls),
    responseMsTotal: bounded((before?.responseMsTotal ?? 0) + responseMsTotal),
    lastMs: nowMs
  }
  const room = before === undefined ? roomFor(state, genesis, { expert, holder, calls, holders }) : known
  if (room === undefined) return false
  const next = [...holders]
  next[room] = entry
  writeHolders(state, place ?? newPlace(state, expert), { expert, holders: next })
  if (room === holders.length) state.set(pairsKey, numberAt(state, pairsKey) + 1)
  return true
}

/** Whether the name is that of an expert of the model, on chain B. */
export function isExpert(state: StateView, name: string): boolean {
  return (state.get(`part/${name}`) as { readonly type?: string } | undefined)?.type === 'expert'
}

/** Everything that was used in the period, in the order of first use. */
export function readUsage(state: StateView): ExpertUsage[] {
  return Array.from({ length: numberAt(state, countKey) }, (_, place) => ({
    expert: (state.get(expertKey(place)) as StoredUsage)[0],
    holders: readHolders(state, place)
  }))
}

/** Begins to count anew. */
export function clearUsage(state: StateView): void {
  const count = numberAt(state, countKey)
  if (count === 0) return
  for (let place = 0; place < count; place++) {
    state.delete(placeKey((state.get(expertKey(place)) as StoredUsage)[0]))
    state.delete(expertKey(place))
  }
  state.delete(countKey)
  state.delete(pairsKey)
}

type StoredUsage = readonly [
  expert: string,
  holders: readonly (readonly [holder: string, calls: number, responseMsTotal: number, lastMs: number])[]
]

function readHolders(state: StateView, place: number): HolderUsage[] {
  const [, holders] = state.get(expertKey(place)) as StoredUsage
  return holders.map(([holder, calls, responseMsTotal, lastMs]) => ({ holder, calls, responseMsTotal, lastMs }))
}

function writeHolders(state: StateView, place: number, { expert, holders }: ExpertUsage): void {
  const rows = holders.map(({ holder, calls, responseMsTotal, lastMs }) => [holder, calls, responseMsTotal, lastMs])
  state.set(expertKey(place), [expert, rows] as CanonicalValue)
}

function newPlace(state: StateView, expert: string): number {
  const place = numberAt(state, countKey)
  state.set(countKey, place + 1)
  state.set(placeKey(expert), place)
  return place
}

/**
 * A free place; when there is none, that of somebody for whom nobody vouches, in this period or the last: whoever served
 * least, when this is vouched for or more. So accounts that pay themselves cannot keep out who really serves. Pairs that
 * are vouched for go beyond what all experts have room for, as far as operators can vouch.
 */
function roomFor(
  state: StateView,
  genesis: Genesis,
  { expert, holder, calls, holders }: ExpertUsage & { readonly holder: string; readonly calls: number }
): number | undefined {
  const hasPlace = holders.length < usageLimits.holders
  if (hasPlace && numberAt(state, pairsKey) < usageLimits.pairs) return holders.length
  const { number: period } = periodNow(state, genesis)
  const opinion = new SetOpinion(state, genesis, { period, withBefore: true, expert })
  const least = numberOf(state, genesis, 'expertScoredMinPpm')
  const isVouched = (one: string): boolean => opinion.of(expert, one).scoredPpm >= least
  const isVouchedFor = isVouched(holder)
  if (hasPlace && isVouchedFor && numberAt(state, pairsKey) < 2 * usageLimits.pairs) return holders.length
  const others = holders.map((one, at) => ({ ...one, at })).filter(one => !isVouched(one.holder))
  const weakest = others.sort((one, other) => one.calls - other.calls)[0]
  return weakest !== undefined && (isVouchedFor || weakest.calls < calls) ? weakest.at : undefined
}

function paidCalls(
  state: StateView,
  genesis: Genesis,
  { calls, paidUnits }: { readonly calls: number; readonly paidUnits: bigint }
): number {
  const price = parameterOf(state, genesis, 'callPriceMinUnits')
  const said = bounded(calls)
  if (price === 0n) return said
  const paidFor = paidUnits / price
  return paidFor < BigInt(said) ? Number(paidFor) : said
}

function numberAt(state: StateView, key: string): number {
  return (state.get(key) as number | undefined) ?? 0
}

function bounded(value: number): number {
  return Number.isSafeInteger(value) && value > 0 ? Math.min(value, countMax) : 0
}
