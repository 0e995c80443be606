import { type CommitSeen, keyTextOf, type StateView, type ValidatorSet } from '../../dag/index.ts'
import type { RuleInput } from '../book/rule.ts'
import { operatorOf } from '../staking/index.ts'

/*
 * A vertex names the newest vertex of each member that its author has (docs/protocol.md, "Vertices"). An author has
 * whatever the vertices it builds on name, for it takes none whose ancestors it lacks. So a vertex that names an older one
 * of a member than one of its own parents does, or none, leaves that member out knowingly, whatever the network did.
 */
type Header = CommitSeen['vertices'][number]['header']

/** Newest round that a vertex names of each member, by place: rounds before its own; `none` for a member it does not name. */
export type Names = Uint8Array

export const none = 255
/** Older vertices are not looked at, and none that may be forgotten already where they would have to be named. */
const reachRoundsMax = 8
/** Rounds whose names are kept: that of the parents, and those of vertices that are ordered late. */
const roundsKept = 4
const namesKey = (round: number): string => `slashing/names/${round % roundsKept}`
const seenKey = 'slashing/omissions'
const omittedKey = (place: number): string => `slashing/omissions/${place}`

/** By place: null where there is no vertex, empty where there are two of one author, whose names say nothing. */
type RoundNames = { readonly epoch: number; readonly round: number; readonly names: readonly (Names | null)[] }

/** Vertices that were looked at, by place, since `sinceMs`. */
export type Looked = {
  readonly epoch: number
  readonly sinceMs: readonly number[]
  readonly operators: readonly string[]
  readonly looked: readonly number[]
}

/** What a vertex names. */
export function namesOf({ round, parents }: Pick<Header, 'round' | 'parents'>, members: number): Names {
  const names = new Uint8Array(members).fill(none)
  for (const parent of parents) if (parent.author < members) names[parent.author] = Math.min(none, round - parent.round)
  return names
}

/** Names of the vertices of one round, and the newest that any of them names of each member. */
export class NamesOfRound {
  readonly names: (Names | null)[]
  #newest: Names | undefined

  constructor(names: readonly (Names | null)[]) {
    this.names = [...names]
  }

  set(author: number, names: Names): void {
    this.names[author] = names
    this.#newest = undefined
  }

  get newest(): Names {
    this.#newest ??= newestOf(this.names)
    return this.#newest
  }
}

/**
 * Places whose newer vertices the author had and did not name, of at most `reachRounds` before its own. Undefined when
 * nothing is known of its parents of the round before, so that nothing can be said.
 */
function leftOutBy(
  { author, round, parents }: Pick<Header, 'author' | 'round' | 'parents'>,
  own: Names,
  reachRounds: number,
  before: NamesOfRound
): number[] | undefined {
  const known: Names[] = []
  for (const parent of parents) {
    const names = parent.round === round - 1 ? before.names[parent.author] : undefined
    if (names?.length === own.length) known.push(names)
  }
  if (known.length === 0) return undefined
  const { newest } = before
  const leftOut: number[] = []
  for (let place = 0; place < own.length; place++) {
    // What is named there is a round further from here.
    const limit = Math.min(reachRounds, own[place]! - 1)
    if (place === author || newest[place]! >= limit) continue
    if (known.some(names => names[place]! < limit)) leftOut.push(place)
  }
  return leftOut
}

/** After each commit: counts who left whom out. */
export function noteOmissions({ state, genesis, nowMs }: RuleInput, { vertices, set }: CommitSeen): void {
  const members = set.members.length
  const reachRounds = Math.min(reachRoundsMax, genesis.parameters.gcDepthRounds)
  const rounds = new Map<number, NamesOfRound>()
  const namesIn = (round: number): NamesOfRound => {
    const known = rounds.get(round) ?? new NamesOfRound(readNames(state, set.epoch, round) ?? Array(members).fill(null))
    rounds.set(round, known)
    return known
  }
  const looked = new Array<number>(members).fill(0)
  const omitted = new Map<number, number[]>()
  const written = new Set<number>()
  for (const { header, signature } of vertices) {
    const { epoch, round, author } = header
    if (epoch !== set.epoch || author >= members || signature.length === 0) continue
    const own = namesOf(header, members)
    const leftOut = leftOutBy(header, own, reachRounds, namesIn(round - 1))
    const slot = namesIn(round)
    const isTwin = slot.names[author] !== null
    slot.set(author, isTwin ? new Uint8Array(0) : own)
    written.add(round)
    if (leftOut === undefined || isTwin) continue
    looked[author]!++
    if (leftOut.length > 0) omitted.set(author, [...(omitted.get(author) ?? []), ...leftOut])
  }
  for (const round of written) writeNames(state, { epoch: set.epoch, round, names: rounds.get(round)!.names })
  addCounts(state, set, nowMs, looked, omitted)
}

/** What was counted until now; undefined before the first commit. */
export function readLooked(state: StateView): Looked | undefined {
  return state.get(seenKey) as Looked | undefined
}

/** How often the member at `place` left each other out, by place. */
export function readOmitted(state: StateView, place: number): readonly number[] {
  return (state.get(omittedKey(place)) as readonly number[] | undefined) ?? []
}

/** Begins to count anew for one member. */
export function forgetOmissions(state: StateView, place: number, nowMs: number): void {
  const counts = readLooked(state)
  if (counts === undefined) return
  state.set(seenKey, {
    ...counts,
    looked: counts.looked.with(place, 0),
    sinceMs: counts.sinceMs.with(place, nowMs)
  } as never)
  writeOmitted(state, place, [])
}

function addCounts(
  state: StateView,
  set: ValidatorSet,
  nowMs: number,
  looked: readonly number[],
  omitted: ReadonlyMap<number, readonly number[]>
): void {
  const before = countsFor(state, set, nowMs)
  state.set(seenKey, { ...before, looked: before.looked.map((count, place) => count + looked[place]!) } as never)
  for (const [place, leftOut] of omitted) {
    const counts = Array.from(looked, (_, other) => readOmitted(state, place)[other] ?? 0)
    for (const other of leftOut) counts[other]!++
    writeOmitted(state, place, counts)
  }
}

/** The counts at the places of this set: an operator keeps what was counted of it, whatever key it signs with. */
function countsFor(state: StateView, set: ValidatorSet, nowMs: number): Looked {
  const stored = readLooked(state)
  if (stored?.epoch === set.epoch) return stored
  const operators = set.members.map(member => operatorOf(state, keyTextOf(member)) ?? '')
  const placeBefore = operators.map(operator => (operator === '' ? -1 : (stored?.operators.indexOf(operator) ?? -1)))
  const omittedBefore = (stored?.operators ?? []).map((_, place) => readOmitted(state, place))
  for (const place of omittedBefore.keys()) writeOmitted(state, place, [])
  for (const [place, from] of placeBefore.entries()) {
    const counts = omittedBefore[from] ?? []
    writeOmitted(
      state,
      place,
      placeBefore.map(other => counts[other] ?? 0)
    )
  }
  return {
    epoch: set.epoch,
    operators,
    looked: placeBefore.map(from => stored?.looked[from] ?? 0),
    sinceMs: placeBefore.map(from => stored?.sinceMs[from] ?? nowMs)
  }
}

function writeOmitted(state: StateView, place: number, counts: readonly number[]): void {
  if (counts.some(count => count > 0)) state.set(omittedKey(place), [...counts])
  else if (state.get(omittedKey(place)) !== undefined) state.delete(omittedKey(place))
}

function readNames(state: StateView, epoch: number, round: number): readonly (Names | null)[] | undefined {
  const stored = state.get(namesKey(round)) as RoundNames | undefined
  return stored?.round === round && stored.epoch === epoch ? stored.names : undefined
}

/** A vertex that is ordered very late does not take the place of a newer round. */
function writeNames(state: StateView, round: RoundNames): void {
  const stored = state.get(namesKey(round.round)) as RoundNames | undefined
  if (stored === undefined || stored.round <= round.round) state.set(namesKey(round.round), round as never)
}

function newestOf(all: readonly (Names | null)[]): Names {
  const newest = new Uint8Array(all.length).fill(none)
  for (const names of all)
    for (let place = 0; place < (names?.length ?? 0); place++)
      if (names![place]! < newest[place]!) newest[place] = names![place]!
  return newest
}
