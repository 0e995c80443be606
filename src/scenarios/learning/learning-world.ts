import type { Genesis } from '../../dag/index.ts'
import type { Random } from '../seeded-random.ts'
import type { SimulatedNetwork } from '../simulated-network.ts'
import type { FileSizes } from './file-sizes.ts'
import type { Machine, Wires } from './machines.ts'
import type { LearningSetting } from './setting.ts'

export const simulatedModel = 'genesis'

/** What everybody in the simulation sees and uses. */
export type LearningWorld = {
  readonly setting: LearningSetting
  readonly genesis: Genesis
  readonly network: SimulatedNetwork
  readonly wires: Wires
  readonly sizes: FileSizes
  readonly random: Random
  readonly agenda: Agenda
  readonly waits: Waits
  /** By account. */
  readonly machines: ReadonlyMap<string, Machine>
}

/** What people wait for in a round, in milliseconds. */
export const waitKinds = ['upload', 'region', 'aggregate', 'measure', 'download'] as const
export type WaitKind = (typeof waitKinds)[number]

/** Times that things took; the slow ones are what a round waits for. */
export class Waits {
  readonly #times = new Map<WaitKind, number[]>()

  note(kind: WaitKind, ms: number): void {
    const times = this.#times.get(kind)
    if (times === undefined) this.#times.set(kind, [ms])
    else times.push(ms)
  }

  /** What 95 of 100 do not exceed; null where there was none. */
  slow(kind: WaitKind): number | null {
    const sorted = (this.#times.get(kind) ?? []).toSorted((one, other) => one - other)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.95))] ?? null
  }
}

/** What is to happen at a time. */
export class Agenda {
  #entries: { readonly atMs: number; readonly act: () => void }[] = []

  add(atMs: number, act: () => void): void {
    this.#entries.push({ atMs, act })
  }

  /** Does what is due, in the order of time. */
  run(nowMs: number): void {
    const due = this.#entries.filter(({ atMs }) => atMs <= nowMs).sort((one, other) => one.atMs - other.atMs)
    if (due.length === 0) return
    this.#entries = this.#entries.filter(({ atMs }) => atMs > nowMs)
    for (const { act } of due) act()
  }

  get nextMs(): number {
    return this.#entries.reduce((least, { atMs }) => Math.min(least, atMs), Number.POSITIVE_INFINITY)
  }
}
