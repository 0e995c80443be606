import { type Committee, WeightCounter } from './committee.ts'
import type { CheckpointVote } from './vertex.ts'

export type CertifiedCheckpoint = {
  readonly sequence: number
  readonly digest: string
  readonly votes: readonly { readonly author: number; readonly signature: Uint8Array }[]
}

export type VoteOutcome =
  | { readonly kind: 'counted' }
  | { readonly kind: 'certified'; readonly certificate: CertifiedCheckpoint }
  /** More weight than may be faulty signed something else than we computed. */
  | { readonly kind: 'diverged'; readonly sequence: number; readonly ours: string; readonly theirs: string }

const sequencesAheadMax = 64

/** Collects the validators' signatures on checkpoints; keeps a bounded window of sequences above the last certified one. */
export class VoteBook {
  readonly #committee: Committee
  readonly #bySequence = new Map<number, Map<number, CheckpointVote>>()
  readonly #own = new Map<number, string>()
  /** Digests that certificates promised for checkpoints we have still to compute. */
  readonly #expected = new Map<number, string>()
  #certifiedSequence: number

  constructor(committee: Committee, certifiedSequence: number) {
    this.#committee = committee
    this.#certifiedSequence = certifiedSequence
  }

  get certifiedSequence(): number {
    return this.#certifiedSequence
  }

  /** The newest checkpoint that this node has computed itself. */
  get ownSequence(): number {
    return Math.max(this.#certifiedSequence, ...this.#own.keys())
  }

  /** We executed up to checkpoint `sequence` and found `digest`. */
  addOwn(sequence: number, digest: string): VoteOutcome {
    const expected = this.#expected.get(sequence)
    this.#expected.delete(sequence)
    if (expected !== undefined && expected !== digest)
      return { kind: 'diverged', sequence, ours: digest, theirs: expected }
    if (sequence <= this.#certifiedSequence) return { kind: 'counted' }
    this.#own.set(sequence, digest)
    return this.#evaluate(sequence)
  }

  /** The signature was checked before. One vote per author and sequence counts: the first. */
  add(author: number, vote: CheckpointVote): VoteOutcome {
    if (vote.sequence <= this.#certifiedSequence || vote.sequence > this.ownSequence + sequencesAheadMax)
      return { kind: 'counted' }
    let votes = this.#bySequence.get(vote.sequence)
    if (votes === undefined) {
      votes = new Map()
      this.#bySequence.set(vote.sequence, votes)
    }
    if (!votes.has(author)) votes.set(author, vote)
    return this.#evaluate(vote.sequence)
  }

  /** A certificate learnt while catching up replaces everything up to it. */
  skipTo(sequence: number, expectedDigest?: string): void {
    if (expectedDigest !== undefined) this.#expected.set(sequence, expectedDigest)
    if (sequence <= this.#certifiedSequence) return
    this.#certifiedSequence = sequence
    for (const book of [this.#bySequence, this.#own])
      for (const key of book.keys()) if (key <= sequence) book.delete(key)
  }

  signers(sequence: number): number {
    return this.#bySequence.get(sequence)?.size ?? 0
  }

  #evaluate(sequence: number): VoteOutcome {
    const ours = this.#own.get(sequence)
    const votes = this.#bySequence.get(sequence)
    if (ours === undefined || votes === undefined) return { kind: 'counted' }
    const agree = new WeightCounter(this.#committee)
    const differ = new WeightCounter(this.#committee)
    let theirs = ''
    for (const [author, vote] of votes) {
      if (vote.digest === ours) agree.add(author)
      else {
        differ.add(author)
        theirs = vote.digest
      }
    }
    // Together, not digest by digest: when everybody computes something else, nobody has a second voice beside them.
    if (differ.weight > this.#committee.totalWeight - this.#committee.quorumWeight)
      return { kind: 'diverged', sequence, ours, theirs }
    if (!agree.isQuorum) return { kind: 'counted' }
    const certificate: CertifiedCheckpoint = {
      sequence,
      digest: ours,
      votes: [...votes]
        .filter(([, vote]) => vote.digest === ours)
        .map(([author, vote]) => ({ author, signature: vote.signature }))
    }
    this.skipTo(sequence)
    return { kind: 'certified', certificate }
  }
}
