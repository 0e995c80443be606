import { BlyanError } from '../../errors/index.ts'
import type { LearningPart, ModelParts } from '../../learning/index.ts'

/** Experts that somebody trains alone, and the rows by which routers choose them. */
export type ProposedParts = {
  /** Experts first, then routers. */
  readonly all: readonly LearningPart[]
  /** By short name of the router: numbers of the experts whose rows may change. */
  readonly rows: ReadonlyMap<string, ReadonlySet<number>>
}

const knownShown = 8

/** Throws LEARNING_PART_UNKNOWN for what is no expert of the model. */
export function partsToPropose(parts: ModelParts, names: readonly string[]): ProposedParts {
  const experts = parts.all.filter(({ part }) => numbersOf(part) !== undefined)
  const found = new Map<string, LearningPart>()
  const rows = new Map<string, Set<number>>()
  for (const name of names) {
    const expert = experts.find(one => one.part === name || one.name === name)
    if (expert === undefined) {
      const known = `${experts.slice(0, knownShown).map(({ part }) => part)}${experts.length > knownShown ? ' and more' : ''}`
      throw new BlyanError('LEARNING_PART_UNKNOWN', { model: parts.model, part: name, known })
    }
    found.set(expert.part, expert)
    const { layer, number } = numbersOf(expert.part)!
    const router = `layer${layer}.router`
    rows.set(router, new Set([...(rows.get(router) ?? []), number]))
  }
  const routers = parts.all.filter(({ part }) => rows.has(part))
  return { all: [...found.values(), ...routers], rows }
}

/** Changes by short name, with all rows of routers as they were but those of the experts that were trained. */
export function rowsAlone(
  { all, rows }: ProposedParts,
  changes: ReadonlyMap<string, Float32Array>
): ReadonlyMap<string, Float32Array> {
  const alone = new Map<string, Float32Array>()
  for (const { part, shape } of all) {
    const change = changes.get(part)!
    const kept = rows.get(part)
    const width = shape[1]!
    alone.set(
      part,
      kept === undefined ? change : change.map((value, at) => (kept.has(Math.floor(at / width)) ? value : 0))
    )
  }
  return alone
}

function numbersOf(part: string): { layer: number; number: number } | undefined {
  const [, layer, number] = /^layer(\d+)\.expert(\d+)$/.exec(part) ?? []
  return layer === undefined ? undefined : { layer: Number(layer), number: Number(number) }
}
