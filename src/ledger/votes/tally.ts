import type { VoteRule } from './rules.ts'

export const votes = ['yes', 'no', 'abstain'] as const
export type Vote = (typeof votes)[number]
/** One that was taken back, of a validator that no longer supports an emergency. */
export type BallotVote = Vote | 'withdrawn'

/** What was said, and `all` that could have been. Base units for votes by stake, else heads. */
export type Tally = { readonly yes: bigint; readonly no: bigint; readonly abstain: bigint; readonly all: bigint }
export type Outcome = 'passed' | 'rejected' | 'no-quorum'

type Voted = { readonly account: string; readonly vote: BallotVote }
type BondUnits = { readonly operator: string; readonly units: bigint }

/**
 * Every voter by what it has bonded. An operator that voted also votes for what is bonded with it by those who did not:
 * its pool less what voters have in it. So no coin counts twice, and all together never more than is bonded.
 */
export function tallyStake(input: {
  readonly voted: readonly Voted[]
  readonly bondsOf: (account: string) => readonly BondUnits[]
  /** What is bonded with an operator that may speak for its stakers; undefined for everybody else. */
  readonly pooledUnits: (operator: string) => bigint | undefined
  readonly allUnits: bigint
}): Tally {
  const { voted, bondsOf, pooledUnits, allUnits } = input
  const said: Record<BallotVote, bigint> = { yes: 0n, no: 0n, abstain: 0n, withdrawn: 0n }
  const ownIn = new Map<string, bigint>()
  for (const { account, vote } of voted) {
    for (const { operator, units } of bondsOf(account)) {
      said[vote] += units
      ownIn.set(operator, (ownIn.get(operator) ?? 0n) + units)
    }
  }
  for (const { account, vote } of voted) {
    const others = (pooledUnits(account) ?? 0n) - (ownIn.get(account) ?? 0n)
    if (others > 0n) said[vote] += others
  }
  return { yes: said.yes, no: said.no, abstain: said.abstain, all: allUnits }
}

/** One each, of those who may vote at the time of counting. */
export function tallyHeads(voted: readonly Voted[], mayVote: ReadonlySet<string>): Tally {
  const said: Record<BallotVote, bigint> = { yes: 0n, no: 0n, abstain: 0n, withdrawn: 0n }
  for (const { account, vote } of voted) if (mayVote.has(account)) said[vote]++
  return { yes: said.yes, no: said.no, abstain: said.abstain, all: BigInt(mayVote.size) }
}

/** Abstaining counts for the quorum and for nothing else. */
export function hasQuorum({ yes, no, abstain, all }: Tally, { quorumPpm }: VoteRule): boolean {
  const said = yes + no + abstain
  return said > 0n && said * 1_000_000n >= BigInt(quorumPpm) * all
}

/** Validators' votes are measured against the whole set, the others against those for and against. */
export function outcomeOf(tally: Tally, rule: VoteRule): Outcome {
  if (rule.ballot === 'validator') return tally.yes > 0n && tally.yes >= neededOf(tally, rule) ? 'passed' : 'rejected'
  if (!hasQuorum(tally, rule)) return 'no-quorum'
  const reached = tally.yes * BigInt(rule.denominator)
  const needed = (tally.yes + tally.no) * BigInt(rule.numerator)
  const isPassed = rule.isMoreThan ? reached > needed : tally.yes > 0n && reached >= needed
  return isPassed ? 'passed' : 'rejected'
}

/** How many validators must be for it: `ceil(all * threshold)`. */
export function neededOf({ all }: Tally, { numerator, denominator }: VoteRule): bigint {
  return (all * BigInt(numerator) + BigInt(denominator) - 1n) / BigInt(denominator)
}
