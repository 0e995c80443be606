import type { Committee } from './committee.ts'

/** What a peer knows of a key that has lost its floor: the newest round it saw of it, and the newest it signed itself. */
export type Witness = { readonly seenRound: number; readonly ownRound: number }

const askAgainMs = 2000
const roundsAbove = 2

/**
 * A key whose floor is lost asks the others what it may have signed. Its lost vertex of round s had a quorum of round s-1
 * below it; any quorum of others that answers shares an honest member with that one, whose own round is s-1 or more. So
 * the key resumes two rounds above all that was said. What nobody can show for a while is a lie and does not count.
 * Source: docs/design.md, "Never twice".
 */
export class Recovery {
  readonly #committee: Committee
  readonly #self: number
  readonly #confirmMs: number
  readonly #answers = new Map<number, number>()
  readonly #askedAtMs = new Map<string, number>()
  #quorumAtMs: number | undefined

  constructor(committee: Committee, self: number, confirmMs: number) {
    this.#committee = committee
    this.#self = self
    this.#confirmMs = confirmMs
  }

  /** Validators that have not answered. */
  get waitingFor(): number[] {
    return [...this.#committee.validators.keys()].filter(author => author !== this.#self && !this.#answers.has(author))
  }

  /** Peers to ask now, of those that run a validator. */
  toAsk(nowMs: number, peers: Iterable<readonly [peer: string, validator: number | undefined]>): string[] {
    const due: string[] = []
    for (const [peer, validator] of peers) {
      if (validator === undefined || validator === this.#self || this.#answers.has(validator)) continue
      if (nowMs - (this.#askedAtMs.get(peer) ?? Number.NEGATIVE_INFINITY) < askAgainMs) continue
      this.#askedAtMs.set(peer, nowMs)
      due.push(peer)
    }
    return due
  }

  answer(validator: number, witness: Witness, nowMs: number): void {
    if (validator === this.#self) return
    this.#answers.set(validator, Math.max(witness.seenRound, witness.ownRound))
    if (this.#quorumAtMs === undefined && this.#isEnough) this.#quorumAtMs = nowMs
  }

  /** The floor to resume above, once it is known. `highestRound` is that of the vertices accepted here, ancestors and all. */
  floor(nowMs: number, highestRound: number): number | undefined {
    if (!this.#isEnough) return undefined
    const isShown = [...this.#answers.values()].every(round => round <= highestRound)
    if (!isShown && nowMs - (this.#quorumAtMs ?? nowMs) < this.#confirmMs) return undefined
    // Everybody says that nothing was ever signed: a new network, which could not begin if all left rounds out.
    const isNew = this.waitingFor.length === 0 && isShown && highestRound === this.#committee.baseRound
    return isNew ? highestRound : highestRound + roundsAbove
  }

  get #isEnough(): boolean {
    if (this.#quorumAtMs !== undefined) return true
    const own = this.#committee.validators[this.#self]!.weight
    let weight = 0
    for (const author of this.#answers.keys()) weight += this.#committee.validators[author]!.weight
    return weight >= Math.min(this.#committee.quorumWeight, this.#committee.totalWeight - own)
  }
}
