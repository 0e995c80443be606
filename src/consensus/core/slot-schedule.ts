import type { Commit } from './commit.ts'
import { type Committee, faultsTolerated } from './committee.ts'
import type { ConsensusParameters } from './parameters.ts'

/** A vertex counts as in time when it is ordered with its own round or one of the next two. */
const lateRoundsMax = 2

/** Slots are looked at anew after this many commits. */
function everyCommits(parameters: ConsensusParameters): number {
  return Math.max(1, parameters.presenceCommits >> 2)
}

/** How many of the last commits give the slots as they stand. */
export function slotHistoryCommits(parameters: ConsensusParameters): number {
  return parameters.presenceCommits + everyCommits(parameters)
}

/**
 * Who has a slot. Whoever is missing from more than half of the last commits loses its slots, never its vote, and gets
 * them back the same way; at most as many lose them as may be faulty. A function of commits alone, so that every node
 * decides the same round under the same slots; looked at anew every few commits, so that it does not flutter.
 * Source: HammerHead (arXiv 2309.12713); docs/design.md, "Slots shrink to the reliable".
 */
export class SlotSchedule {
  readonly #committee: Committee
  readonly #parameters: ConsensusParameters
  readonly #recent: Commit[] = []
  #presence: readonly number[]
  #hasSlot: readonly boolean[]

  constructor(committee: Committee, parameters: ConsensusParameters) {
    this.#committee = committee
    this.#parameters = parameters
    this.#presence = committee.validators.map(() => 1)
    this.#hasSlot = committee.validators.map(() => true)
  }

  get slots(): readonly boolean[] {
    return this.#hasSlot
  }

  /** Share of the last commits' rounds that each member was in time for. */
  get presence(): readonly number[] {
    return this.#presence
  }

  hasSlot(author: number): boolean {
    return this.#hasSlot[author]!
  }

  /** Takes the next commit of this epoch. True when slots were given or taken. */
  note(commit: Commit): boolean {
    if (commit.round <= this.#committee.baseRound) return false
    this.#recent.push(commit)
    if (this.#recent.length > this.#parameters.presenceCommits) this.#recent.shift()
    if (commit.index % everyCommits(this.#parameters) !== 0) return false
    if (this.#recent.length < this.#parameters.presenceCommits) return false
    this.#presence = this.#measure()
    const hasSlot = this.#choose()
    const isChanged = hasSlot.some((has, author) => has !== this.#hasSlot[author])
    this.#hasSlot = hasSlot
    return isChanged
  }

  #measure(): number[] {
    const rounds = new Set(this.#recent.map(commit => commit.round))
    const seen = this.#committee.validators.map(() => new Set<number>())
    for (const commit of this.#recent) {
      for (const { round, author } of commit.vertices)
        if (commit.round - round <= lateRoundsMax && rounds.has(round)) seen[author]!.add(round)
    }
    return seen.map(present => present.size / rounds.size)
  }

  /** The most absent first, as long as those without a slot may all be faulty. */
  #choose(): boolean[] {
    const hasSlot = this.#presence.map(() => true)
    const absent = this.#presence
      .map((presence, author) => ({ presence, author }))
      .filter(({ presence }) => presence < 0.5)
      .sort((a, b) => a.presence - b.presence || a.author - b.author)
    let weight = 0
    for (const { author } of absent) {
      weight += this.#committee.validators[author]!.weight
      if (weight > faultsTolerated(this.#committee)) break
      hasSlot[author] = false
    }
    return hasSlot
  }
}
