import type { CommitPoint } from './commit.ts'
import { type Committee, faultsTolerated, WeightCounter } from './committee.ts'

/** What a peer says of itself; believed only as a reason to ask. */
export type PeerProgress = {
  readonly epoch: number
  readonly round: number
  readonly commitIndex: number
  readonly certifiedCommitIndex: number
  /** The first commit it still serves. */
  readonly oldestCommitIndex: number
  /** Commit of the newest snapshot it offers; 0 for none. */
  readonly snapshotCommitIndex: number
}

export type PeerEntry = { readonly validator: number | undefined; readonly progress: PeerProgress }

const unknownProgress: PeerProgress = {
  epoch: 0,
  round: 0,
  commitIndex: 0,
  certifiedCommitIndex: 0,
  oldestCommitIndex: 1,
  snapshotCommitIndex: 0
}

/** The peers a node is connected to, and what they say of themselves. */
export class PeerTable {
  readonly #committee: Committee
  readonly #peers = new Map<string, { validator: number | undefined; progress: PeerProgress }>()

  constructor(committee: Committee) {
    this.#committee = committee
  }

  get ids(): string[] {
    return [...this.#peers.keys()]
  }

  get entries(): ReadonlyMap<string, PeerEntry> {
    return this.#peers
  }

  validatorOf(peer: string): number | undefined {
    return this.#peers.get(peer)?.validator
  }

  connected(peer: string, validator: number | undefined): void {
    this.#peers.set(peer, { validator, progress: unknownProgress })
  }

  disconnected(peer: string): void {
    this.#peers.delete(peer)
  }

  progress(peer: string, progress: PeerProgress): void {
    const entry = this.#peers.get(peer)
    if (entry !== undefined) entry.progress = progress
  }

  isConnected(author: number): boolean {
    for (const peer of this.#peers.values()) if (peer.validator === author) return true
    return false
  }

  *validators(): Iterable<readonly [peer: string, validator: number | undefined]> {
    for (const [peer, { validator }] of this.#peers) yield [peer, validator]
  }

  /** Whether more validators than may lie say what `holds` asks. */
  isSaidByMoreThanFaulty(holds: (progress: PeerProgress) => boolean): boolean {
    const weight = new WeightCounter(this.#committee)
    for (const { validator, progress } of this.#peers.values())
      if (validator !== undefined && holds(progress)) weight.add(validator)
    return weight.weight > faultsTolerated(this.#committee)
  }

  /** Where those who are believed say that the network is: the highest commit that more than the faulty claim. */
  targetCommitIndex(point: CommitPoint): number {
    const claims = [...this.#peers.values()]
      .filter(({ validator }) => validator !== undefined)
      .sort((a, b) => b.progress.certifiedCommitIndex - a.progress.certifiedCommitIndex)
    const weight = new WeightCounter(this.#committee)
    for (const { validator, progress } of claims) {
      weight.add(validator!)
      if (weight.weight > faultsTolerated(this.#committee)) return Math.max(point.index, progress.certifiedCommitIndex)
    }
    return point.index
  }
}
