import type { Plan, PlanRequest } from '../routing-types.ts'
import { type Candidate, chooseHolders } from './choose.ts'
import type { HolderBook } from './holder-book.ts'
import { type PlannedHolder, predict } from './planner.ts'

export type PlanNeeds = {
  readonly nowMs: number
  readonly book: HolderBook
  readonly candidates: (tensor: string, nowMs: number) => readonly Candidate[]
}

/** Who would be asked for what, and how many tokens a second that gives; null where too little was measured to say. */
export function planCalls(request: PlanRequest, { nowMs, book, candidates }: PlanNeeds): Plan {
  const { expertsPerLayer, expertsPerToken, batch, homeMsPerToken } = request
  const rows = Math.max(1, (batch * expertsPerToken) / expertsPerLayer)
  const layers = new Map<number, string[]>()
  for (const { layer, address } of request.elsewhere) layers.set(layer, [...(layers.get(layer) ?? []), address.tensor])
  const expertsOf = new Map<string, number>()
  const missing: string[] = []
  const single: string[] = []
  const planned = [...layers.values()].map(tensors => {
    const loads = tensors.map(tensor => ({
      tensor,
      rows,
      candidates: candidates(tensor, nowMs),
      lastPeerId: undefined
    }))
    for (const load of loads) if (load.candidates.length === 1) single.push(load.tensor)
    const choice = chooseHolders(loads)
    for (const place of choice.missing) missing.push(tensors[place]!)
    const holders = choice.groups.map(group => {
      expertsOf.set(group.peerId, (expertsOf.get(group.peerId) ?? 0) + group.loads.length)
      return { holder: holderOf(group.peerId, book, nowMs), experts: group.loads.length }
    })
    return { holders }
  })
  const isMeasured = [...expertsOf.keys()].every(peerId => {
    const times = book.times(peerId)
    return times.calls > 0 || times.roundTripMs !== null
  })
  const prediction =
    homeMsPerToken !== null && missing.length === 0 && isMeasured
      ? predict({ homeMsPerToken, expertsPerLayer, expertsPerToken, batch, layers: planned })
      : undefined
  return {
    predictedTokensPerSecond: prediction?.tokensPerSecond ?? null,
    holders: [...expertsOf].map(([peerId, experts]) => ({
      peerId,
      experts,
      roundTripMs: book.times(peerId).roundTripMs
    })),
    missing,
    single
  }
}

function holderOf(peerId: string, book: HolderBook, nowMs: number): PlannedHolder {
  const times = book.times(peerId)
  const baseMs = times.expectedMs(0, nowMs)
  return { peerId, baseMs, rowMs: (times.expectedMs(100, nowMs) - baseMs) / 100 }
}
