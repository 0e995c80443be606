import type { CanonicalValue } from '../../codec/index.ts'
import { keyTextOf, type StateView, type ValidatorSet } from '../../dag/index.ts'
import { operatorOf } from '../staking/pool-records.ts'

/** What is counted of one validator in a period. Times are counted from the base of the tally. */
export type Counts = {
  /** Newest round of which a vertex was committed; 0 for none. */
  readonly newest: number
  /** When that was. */
  readonly seen: number
  readonly committed: number
  readonly presentMs: number
  readonly lateMs: number
  readonly measured: number
  readonly wrong: number
}

export const countNames = ['newest', 'seen', 'committed', 'presentMs', 'lateMs', 'measured', 'wrong'] as const
export const noCounts: Counts = { newest: 0, seen: 0, committed: 0, presentMs: 0, lateMs: 0, measured: 0, wrong: 0 }

/** The same of a whole set, each a list by place: short to write after every commit. */
export type CountLists = Readonly<Record<(typeof countNames)[number], readonly number[]>>

/** Somebody who was in a set of this period and is not now. */
export type Gone = readonly [operator: string, counts: readonly number[]]

const membersKey = 'rewards/members'

/** Operators of the set that the tally counts, by place. */
export function readMembers(state: StateView): readonly string[] {
  return (state.get(membersKey) as readonly string[] | undefined) ?? []
}

export function countsAt(lists: CountLists, place: number): Counts {
  return Object.fromEntries(countNames.map(name => [name, lists[name][place]!])) as Counts
}

export function listsOf(counts: readonly Counts[]): CountLists {
  return Object.fromEntries(countNames.map(name => [name, counts.map(one => one[name])])) as unknown as CountLists
}

export function countsOfGone([, values]: Gone): Counts {
  return Object.fromEntries(countNames.map((name, at) => [name, values[at]!])) as Counts
}

/** What was counted until now, at the places of another set: by operator, whatever key it signs with. */
export function movedTo(
  state: StateView,
  set: ValidatorSet,
  before: { readonly lists: CountLists; readonly gone: readonly Gone[] }
): { readonly lists: CountLists; readonly gone: readonly Gone[] } {
  const known = new Map<string, Counts>(before.gone.map(gone => [gone[0], countsOfGone(gone)]))
  for (const [place, operator] of readMembers(state).entries()) known.set(operator, countsAt(before.lists, place))
  const operators = set.members.map(member => operatorOf(state, keyTextOf(member)) ?? '')
  const lists = listsOf(operators.map(operator => known.get(operator) ?? noCounts))
  const gone = [...known]
    .filter(([operator, { committed }]) => committed > 0 && operator !== '' && !operators.includes(operator))
    .map(([operator, counts]): Gone => [operator, countNames.map(name => counts[name])])
  state.set(membersKey, operators as CanonicalValue)
  return { lists, gone }
}
