import type { PartChain } from '../../../src/dag/index.ts'
import {
  codecNamed,
  defaultAggregationRules,
  digestOfValues,
  flatLayouts,
  packDeltaFile,
  partTensor,
  replayUpdate,
  type TensorInfo,
  type TensorStore,
  type TileLayout
} from '../../../src/tiles/index.ts'

export const network = 'bafynetwork'
export const model = 'genesis'
export const int8 = codecNamed('int8')

/** Values between -1 and 1 that are the same every time. */
export function noise(length: number, seed: number): Float32Array {
  let state = (seed * 2_654_435_761 + 1) >>> 0
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 31 - 1
  })
}

/** A part with versions as a primary makes them: every one of two deltas upon the one before. */
export class GrowingPart {
  readonly name: string
  readonly layouts: readonly TileLayout[]
  readonly #tensors: TensorStore
  #newest: TensorInfo
  #snapshot: string
  #updates: { update: string; tensor: string; sizeBytes: number }[] = []
  readonly history: string[]

  private constructor(name: string, length: number, tensors: TensorStore, first: TensorInfo) {
    this.name = name
    this.layouts = flatLayouts(length)
    this.#tensors = tensors
    this.#newest = first
    this.#snapshot = first.cid
    this.history = [first.cid]
  }

  static async begin(tensors: TensorStore, name: string, length: number): Promise<GrowingPart> {
    const first = await tensors.putTensor(partTensor({ name, shape: [length] }, noise(length, name.length)))
    return new GrowingPart(name, length, tensors, first)
  }

  get chain(): PartChain {
    return { snapshot: this.#snapshot, updates: [...this.#updates] }
  }

  get newest(): string {
    return this.#newest.cid
  }

  /** Makes the next version with its update file; `others` share the file. */
  async grow(round: number, others: readonly GrowingPart[] = []): Promise<void> {
    const parts = [this, ...others]
    const frames = []
    for (const part of parts) frames.push(...(await part.#step(round)))
    const header = {
      network,
      model,
      kind: 'update',
      round,
      baseRound: round,
      codec: 'int8',
      steps: 0,
      tokens: 0
    } as const
    const bytes = packDeltaFile({ ...header, author: 'primary' }, frames)
    const file = await this.#tensors.putTensor({ name: 'update', dtype: 'int8', shape: [bytes.length], data: bytes })
    for (const part of parts) {
      part.#updates.push({ update: file.cid, tensor: part.newest, sizeBytes: Math.ceil(bytes.length / parts.length) })
    }
  }

  compact(): void {
    this.#snapshot = this.newest
    this.#updates = []
  }

  async #step(round: number) {
    const { length } = this.layouts.reduce((sum, layout) => ({ length: sum.length + layout.length }), { length: 0 })
    const base = this.#newest
    const accepted = [1, 2].map(learner => ({
      values: noise(length, 100 * round + learner).map(value => value / 100),
      weightPpm: 1_000_000 / learner
    }))
    const rules = defaultAggregationRules
    const made = await replayUpdate({ base, accepted, layouts: this.layouts, rules, codec: int8 })
    this.#newest = await this.#tensors.putTensor(partTensor(base, made.values))
    this.history.push(this.newest)
    return made.frames.map(({ tile, length: elements, bytes, decoded }) => ({
      part: this.name,
      tile,
      base: base.cid,
      length: elements,
      codec: 'int8' as const,
      bytes,
      decodedDigest: digestOfValues(decoded)
    }))
  }
}
