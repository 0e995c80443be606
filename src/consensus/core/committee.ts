/** One voting member of the network. `weight` is a positive integer: 1 each, or stake in whole units. */
export type Validator = {
  readonly name: string
  /** Consensus key with its multicodec prefix. */
  readonly publicKey: Uint8Array
  /** libp2p identity of the node that runs it. */
  readonly peerId: string
  readonly origin: string
  readonly region: string
  readonly weight: number
}

/** A validator set for one epoch; everybody's index is their place in `validators`. */
export type Committee = {
  readonly epoch: number
  readonly validators: readonly Validator[]
  readonly totalWeight: number
  /** floor(2N/3)+1 of the total weight: what makes an event final. Two quorums share more than the faults tolerated. */
  readonly quorumWeight: number
  /**
   * What orders events: the same, but in a network that declares `degraded = "crash"` a majority. Two of these share one
   * member, which is enough against crashes and partitions, not against lies.
   */
  readonly orderingWeight: number
  /** Round of the unsigned vertices that the epoch begins with. */
  readonly baseRound: number
}

export type DegradedMode = 'none' | 'crash'

export function createCommittee(
  epoch: number,
  validators: readonly Validator[],
  options: { readonly baseRound?: number; readonly degraded?: DegradedMode } = {}
): Committee {
  const totalWeight = validators.reduce((sum, validator) => sum + validator.weight, 0)
  const quorumWeight = Math.floor((2 * totalWeight) / 3) + 1
  return {
    epoch,
    validators,
    totalWeight,
    quorumWeight,
    orderingWeight: options.degraded === 'crash' ? Math.floor(totalWeight / 2) + 1 : quorumWeight,
    baseRound: options.baseRound ?? 0
  }
}

/** What an epoch begins with: its members, what its first vertices are bound to, and the time they carry. */
export type EpochStart = {
  readonly committee: Committee
  /** SHA-256 of genesis, or of the checkpoint that ended the epoch before. */
  readonly digest: Uint8Array
  readonly timestampMs: number
}

/** Weight that may fail in any way while the others go on and stay safe. */
export function faultsTolerated(committee: Committee): number {
  return Math.floor((committee.totalWeight - 1) / 3)
}

/** Sums the weight of distinct members: adding one twice counts once. */
export class WeightCounter {
  readonly #committee: Committee
  readonly #seen: boolean[] = []
  weight = 0

  constructor(committee: Committee) {
    this.#committee = committee
  }

  add(author: number): void {
    if (this.#seen[author] === true) return
    this.#seen[author] = true
    this.weight += this.#committee.validators[author]!.weight
  }

  get isQuorum(): boolean {
    return this.weight >= this.#committee.quorumWeight
  }

  get isOrderingQuorum(): boolean {
    return this.weight >= this.#committee.orderingWeight
  }
}

/** What a quorum of this size survives, said plainly (docs/design.md, "Small quorums"). */
export function promiseOf(committee: Committee): string {
  const count = committee.validators.length
  const faults = faultsTolerated(committee)
  if (count === 1) return 'one validator: a network for development, safe only as long as this one process is'
  if (faults === 0 && committee.orderingWeight < committee.quorumWeight)
    return `${count} validators: one may crash or be cut off and events are ordered, degraded until it confirms them; no lie is tolerated`
  if (faults === 0) return `${count} validators: no fault is tolerated, one stopped validator halts finality`
  return `${count} validators: ${faults} may crash, be cut off or lie, and finality goes on`
}
