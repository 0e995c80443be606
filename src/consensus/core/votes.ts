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
  /** Those who order have signed, where that is less than a quorum: enough for others to catch up by, once a sequence. */
  | { readonly kind: 'ordered'; readonly certificate: CertifiedCheckpoint }
  /** More weight than may be faulty signed something else than we computed. */
  | { readonly kind: 'diverged'; readonly sequence: number; readonly ours: string; readonly theirs: string }

const sequencesAheadMax = 64
/** While a member is away for long, nothing is certified: of what is older than the newest, one in so many is kept. */
const newestKept = 128
export const sequencesPerKept = 32
const keptMax = 4096

/** Collects the validators' signatures on checkpoints; keeps a bounded window of sequences above the last certified one. */
export class VoteBook {
  readonly #committee: Committee
  readonly #bySequence = new Map<number, Map<number, CheckpointVote>>()
  readonly #own = new Map<number, string>()
  readonly #ordered = new Set<number>()
  /** Digests that certificates promised for checkpoints we have still to compute. */
  readonly #expected = new Map<number, string>()
  #certifiedSequence: number
  #newestOwn = 0

  constructor(committee: Committee, certifiedSequence: number) {
    this.#committee = committee
    this.#certifiedSequence = certifiedSequence
  }

  get certifiedSequence(): number {
    return this.#certifiedSequence
  }

  /** The newest checkpoint that this node has computed itself. */
  get ownSequence(): number {
    return Math.max(this.#certifiedSequence, this.#newestOwn)
  }

  /** We executed up to checkpoint `sequence` and found `digest`. */
  addOwn(sequence: number, digest: string): VoteOutcome {
    const expected = this.#expected.get(sequence)
    this.#expected.delete(sequence)
    if (expected !== undefined && expected !== digest)
      return { kind: 'diverged', sequence, ours: digest, theirs: expected }
    if (sequence <= this.#certifiedSequence) return { kind: 'counted' }
    this.#own.set(sequence, digest)
    this.#newestOwn = Math.max(this.#newestOwn, sequence)
    this.#thinOut()
    return this.#evaluate(sequence)
  }

  /** The signature was checked before. One vote per author and sequence counts: the first. */
  add(author: number, vote: CheckpointVote): VoteOutcome {
    if (vote.sequence <= this.#certifiedSequence || vote.sequence > this.ownSequence + sequencesAheadMax)
      return { kind: 'counted' }
    if (vote.sequence <= this.#newestOwn - newestKept && !this.#own.has(vote.sequence)) return { kind: 'counted' }
    let votes = this.#bySequence.get(vote.sequence)
    if (votes === undefined) {
      votes = new Map()
      this.#bySequence.set(vote.sequence, votes)
    }
    if (!votes.has(author)) votes.set(author, vote)
    return this.#evaluate(vote.sequence)
  }

  /** Those who order promise this digest; what makes it final is still to come. */
  expect(sequence: number, digest: string): void {
    if (sequence > this.ownSequence) this.#expected.set(sequence, digest)
  }

  /** Whether this member has signed our newest checkpoint, or what it would sign is certified without it. */
  hasSignedNewest(author: number): boolean {
    const sequence = this.ownSequence
    return sequence <= this.#certifiedSequence || this.#bySequence.get(sequence)?.has(author) === true
  }

  /** A certificate that somebody else has, of a checkpoint that we have computed too. */
  confirm({ sequence, digest }: { readonly sequence: number; readonly digest: string }): VoteOutcome {
    const ours = this.#own.get(sequence)
    if (ours !== undefined && ours !== digest) return { kind: 'diverged', sequence, ours, theirs: digest }
    this.skipTo(sequence)
    return { kind: 'counted' }
  }

  /** A certificate learnt while catching up replaces everything up to it. */
  skipTo(sequence: number, expectedDigest?: string): void {
    if (expectedDigest !== undefined) this.#expected.set(sequence, expectedDigest)
    if (sequence <= this.#certifiedSequence) return
    this.#certifiedSequence = sequence
    for (const book of [this.#bySequence, this.#own, this.#ordered])
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
    const isOrdered = agree.isOrderingQuorum && !this.#ordered.has(sequence)
    if (!agree.isQuorum && !isOrdered) return { kind: 'counted' }
    const certificate: CertifiedCheckpoint = {
      sequence,
      digest: ours,
      votes: [...votes]
        .filter(([, vote]) => vote.digest === ours)
        .map(([author, vote]) => ({ author, signature: vote.signature }))
    }
    if (!agree.isQuorum) {
      this.#ordered.add(sequence)
      return { kind: 'ordered', certificate }
    }
    this.skipTo(sequence)
    return { kind: 'certified', certificate }
  }

  /** Certifying the newest covers all before it; some of these are kept, so that proofs need not span all the time. */
  #thinOut(): void {
    const old = this.#newestOwn - newestKept
    if (old % sequencesPerKept !== 0) this.#forget(old)
    if (this.#own.size > keptMax) this.#forget(this.#own.keys().next().value!)
  }

  #forget(sequence: number): void {
    for (const book of [this.#bySequence, this.#own, this.#ordered]) book.delete(sequence)
  }
}
