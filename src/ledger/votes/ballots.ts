import type { StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { voteLimits } from './rules.ts'
import type { BallotVote, Vote } from './tally.ts'

/*
 * The votes of a proposal in the state: a heap with the least weight at its top, so that the least gives way when there
 * are more votes than are kept. Whose vote gave way is voted for by its operator, as if it had not voted.
 */
export type BallotEntry = {
  readonly account: string
  readonly vote: BallotVote
  /** What the voter stood for when it voted, to choose whose votes are kept; what counts is measured at the end. */
  readonly weight: string
}

const countKey = (id: number): string => `ballots/${id}`
const ballotKey = (id: number, place: number): string => `ballot/${id}/${place}`
const votedKey = (id: number, account: string): string => `voted/${id}/${account}`

export function ballotCount(state: StateView, id: number): number {
  return (state.get(countKey(id)) as number | undefined) ?? 0
}

export function ballotsOf(state: StateView, id: number): BallotEntry[] {
  return Array.from({ length: ballotCount(state, id) }, (_, place) => entryAt(state, id, place))
}

/** Throws VOTE_TWICE, VOTE_OUTWEIGHED. */
export function castBallot(
  state: StateView,
  id: number,
  { account, vote, weight }: { readonly account: string; readonly vote: Vote; readonly weight: bigint }
): void {
  if (state.get(votedKey(id, account)) !== undefined) throw new BlyanError('VOTE_TWICE', { proposal: id })
  const entry = { account, vote, weight: weight.toString() }
  const count = ballotCount(state, id)
  if (count < voteLimits.votersMax) {
    state.set(countKey(id), count + 1)
    rise(state, id, entry, count)
  } else {
    const least = entryAt(state, id, 0)
    if (weight <= BigInt(least.weight))
      throw new BlyanError('VOTE_OUTWEIGHED', { votersMax: voteLimits.votersMax, weight: least.weight })
    state.delete(votedKey(id, least.account))
    sink(state, id, entry, count)
  }
  state.set(votedKey(id, account), true)
}

/** Takes a vote back; whoever did so does not vote again. Whether there was one. */
export function withdrawBallot(state: StateView, id: number, account: string): boolean {
  const count = ballotCount(state, id)
  for (let place = 0; place < count; place++) {
    const entry = entryAt(state, id, place)
    if (entry.account !== account) continue
    if (entry.vote !== 'yes') return false
    state.set(ballotKey(id, place), { ...entry, vote: 'withdrawn' })
    return true
  }
  return false
}

export function closeBallots(state: StateView, id: number): void {
  for (const [place, { account }] of ballotsOf(state, id).entries()) {
    state.delete(ballotKey(id, place))
    state.delete(votedKey(id, account))
  }
  if (state.get(countKey(id)) !== undefined) state.delete(countKey(id))
}

function rise(state: StateView, id: number, entry: BallotEntry, from: number): void {
  let place = from
  while (place > 0) {
    const parent = (place - 1) >> 1
    const above = entryAt(state, id, parent)
    if (!isLighter(entry, above)) break
    state.set(ballotKey(id, place), above)
    place = parent
  }
  state.set(ballotKey(id, place), entry)
}

function sink(state: StateView, id: number, entry: BallotEntry, count: number): void {
  let place = 0
  for (;;) {
    const left = 2 * place + 1
    if (left >= count) break
    const right = left + 1
    const child = right < count && isLighter(entryAt(state, id, right), entryAt(state, id, left)) ? right : left
    const below = entryAt(state, id, child)
    if (!isLighter(below, entry)) break
    state.set(ballotKey(id, place), below)
    place = child
  }
  state.set(ballotKey(id, place), entry)
}

function isLighter(one: BallotEntry, other: BallotEntry): boolean {
  return BigInt(one.weight) < BigInt(other.weight)
}

function entryAt(state: StateView, id: number, place: number): BallotEntry {
  return state.get(ballotKey(id, place)) as BallotEntry
}
