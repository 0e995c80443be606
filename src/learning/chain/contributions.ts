import { currentSet, type Genesis, type StateView } from '../../dag/index.ts'
import { memberOperators } from '../../ledger/index.ts'
import { readBarred } from './election.ts'
import { barredRounds } from './limits.ts'
import { aggregatesOf, edgesOf, resultsOf } from './result-records.ts'
import { readStoredRound } from './round-records.ts'
import type { StateReader } from './store.ts'
import type { AcceptedDelta, RefusalReason } from './types.ts'

/** What primaries and edges said of one learner's delta. */
export type Contribution = {
  readonly account: string
  readonly delta: string
  /** Whether it is part of a new version that stands. */
  readonly isAccepted: boolean
  /** What its pay is in proportion to. */
  readonly score: bigint
  /** The mean of what it gained where it was accepted. */
  readonly gainNano: number
  /** Of the first who refused it; `none` where nobody did. */
  readonly reason: RefusalReason | 'none'
  /** Whether it breaks the rules, in the eyes of more than a third of the weight, and nobody took it. */
  readonly isFailure: boolean
}

/** Refusals for what no honest learner makes. Without gain, late or not to be had is no fault. */
const failures: ReadonlySet<string> = new Set(['not-finite', 'invalid', 'poisoned', 'copied', 'lineage'])

/** A list of deltas that counts in so many parts; no gain in it counts for more than `most`. */
type Counted = { readonly accepted: readonly AcceptedDelta[]; readonly parts: number; readonly most: number }

type Draft = {
  account: string
  delta: string
  score: bigint
  gains: number[]
  reason: Contribution['reason']
  against: Set<string>
}

/** Everybody whose delta somebody spoke of in the round of now, by account. */
export function contributionsOf(state: StateReader, genesis: Genesis, model: string): Map<string, Contribution> {
  const drafts = new Map<string, Draft>()
  const draftOf = ({ account, delta }: { readonly account: string; readonly delta: string }): Draft => {
    const known = drafts.get(account)
    if (known !== undefined) return known
    const draft: Draft = { account, delta, score: 0n, gains: [], reason: 'none', against: new Set() }
    drafts.set(account, draft)
    return draft
  }
  for (const { accepted, parts, most } of countedLists(state, model)) {
    for (const one of accepted) {
      const draft = draftOf(one)
      // One more, so that nothing gained is not nothing.
      draft.score += BigInt(parts) * BigInt(one.weightPpm) * (BigInt(Math.min(Math.max(0, one.gainNano), most)) + 1n)
      draft.gains.push(one.gainNano)
    }
  }
  for (const { author, refused } of [...aggregatesOf(state, model), ...edgesOf(state, model)])
    for (const one of refused) {
      const draft = draftOf(one)
      if (draft.reason === 'none') draft.reason = one.reason
      if (failures.has(one.reason)) draft.against.add(author)
    }
  const weights = weightsOf(state, genesis)
  const barred = readBarred(state, model)
  const { number } = readStoredRound(state, model)!
  return new Map(
    [...drafts.values()].map(({ account, delta, score, gains, reason, against }) => {
      const isAccepted = gains.length > 0
      const isOffender = (barred[account] ?? 0) >= number + barredRounds
      const weight = [...against].reduce((sum, author) => sum + (weights.get(author) ?? 0), 0)
      const contribution: Contribution = {
        account,
        delta,
        isAccepted,
        score: isOffender ? 0n : score,
        gainNano: isAccepted ? Math.trunc(gains.reduce((sum, gain) => sum + gain, 0) / gains.length) : 0,
        reason: isAccepted ? 'none' : reason,
        isFailure: !isAccepted && isMoreThanThird(weight, weights)
      }
      return [account, contribution]
    })
  )
}

/** Weight of each operator of the set of now. */
export function weightsOf(state: StateReader, genesis: Genesis): Map<string, number> {
  return new Map(memberOperators(state as StateView, genesis).map(({ operator, weight }) => [operator, weight]))
}

/** More than a third of the weight of the set: at least one honest operator among them. */
export function isMoreThanThird(weight: number, weights: ReadonlyMap<string, number>): boolean {
  return 3 * weight > totalOf(weights)
}

export function totalWeight(state: StateReader, genesis: Genesis): number {
  return currentSet(state as StateView, genesis).members.reduce((sum, { weight }) => sum + weight, 0)
}

function totalOf(weights: ReadonlyMap<string, number>): number {
  return [...weights.values()].reduce((sum, weight) => sum + weight, 0)
}

/** Accepted deltas of every result that is a new version, with the sums of regions it names. A replaced one is made of the same deltas. */
function countedLists(state: StateReader, model: string): Counted[] {
  const parts = new Map<number, number>()
  for (const { aggregate, tensor } of resultsOf(state, model))
    if (tensor !== null) parts.set(aggregate, (parts.get(aggregate) ?? 0) + 1)
  const edges = new Map(edgesOf(state, model).map(edge => [edge.region, edge]))
  return aggregatesOf(state, model).flatMap(({ number, accepted, edges: named }) => {
    const count = parts.get(number)
    if (count === undefined) return []
    const sums = named.map(({ region }) => edges.get(region)?.accepted ?? [])
    const bound = boundOf(accepted, sums)
    return [accepted, ...sums]
      .filter(list => list.length > 0)
      .map(list => ({ accepted: list, parts: count, most: list === accepted ? 2 * medianGain(list) : bound }))
  })
}

/**
 * No author of a list can give somebody nearly everything: no gain counts more than twice the median. What regions say of
 * their own is bounded by what the primary found itself, or where it found nothing by the region that says least.
 */
function boundOf(direct: readonly AcceptedDelta[], sums: readonly (readonly AcceptedDelta[])[]): number {
  const own = medianGain(direct)
  const others = sums.map(medianGain).filter(median => median > 0)
  return 2 * (own > 0 ? own : Math.min(...others, gainMax))
}

/** Of those that gained: who brings nothing does not make the gains of others worthless. */
function medianGain(accepted: readonly AcceptedDelta[]): number {
  const gains = accepted.flatMap(({ gainNano }) => (gainNano > 0 ? [gainNano] : [])).sort((one, other) => one - other)
  return gains[Math.floor((gains.length - 1) / 2)] ?? 0
}

const gainMax = 1e15
