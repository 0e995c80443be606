import type { CanonicalValue } from '../../codec/index.ts'
import type { CommitSeen, StateView } from '../../dag/index.ts'
import type { RuleInput } from '../book/rule.ts'
import { wrongVotes } from './checkpoint-votes.ts'
import {
  type CountLists,
  type Counts,
  countNames,
  countsAt,
  countsOfGone,
  type Gone,
  listsOf,
  movedTo,
  noCounts,
  readMembers
} from './places.ts'
import { lateMsMax, latenessOf, type OpenRound } from './speed.ts'

const tallyKey = 'rewards/tally'
/** Whoever has a vertex that is no older is there. */
const presentRounds = 8
/** A round takes vertices in the commits of its own and of this many rounds after it. */
const openRounds = 1

/** The period that runs, counted from committed vertices alone. */
export type Tally = CountLists & {
  readonly epoch: number
  /** Newest committed round when the period began, and now. */
  readonly fromRound: number
  readonly round: number
  /** What times are counted from, the time of the newest commit, and the time that the period counts until then. */
  readonly baseMs: number
  readonly at: number
  readonly spanMs: number
  readonly open: readonly OpenRound[]
  readonly gone: readonly Gone[]
}

export function readTally(state: StateView): Tally | undefined {
  return state.get(tallyKey) as Tally | undefined
}

/** Counts one commit. */
export function tallyCommit({ state, nowMs }: RuleInput, seen: CommitSeen): void {
  const before = tallyFor(state, seen, nowMs)
  const { round } = seen.commit
  const at = nowMs - before.baseMs
  const counts = mutableLists(before)
  const open = new Map(before.open.map(([number, times]) => [number, [...times]]))
  for (const { header, signature } of seen.vertices) {
    const place = header.author
    // The unsigned vertices that an epoch begins with are nobody's; of two for one round the first counts.
    if (signature.length === 0 || header.epoch !== before.epoch || header.round <= counts.newest[place]!) continue
    counts.newest[place] = header.round
    counts.seen[place] = at
    counts.committed[place]!++
    counts.wrong[place]! += wrongVotes(state, header.votes)
    if (header.round < before.round - openRounds) addLateness(counts, place, lateMsMax)
    else timesOf(open, header.round, seen.set.members.length)[place] = header.timestampMs - before.baseMs
  }
  const elapsedMs = at - before.at
  for (const [place, newest] of counts.newest.entries())
    if (newest > 0 && newest + presentRounds >= round) counts.presentMs[place]! += elapsedMs
  const weights = seen.set.members.map(member => member.weight)
  for (const [number, times] of open) {
    if (number >= round - openRounds) continue
    open.delete(number)
    for (const [place, lateMs] of latenessOf(times, weights)?.entries() ?? [])
      if (lateMs !== null) addLateness(counts, place, lateMs)
  }
  const spanMs = before.spanMs + elapsedMs
  writeTally(state, { ...before, ...counts, round, at, spanMs, open: [...open] })
}

/** What everybody did in the period until now, by operator: members in their order, then who left. */
export function countsOfAll(state: StateView): [operator: string, counts: Counts][] {
  const tally = readTally(state)
  if (tally === undefined) return []
  const members = readMembers(state)
    .map((operator, place): [string, Counts] => [operator, countsAt(tally, place)])
    .filter(([operator]) => operator !== '')
  return [...members, ...tally.gone.map((gone): [string, Counts] => [gone[0], countsOfGone(gone)])]
}

/** Begins to count anew; what was seen of whom stays. */
export function beginTally(state: StateView): void {
  const tally = readTally(state)
  if (tally === undefined) return
  const { newest, seen, baseMs, at, open } = tally
  const counts = newest.map((one, place) => ({ ...noCounts, newest: one, seen: seen[place]! - at }))
  writeTally(state, {
    ...tally,
    ...listsOf(counts),
    fromRound: tally.round,
    baseMs: baseMs + at,
    at: 0,
    spanMs: 0,
    open: open.map(([round, times]): OpenRound => [round, times.map(time => (time === null ? null : time - at))]),
    gone: []
  })
}

/** Time of the newest commit with a vertex of an operator's validator; undefined when there was none that is remembered. */
export function lastSeenMs(state: StateView, operator: string): number | undefined {
  const counts = countsOf(state, operator)
  return counts === undefined || counts.newest === 0 ? undefined : readTally(state)!.baseMs + counts.seen
}

/** Share of the time of the period until now in which an operator's validator was there; 0 for one that is not known. */
export function presentPpm(state: StateView, operator: string): number {
  const { spanMs = 0 } = readTally(state) ?? {}
  const { presentMs = 0 } = countsOf(state, operator) ?? {}
  return spanMs === 0 ? 0 : Math.floor((presentMs * 1_000_000) / spanMs)
}

function countsOf(state: StateView, operator: string): Counts | undefined {
  const tally = readTally(state)
  if (tally === undefined) return undefined
  const place = readMembers(state).indexOf(operator)
  if (place >= 0) return countsAt(tally, place)
  const gone = tally.gone.find(([one]) => one === operator)
  return gone === undefined ? undefined : countsOfGone(gone)
}

/** The tally at the places of the set of this commit; the first commit of all only says from when time counts. */
function tallyFor(state: StateView, { commit, set }: CommitSeen, nowMs: number): Tally {
  const stored = readTally(state)
  if (stored?.epoch === set.epoch) return stored
  const { lists, gone } = movedTo(state, set, { lists: stored ?? listsOf([]), gone: stored?.gone ?? [] })
  const round = commit.round - 1
  const first = { fromRound: round, round, baseMs: nowMs, at: 0, spanMs: 0 }
  return { ...(stored ?? first), ...lists, gone, epoch: set.epoch, open: [] }
}

function mutableLists(tally: CountLists): Record<(typeof countNames)[number], number[]> {
  return Object.fromEntries(countNames.map(name => [name, [...tally[name]]])) as never
}

function timesOf(open: Map<number, (number | null)[]>, round: number, places: number): (number | null)[] {
  const known = open.get(round)
  if (known !== undefined) return known
  const times = Array.from({ length: places }, () => null)
  open.set(round, times)
  return times
}

function addLateness(counts: { lateMs: number[]; measured: number[] }, place: number, lateMs: number): void {
  counts.lateMs[place]! += lateMs
  counts.measured[place]!++
}

function writeTally(state: StateView, tally: Tally): void {
  state.set(tallyKey, tally as unknown as CanonicalValue)
}
