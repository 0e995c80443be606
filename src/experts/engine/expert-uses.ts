import type { ExpertUse } from './engine-types.ts'

/** Which experts of a model are used how much; names come from its architecture, so there are never more than it has. */
export interface ExpertUses {
  note(name: string, rows: number, isElsewhere: boolean): void
  /** Most rows first, at most 4096. */
  list(): readonly ExpertUse[]
}

const listedMax = 4096

export function createExpertUses(): ExpertUses {
  return new CountedUses()
}

class CountedUses implements ExpertUses {
  readonly #uses = new Map<string, { name: string; calls: number; rows: number; rowsElsewhere: number }>()

  note(name: string, rows: number, isElsewhere: boolean): void {
    const use = this.#uses.get(name) ?? { name, calls: 0, rows: 0, rowsElsewhere: 0 }
    this.#uses.set(name, use)
    use.calls++
    use.rows += rows
    if (isElsewhere) use.rowsElsewhere += rows
  }

  list(): readonly ExpertUse[] {
    return [...this.#uses.values()].sort((a, b) => b.rows - a.rows).slice(0, listedMax)
  }
}
