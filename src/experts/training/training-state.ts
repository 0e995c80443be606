import { BlyanError } from '../../errors/index.ts'
import type { Architecture } from '../model/architecture.ts'
import { describeModel, type PartDescription } from '../model/part-layout.ts'
import type { CheckpointSection } from './checkpoint.ts'

/** One slice of a part, under the name that graphs know it by: `<part>/<slice>`. */
export type SliceValues = {
  readonly name: string
  readonly part: string
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** The values of one model while it is trained: base, present, and moments of the optimiser, for trained parts only. */
export interface TrainingState {
  readonly trained: readonly PartDescription[]
  /** All slices as they are in training. */
  readonly slices: readonly SliceValues[]
  /** Base values of a part, the array itself. Throws PART_UNKNOWN. */
  base(part: string): Float32Array
  /** Values now minus base, of `count` values from `from` on. Throws PART_UNKNOWN for a part that is not trained. */
  delta(part: string, from: number, count: number): Float32Array
  /** Puts new base values in place. With `keep` differences to the old base stay; without, every trained part starts from its base. */
  rebase(parts: ReadonlyMap<string, Float32Array>, keep: boolean): void
  /** What a checkpoint holds of the values; views. */
  sections(): readonly CheckpointSection[]
}

/** Which parts `trained` names. Throws TRAINING_PART_UNKNOWN. */
export function trainedParts(
  architecture: Architecture,
  trained: readonly string[] | 'all' | 'none'
): readonly PartDescription[] {
  const parts = describeModel(architecture)
  if (trained === 'all') return parts
  if (trained === 'none') return []
  const known = new Set(parts.map(part => part.name))
  for (const part of trained) if (!known.has(part)) throw new BlyanError('TRAINING_PART_UNKNOWN', { part })
  const wanted = new Set(trained)
  return parts.filter(part => wanted.has(part.name))
}

/** Takes over `base`, the values of every part of the architecture. */
export function createTrainingState(
  architecture: Architecture,
  base: ReadonlyMap<string, Float32Array>,
  trained: readonly PartDescription[]
): TrainingState {
  return new FlatTrainingState(architecture, base, trained)
}

/** Values plus a change, an array of its own. */
export function addChange(values: Float32Array, change: Float32Array): Float32Array {
  const sum = new Float32Array(values.length)
  for (let i = 0; i < sum.length; i++) sum[i] = values[i]! + change[i]!
  return sum
}

/** The slices of one part as views of its values. */
export function slicesOf(part: PartDescription, values: Float32Array): SliceValues[] {
  return part.slices.map(({ name, shape, offsetBytes, lengthBytes }) => {
    const at = offsetBytes / 4
    return { name: `${part.name}/${name}`, part: part.name, shape, values: values.subarray(at, at + lengthBytes / 4) }
  })
}

class FlatTrainingState implements TrainingState {
  readonly trained: readonly PartDescription[]
  readonly slices: readonly SliceValues[]
  readonly #base: ReadonlyMap<string, Float32Array>
  readonly #now = new Map<string, Float32Array>()

  constructor(
    architecture: Architecture,
    base: ReadonlyMap<string, Float32Array>,
    trained: readonly PartDescription[]
  ) {
    this.trained = trained
    this.#base = base
    for (const { name } of trained) this.#now.set(name, Float32Array.from(this.base(name)))
    this.slices = describeModel(architecture).flatMap(part =>
      slicesOf(part, this.#now.get(part.name) ?? this.base(part.name))
    )
  }

  base(part: string): Float32Array {
    return found(part, this.#base)
  }

  delta(part: string, from: number, count: number): Float32Array {
    const now = found(part, this.#now).subarray(from, from + count)
    const base = this.base(part).subarray(from, from + count)
    const delta = new Float32Array(now.length)
    for (let i = 0; i < delta.length; i++) delta[i] = now[i]! - base[i]!
    return delta
  }

  rebase(parts: ReadonlyMap<string, Float32Array>, keep: boolean): void {
    for (const [part, values] of parts) {
      const base = this.base(part)
      const now = this.#now.get(part)
      if (keep && now !== undefined) moveBase(now, base, values)
      base.set(values)
    }
    if (!keep) for (const [part, now] of this.#now) now.set(this.base(part))
  }

  sections(): readonly CheckpointSection[] {
    return [...this.#now].flatMap(([name, values]) => [
      { name: `${name} base`, values: this.base(name) },
      { name: `${name} now`, values }
    ])
  }
}

function found(part: string, among: ReadonlyMap<string, Float32Array>): Float32Array {
  const values = among.get(part)
  if (values === undefined) throw new BlyanError('PART_UNKNOWN', { part })
  return values
}

function moveBase(now: Float32Array, from: Float32Array, to: Float32Array): void {
  for (let i = 0; i < now.length; i++) now[i] = to[i]! + (now[i]! - from[i]!)
}
