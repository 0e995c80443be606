import { BlyanError } from '../../errors/index.ts'
import type { Engine } from '../../experts/index.ts'
import type { FetchOptions } from '../../tiles/index.ts'
import type { AnswerMode, ModelEntry, ModelPart } from '../answers/answer-types.ts'
import type { ModelEngine } from './model-engine.ts'

/**
 * Where the experts of each model are computed while answers run: those this node holds at home, the others elsewhere, all
 * of them at home while somebody answers in mode standard.
 */
export interface ExpertPlaces {
  /** The mode of an answer that asks for none. */
  modeFor(entry: ModelEntry, asked: AnswerMode | undefined): AnswerMode
  /** Maps what is needed. Throws MODEL_TOO_LARGE; as fetchTensor and Engine do. */
  enter(entry: ModelEntry, mode: AnswerMode, options: FetchOptions): Promise<ExpertPlace>
  /** After this node has come to hold other experts. */
  refresh(entry: ModelEntry): Promise<void>
}

export interface ExpertPlace {
  readonly engine: Engine
  /** Experts that others are asked for. */
  readonly elsewhere: readonly ModelPart[]
  /** Again: does nothing. */
  leave(): void
}

export type ExpertPlacesNeeds = {
  readonly engine: Pick<ModelEngine, 'load' | 'setElsewhere'>
  /** Short names of the experts this node holds. */
  readonly held: (entry: ModelEntry) => ReadonlySet<string>
  /** Room on disk for experts that are not here. */
  readonly roomBytes: () => number
  /** These came here because an answer needed them. */
  readonly onFetched: (parts: readonly ModelPart[]) => void
}

/** A model that lacks no more than this is completed before it answers; a larger one asks others meanwhile. */
const quickFetchBytesMax = 64 * 1024 * 1024

export function createExpertPlaces(needs: ExpertPlacesNeeds): ExpertPlaces {
  return new CountedPlaces(needs)
}

class CountedPlaces implements ExpertPlaces {
  readonly #needs: ExpertPlacesNeeds
  /** Answers in mode standard, by model. */
  readonly #standard = new Map<string, number>()

  constructor(needs: ExpertPlacesNeeds) {
    this.#needs = needs
  }

  modeFor(entry: ModelEntry, asked: AnswerMode | undefined): AnswerMode {
    if (asked !== undefined) return asked
    const others = this.#notHeld(entry)
    if (others.length === 0) return 'standard'
    const lackedBytes = bytesOf(others.filter(part => !part.isHere))
    return lackedBytes <= Math.min(quickFetchBytesMax, this.#needs.roomBytes()) ? 'standard' : 'distributed'
  }

  async enter(entry: ModelEntry, mode: AnswerMode, options: FetchOptions): Promise<ExpertPlace> {
    const isStandard = mode === 'standard'
    if (isStandard) this.#count(entry.name, 1)
    let hasLeft = false
    const leave = (): void => {
      if (hasLeft) return
      hasLeft = true
      if (!isStandard) return
      this.#count(entry.name, -1)
      // Nothing depends on it now: the next answer sets it again.
      this.refresh(entry).catch(() => {})
    }
    try {
      const engine = await (isStandard ? this.#loadAll(entry, options) : this.#loadHeld(entry, options))
      await this.refresh(entry)
      return { engine, elsewhere: this.#elsewhere(entry), leave }
    } catch (error) {
      leave()
      throw error
    }
  }

  async refresh(entry: ModelEntry): Promise<void> {
    await this.#needs.engine.setElsewhere(
      entry,
      this.#elsewhere(entry).map(({ part }) => part)
    )
  }

  #elsewhere(entry: ModelEntry): ModelPart[] {
    if (this.#standard.has(entry.name)) return []
    return this.#notHeld(entry)
  }

  #notHeld(entry: ModelEntry): ModelPart[] {
    const held = this.#needs.held(entry)
    return expertsOf(entry).filter(({ part }) => !held.has(part))
  }

  async #loadAll(entry: ModelEntry, options: FetchOptions): Promise<Engine> {
    const lacked = entry.isGenesis ? [] : expertsOf(entry).filter(part => !part.isHere)
    const leftBytes = this.#needs.roomBytes()
    const neededBytes = bytesOf(lacked)
    if (neededBytes > leftBytes)
      throw new BlyanError('MODEL_TOO_LARGE', { model: entry.name, experts: lacked.length, neededBytes, leftBytes })
    const engine = await this.#needs.engine.load(entry, { trunk: true, experts: 'all' }, options)
    this.#needs.onFetched(lacked)
    return engine
  }

  #loadHeld(entry: ModelEntry, options: FetchOptions): Promise<Engine> {
    return this.#needs.engine.load(entry, { trunk: true, experts: this.#needs.held(entry) }, options)
  }

  #count(model: string, change: number): void {
    const count = (this.#standard.get(model) ?? 0) + change
    if (count === 0) this.#standard.delete(model)
    else this.#standard.set(model, count)
  }
}

function expertsOf(entry: ModelEntry): ModelPart[] {
  return entry.parts.filter(part => part.expert !== null)
}

function bytesOf(parts: readonly ModelPart[]): number {
  return parts.reduce((total, part) => total + part.lengthBytes, 0)
}
