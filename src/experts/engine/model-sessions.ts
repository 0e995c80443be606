import { BlyanError } from '../../errors/index.ts'
import type { Architecture } from '../model/architecture.ts'
import type { Feeds } from '../model/forward.ts'
import { type GraphPlan, plansOf } from './graph-plans.ts'
import type { LocatedPart } from './part-file.ts'
import { createSessionStore, type PartVersion, type SessionStore, type SessionStoreNeeds } from './session-store.ts'

/** Runs in the engine process only: the parts of one model and the graphs over them. */
export interface ModelSessions {
  readonly architecture: Architecture
  readonly parts: ReadonlyMap<string, LocatedPart>
  readonly mappedBytes: number
  /** Puts a part in the place of the one with its name, or adds it. Leases keep the one they have until they end. */
  put(part: LocatedPart): Promise<void>
  /** Lets go of a part, in all leases. Resolves once nothing maps its newest file. */
  drop(name: string): Promise<void>
  /** The parts as they are now, with one replaced if given. `end` must be called once. */
  lease(replacement?: LocatedPart): SessionLease
  status(): ReturnType<SessionStore['status']>
  /** Closes everything once the last lease ends. */
  release(): Promise<void>
}

export interface SessionLease {
  /** The same object in leases of the same parts. */
  readonly snapshot: object
  has(part: string): boolean
  /** Throws PART_NOT_LOADED when a part of the graph is missing. */
  run(graph: string, feeds: Feeds): Promise<Record<string, Float32Array>>
  end(): Promise<void>
}

export function createModelSessions(
  needs: Omit<SessionStoreNeeds, 'width'> & {
    readonly model: string
    readonly architecture: Architecture
    readonly parts: readonly LocatedPart[]
  }
): ModelSessions {
  return new VersionedModelSessions(needs)
}

/** Parts that belong together; leases count as users, and so does being the newest. */
type Snapshot = { readonly parts: Map<string, PartVersion>; users: number }

class VersionedModelSessions implements ModelSessions {
  readonly architecture: Architecture
  readonly #model: string
  readonly #plans: ReadonlyMap<string, GraphPlan>
  readonly #store: SessionStore
  readonly #snapshots = new Set<Snapshot>()
  #newest: Snapshot
  #versions = 0
  #isReleased = false

  constructor(needs: Parameters<typeof createModelSessions>[0]) {
    this.architecture = needs.architecture
    this.#model = needs.model
    this.#plans = plansOf(needs.architecture, needs.settings)
    this.#store = createSessionStore({ ...needs, width: needs.architecture.width })
    this.#newest = this.#snapshot(needs.parts.map(part => [part.name, this.#version(part)]))
  }

  get parts(): ReadonlyMap<string, LocatedPart> {
    return new Map([...this.#newest.parts].map(([name, { part }]) => [name, part]))
  }

  get mappedBytes(): number {
    return [...this.#newest.parts.values()].reduce((sum, { part }) => sum + part.dataLengthBytes, 0)
  }

  async put(part: LocatedPart): Promise<void> {
    const before = this.#newest
    if (!before.parts.has(part.name)) {
      // Nobody computed with it yet, so whoever runs may begin to.
      before.parts.set(part.name, this.#version(part))
      return
    }
    this.#newest = this.#snapshot([...before.parts, [part.name, this.#version(part)]])
    await this.#leave(before)
  }

  async drop(name: string): Promise<void> {
    for (const snapshot of this.#snapshots) snapshot.parts.delete(name)
    await this.#sweep()
  }

  lease(replacement?: LocatedPart): SessionLease {
    if (replacement === undefined) {
      this.#newest.users++
      return this.#leaseOf(this.#newest)
    }
    return this.#leaseOf(this.#snapshot([...this.#newest.parts, [replacement.name, this.#version(replacement)]]))
  }

  status(): ReturnType<SessionStore['status']> {
    return this.#store.status()
  }

  async release(): Promise<void> {
    this.#isReleased = true
    await this.#leave(this.#newest)
  }

  #leaseOf(snapshot: Snapshot): SessionLease {
    return {
      snapshot,
      has: part => snapshot.parts.has(part),
      run: (graph, feeds) => this.#run(snapshot, graph, feeds),
      end: () => this.#leave(snapshot)
    }
  }

  #run(snapshot: Snapshot, graph: string, feeds: Feeds): Promise<Record<string, Float32Array>> {
    const plan = this.#plans.get(graph)
    if (plan === undefined) throw new BlyanError('PART_UNKNOWN', { part: graph })
    const parts = plan.needs.map(name => {
      const found = snapshot.parts.get(name)
      if (found === undefined) throw new BlyanError('PART_NOT_LOADED', { model: this.#model, part: name })
      return found
    })
    return this.#store.run(plan, parts, feeds)
  }

  #version(part: LocatedPart): PartVersion {
    return { part, version: this.#versions++ }
  }

  #snapshot(parts: readonly (readonly [string, PartVersion])[]): Snapshot {
    const snapshot = { parts: new Map(parts), users: 1 }
    this.#snapshots.add(snapshot)
    return snapshot
  }

  async #leave(snapshot: Snapshot): Promise<void> {
    snapshot.users--
    if (snapshot.users > 0) return
    this.#snapshots.delete(snapshot)
    if (this.#isReleased && this.#snapshots.size === 0) await this.#store.release()
    else await this.#sweep()
  }

  async #sweep(): Promise<void> {
    const wanted = new Set(
      [...this.#snapshots].flatMap(({ parts }) => [...parts.values()].map(({ version }) => version))
    )
    await this.#store.sweep(version => wanted.has(version))
  }
}
