import { callLimits, type Patience, patienceFor } from './call-limits.ts'
import type { RunNeeds } from './call-run.ts'
import { type Candidate, type Choice, chooseHolders } from './choose.ts'
import type { HolderBook } from './holder-book.ts'

export type PlacementLoad = { readonly tensor: string; readonly rows: number }

export type PlacementNeeds = {
  readonly book: HolderBook
  /** Peers that say they hold it and can be reached. */
  readonly holdersOf: (tensor: string) => Iterable<string>
  /** Calls a holder says it has open, those of others with ours. */
  readonly openCallsOf: (peerId: string) => number
  /** What checks of its answers say. */
  readonly reputationOf: (peerId: string, nowMs: number) => 'good' | 'probation' | 'quarantined'
}

const rememberedMax = 16_384

/** Who is fit to be asked for what, from what is known now; and whom it was, so that a request stays with its peers. */
export class Placement {
  readonly #needs: PlacementNeeds
  readonly #last = new Map<string, string>()
  #hedges: number = callLimits.hedgesSavedMax

  constructor(needs: PlacementNeeds) {
    this.#needs = needs
  }

  /** Everybody who may be asked, `excluded` ones only when `isLast`. */
  candidates(tensor: string, nowMs: number, isLast: boolean): Candidate[] {
    const { book, holdersOf, openCallsOf, reputationOf } = this.#needs
    const found: Candidate[] = []
    for (const peerId of holdersOf(tensor)) {
      const reputation = reputationOf(peerId, nowMs)
      const own = book.standing(peerId, nowMs)
      if (reputation === 'quarantined' || (own === 'excluded' && !isLast)) continue
      const times = book.times(peerId)
      const baseMs = times.expectedMs(0, nowMs)
      found.push({
        peerId,
        standing: own === 'good' && reputation === 'probation' ? 'probation' : own,
        baseMs,
        rowMs: (times.expectedMs(100, nowMs) - baseMs) / 100,
        openCalls: Math.max(book.openCalls(peerId), openCallsOf(peerId))
      })
    }
    return found
  }

  /** What a run over these loads needs to decide; it keeps asking for the time of `nowMs`. */
  runNeeds(loads: readonly PlacementLoad[], nowMs: () => number): RunNeeds {
    this.#hedges = Math.min(callLimits.hedgesSavedMax, this.#hedges + callLimits.hedgesPerCall)
    return {
      loads: loads.length,
      choose: (places, tried, isLast) => this.#choose(loads, places, tried, isLast, nowMs()),
      patience: (peerId, places) => this.#patience(loads, peerId, places, nowMs()),
      mayHedge: () => {
        if (this.#hedges < 1) return false
        this.#hedges--
        return true
      }
    }
  }

  #choose(
    loads: readonly PlacementLoad[],
    places: readonly number[],
    tried: (place: number) => ReadonlySet<string>,
    isLast: boolean,
    nowMs: number
  ): Choice {
    const choice = chooseHolders(
      places.map(place => {
        const { tensor, rows } = loads[place]!
        const without = tried(place)
        const candidates = this.candidates(tensor, nowMs, isLast).filter(({ peerId }) => !without.has(peerId))
        return { tensor, rows, candidates, lastPeerId: this.#last.get(tensor) }
      })
    )
    const placeOf = (index: number): number => places[index]!
    const groups = choice.groups.map(({ peerId, loads: indices }) => ({ peerId, loads: indices.map(placeOf) }))
    for (const { peerId, loads: chosen } of groups)
      for (const place of chosen) this.#remember(loads[place]!.tensor, peerId)
    return { groups, missing: choice.missing.map(placeOf) }
  }

  #patience(loads: readonly PlacementLoad[], peerId: string, places: readonly number[], nowMs: number): Patience {
    const rows = places.reduce((sum, place) => sum + loads[place]!.rows, 0)
    const times = this.#needs.book.times(peerId)
    // Its first calls find its sessions and pages cold.
    if (times.calls < callLimits.coldCalls)
      return { hedgeMs: callLimits.hedgeMsMax, deadlineMs: callLimits.deadlineMsMax }
    return patienceFor(times.expectedMs(rows, nowMs), times.slowMs(rows, nowMs))
  }

  #remember(tensor: string, peerId: string): void {
    this.#last.delete(tensor)
    if (this.#last.size >= rememberedMax) this.#last.delete(this.#last.keys().next().value!)
    this.#last.set(tensor, peerId)
  }
}
