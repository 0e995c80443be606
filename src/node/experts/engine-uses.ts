import type { ModelCatalogue } from '../models/model-catalogue.ts'
import type { EngineHost } from './engine-host.ts'

/** Rows that the engine computed at home since it was asked last, by the names that parts have on chain. */
export function createEngineUses(needs: {
  readonly catalogue: Pick<ModelCatalogue, 'list'>
  readonly host: Pick<EngineHost, 'status'>
}): () => Promise<ReadonlyMap<string, number>> {
  let before = new Map<string, number>()
  return async () => {
    const { models } = (await needs.host.status()) ?? { models: [] }
    const entries = new Map(needs.catalogue.list().map(entry => [entry.name, entry]))
    const counts = new Map<string, number>()
    const uses = new Map<string, number>()
    for (const { model, experts } of models) {
      const entry = entries.get(model)
      if (entry === undefined) continue
      for (const { name, rows, rowsElsewhere } of experts) {
        const partName = entry.isGenesis ? name : `${model}.${name}`
        const atHome = rows - rowsElsewhere
        const last = before.get(partName) ?? 0
        counts.set(partName, atHome)
        // An engine that was started anew counts from zero.
        uses.set(partName, atHome >= last ? atHome - last : atHome)
      }
    }
    before = counts
    return uses
  }
}
