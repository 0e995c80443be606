import type { HolderStanding } from './holder-book.ts'

/** Somebody who may be asked, as far as choosing goes. */
export type Candidate = {
  readonly peerId: string
  readonly standing: HolderStanding
  /** Expected milliseconds for a call of no rows, and for each row. */
  readonly baseMs: number
  readonly rowMs: number
  /** Calls it has open, ours and, as far as it says, those of others. */
  readonly openCalls: number
}

export type ChoiceLoad = {
  readonly tensor: string
  readonly rows: number
  readonly candidates: readonly Candidate[]
  /** Who computed it last. */
  readonly lastPeerId: string | undefined
}

/** Places of the loads that one holder is asked for. */
export type Group = { readonly peerId: string; readonly loads: readonly number[] }

export type Choice = {
  readonly groups: readonly Group[]
  /** Places of the loads that nobody can be asked for. */
  readonly missing: readonly number[]
}

/** What one more message costs us, so that few holders are asked where that is no slower. */
const messageMs = 0.5
const openCallShare = 0.25
/** Who computed an expert last has its weights warm. */
const lastShare = 0.85
/** How unwillingly each is asked: only when the others are this much slower, or not there. */
const reluctance: Readonly<Record<HolderStanding, { readonly factor: number; readonly addMs: number }>> = {
  good: { factor: 1, addMs: 0 },
  probation: { factor: 1.5, addMs: 2 },
  suspect: { factor: 4, addMs: 2000 },
  excluded: { factor: 4, addMs: 10_000 }
}

/**
 * Who is asked for what: each load goes to where the call would be done first, one message for a holder. Those with
 * fewest holders choose first, then those with most rows; equal ones by name, so that the same input gives the same choice.
 */
export function chooseHolders(loads: readonly ChoiceLoad[]): Choice {
  const order = loads
    .map((_, place) => place)
    .sort((a, b) => {
      const [one, other] = [loads[a]!, loads[b]!]
      return one.candidates.length - other.candidates.length || other.rows - one.rows || a - b
    })
  const groups = new Map<string, { readonly loads: number[]; finishMs: number }>()
  const missing: number[] = []
  for (const place of order) {
    const load = loads[place]!
    let best: { peerId: string; finishMs: number; costMs: number } | undefined
    for (const candidate of load.candidates) {
      const { peerId } = candidate
      const { factor, addMs } = reluctance[candidate.standing]
      const crowd = 1 + openCallShare * candidate.openCalls
      const group = groups.get(peerId)
      const beganMs = group === undefined ? candidate.baseMs * crowd * factor + addMs : group.finishMs
      const finishMs = beganMs + load.rows * candidate.rowMs * crowd * factor
      const costMs = finishMs * (peerId === load.lastPeerId ? lastShare : 1) + (group === undefined ? messageMs : 0)
      if (best !== undefined && (costMs > best.costMs || (costMs === best.costMs && peerId >= best.peerId))) continue
      best = { peerId, finishMs, costMs }
    }
    if (best === undefined) {
      missing.push(place)
      continue
    }
    const group = groups.get(best.peerId) ?? { loads: [], finishMs: 0 }
    group.loads.push(place)
    group.finishMs = best.finishMs
    groups.set(best.peerId, group)
  }
  return {
    groups: [...groups].map(([peerId, group]) => ({ peerId, loads: group.loads.toSorted((a, b) => a - b) })),
    missing: missing.toSorted((a, b) => a - b)
  }
}
