import { BlyanError } from '../../errors/index.ts'
import type { ExpertAddress, ExpertHome } from '../../routing/index.ts'
import type { ModelEntry, ModelPart } from '../answers/answer-types.ts'
import type { ModelCatalogue } from '../models/model-catalogue.ts'
import type { ModelEngine } from './model-engine.ts'

export type ExpertHomeNeeds = {
  readonly catalogue: Pick<ModelCatalogue, 'get'>
  readonly engine: Pick<ModelEngine, 'load'>
  readonly roomBytes: () => number
  readonly onFetched: (parts: readonly ModelPart[]) => void
}

export interface NamedExpertHome extends ExpertHome {
  /** Name on chain of an expert's part. */
  nameOf(model: string, layer: number, expert: number): string | undefined
}

const fetchTimeoutMs = 120_000
const modelsMax = 64

/** The experts of this node as the caller of others sees them: what they are called, and the way home when nobody answers. */
export function createExpertHome(needs: ExpertHomeNeeds): NamedExpertHome {
  return new CataloguedHome(needs)
}

type Places = { readonly entry: ModelEntry; readonly parts: ReadonlyMap<string, ModelPart> }

class CataloguedHome implements NamedExpertHome {
  readonly #needs: ExpertHomeNeeds
  /** By name of the model, as long as its entry is the same. */
  readonly #places = new Map<string, Places>()

  constructor(needs: ExpertHomeNeeds) {
    this.#needs = needs
  }

  resolve(model: string, layer: number, expert: number): ExpertAddress | undefined {
    const places = this.#placesOf(model)
    const part = places?.parts.get(placeOf(layer, expert))
    if (places === undefined || part === undefined) return undefined
    return { modelBlock: places.entry.block, tensor: part.tensor, width: places.entry.architecture.width }
  }

  nameOf(model: string, layer: number, expert: number): string | undefined {
    return this.#placesOf(model)?.parts.get(placeOf(layer, expert))?.name
  }

  async computeAtHome(request: Parameters<ExpertHome['computeAtHome']>[0]): Promise<readonly Float32Array[]> {
    const { model, layer, loads, signal } = request
    const places = this.#placesOf(model)
    const parts = loads.map(({ expert }) => places?.parts.get(placeOf(layer, expert)))
    if (places === undefined || !parts.every(part => part !== undefined))
      throw new BlyanError('MODEL_UNKNOWN', { model, known: 'none with these experts' })
    const lacked = parts.filter(part => !part.isHere)
    const neededBytes = lacked.reduce((total, part) => total + part.lengthBytes, 0)
    const leftBytes = this.#needs.roomBytes()
    if (neededBytes > leftBytes && !places.entry.isGenesis)
      throw new BlyanError('MODEL_TOO_LARGE', { model, experts: lacked.length, neededBytes, leftBytes })
    const names = parts.map(({ part }) => part)
    const wanted = { trunk: false, experts: new Set(names) }
    const engine = await this.#needs.engine.load(places.entry, wanted, { timeoutMs: fetchTimeoutMs, signal })
    if (!places.entry.isGenesis) this.#needs.onFetched(lacked)
    const rows = loads.map((load, index) => ({ name: names[index]!, rows: load.rows }))
    return engine.runExperts({ model, loads: rows, priority: 'answer', signal })
  }

  #placesOf(model: string): Places | undefined {
    const entry = this.#entryOf(model)
    if (entry === undefined) return undefined
    const known = this.#places.get(model)
    if (known?.entry === entry) return known
    const experts = entry.parts.filter(part => part.expert !== null)
    const places = { entry, parts: new Map(experts.map(part => [placeOf(part.layer ?? 0, part.expert!), part])) }
    if (this.#places.size >= modelsMax) this.#places.clear()
    this.#places.set(model, places)
    return places
  }

  #entryOf(model: string): ModelEntry | undefined {
    try {
      return this.#needs.catalogue.get(model)
    } catch {
      return undefined
    }
  }
}

function placeOf(layer: number, expert: number): string {
  return `${layer}/${expert}`
}
