import { type Committee, WeightCounter } from './core/committee.ts'
import type { Vertex } from './core/vertex.ts'
import type { VertexStore } from './vertex-store.ts'

export type SlotWitnesses = { readonly prepared: readonly number[]; readonly committed: readonly number[] }

/** Who PREPAREd and who COMMITted a vertex, by their vertices of the two rounds after it. */
export async function witnessesOf(vertex: Vertex, committee: Committee, store: VertexStore): Promise<SlotWitnesses> {
  const { round, epoch } = vertex.header
  const prepared = new Map<string, number>()
  const committed = new Set<number>()
  for await (const later of store.rounds(round + 1, round + 2)) {
    if (later.header.epoch !== epoch) continue
    if (later.header.round === round + 1) {
      if (later.header.parents.some(parent => parent.digest === vertex.digest))
        prepared.set(later.digest, later.header.author)
      continue
    }
    const weight = new WeightCounter(committee)
    for (const parent of later.header.parents) if (prepared.has(parent.digest)) weight.add(parent.author)
    if (weight.isOrderingQuorum) committed.add(later.header.author)
  }
  return {
    prepared: [...new Set(prepared.values())].sort((a, b) => a - b),
    committed: [...committed].sort((a, b) => a - b)
  }
}
