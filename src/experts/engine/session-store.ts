import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BlyanError, isBlyanError } from '../../errors/index.ts'
import type { Feeds } from '../model/forward.ts'
import { createExecutableGraphs, type ExecutableGraphs } from './executable-graphs.ts'
import type { GraphPlan } from './graph-plans.ts'
import { type GraphSession, openGraphSession, type SessionSettings } from './graph-session.ts'
import type { LocatedPart } from './part-file.ts'
import { createSessionPolicy, type SessionPolicy, type SessionState } from './session-policy.ts'
import { createStreamingRoom, type StreamingRoom } from './streamed-expert.ts'
import type { Turns } from './turns.ts'

/** A part and which of its versions it is; no two files have the same number. */
export type PartVersion = { readonly part: LocatedPart; readonly version: number }

export type StoreStatus = {
  readonly prepackedBytes: number
  readonly cache: { readonly hits: number; readonly misses: number; readonly evictions: number }
  readonly sessions: { readonly mapped: number; readonly prepacked: number }
}

/**
 * The sessions of one model. Each is opened over mapped weights when its graph is first run; those that are used most
 * for their size are opened again with private, prepacked weights, between answers, as far as the budget goes.
 */
export interface SessionStore {
  /** Runs a graph with these parts, in the order the plan needs them. Throws PART_FILE_INVALID or ENGINE_FAULT when it cannot be opened. */
  run(plan: GraphPlan, parts: readonly PartVersion[], feeds: Feeds): Promise<Record<string, Float32Array>>
  /** Closes sessions with a part for which `isWanted` says no; what runs in them ends first. */
  sweep(isWanted: (version: number) => boolean): Promise<void>
  /** Closes all. Nothing may run any more. */
  release(): Promise<void>
  status(): StoreStatus
}

export type SessionStoreNeeds = {
  readonly settings: SessionSettings
  readonly width: number
  readonly turns: Turns
  readonly memoryBytesMax: number
  readonly mappedSessionsMax: number
}

export function createSessionStore(needs: SessionStoreNeeds): SessionStore {
  return new CachedSessions(needs)
}

type Cached = {
  readonly plan: GraphPlan
  readonly parts: readonly PartVersion[]
  session: GraphSession
  isPacked: boolean
}

/** How many runs go by before the budget is looked at again. */
const reviewEveryRuns = 32

class CachedSessions implements SessionStore {
  readonly #needs: SessionStoreNeeds
  readonly #policy: SessionPolicy
  readonly #streaming: StreamingRoom
  readonly #executables: ExecutableGraphs | undefined
  /** Least recently used first. */
  readonly #cached = new Map<string, Cached>()
  readonly #opening = new Map<string, Promise<Cached>>()
  #runs = 0
  #hits = 0
  #evictions = 0
  #isPacking = false
  #isReleased = false

  constructor(needs: SessionStoreNeeds) {
    this.#needs = needs
    this.#policy = createSessionPolicy(needs.memoryBytesMax)
    const { tensorFolder, threads, executables, provider, expertMemoryBytesMax = 0 } = needs.settings
    this.#executables =
      executables === undefined || provider !== 'cpu'
        ? undefined
        : createExecutableGraphs(needs.settings, executables, needs.width)
    this.#streaming = createStreamingRoom({ tensorFolder, threads, width: needs.width, expertMemoryBytesMax })
  }

  async run(plan: GraphPlan, parts: readonly PartVersion[], feeds: Feeds): Promise<Record<string, Float32Array>> {
    const key = keyOf(plan, parts)
    const cached = await this.#cachedOrOpened(key, plan, parts)
    this.#cached.delete(key)
    this.#cached.set(key, cached)
    this.#policy.used(key)
    if (cached.isPacked) this.#hits++
    if (++this.#runs % reviewEveryRuns === 0 && !this.#isPacking) void this.#pack()
    const { session } = cached
    session.enter()
    try {
      return await session.run(feeds)
    } finally {
      await session.leave()
    }
  }

  async sweep(isWanted: (version: number) => boolean): Promise<void> {
    for (const [key, { parts }] of [...this.#cached]) {
      if (parts.every(({ version }) => isWanted(version))) continue
      this.#policy.forget(key)
      await this.#close(key)
    }
  }

  async release(): Promise<void> {
    this.#isReleased = true
    for (const key of [...this.#cached.keys()]) await this.#close(key)
    await this.#streaming.release()
  }

  status(): StoreStatus {
    const packed = [...this.#cached.values()].filter(cached => cached.isPacked)
    return {
      prepackedBytes: packed.reduce((sum, { plan }) => sum + plan.weightBytes, 0),
      cache: { hits: this.#hits, misses: this.#runs - this.#hits, evictions: this.#evictions },
      sessions: { mapped: this.#cached.size - packed.length, prepacked: packed.length }
    }
  }

  /** What was opened may have had to go again before anybody entered it. */
  async #cachedOrOpened(key: string, plan: GraphPlan, parts: readonly PartVersion[]): Promise<Cached> {
    for (;;) {
      const cached = this.#cached.get(key)
      if (cached !== undefined) return cached
      await this.#open(key, plan, parts)
    }
  }

  /** Two that ask for the same session get the same one. */
  #open(key: string, plan: GraphPlan, parts: readonly PartVersion[]): Promise<Cached> {
    const opening =
      this.#opening.get(key) ??
      this.#map(key, plan, parts).finally(() => {
        this.#opening.delete(key)
      })
    this.#opening.set(key, opening)
    return opening
  }

  async #map(key: string, plan: GraphPlan, parts: readonly PartVersion[]): Promise<Cached> {
    const { mappedSessionsMax } = this.#needs
    const session = await this.#openSession(plan, parts, false)
    const cached: Cached = { plan, parts, session, isPacked: false }
    this.#cached.set(key, cached)
    const mapped = [...this.#cached].filter(([, { isPacked }]) => !isPacked)
    for (const [oldest] of mapped.slice(0, Math.max(0, mapped.length - mappedSessionsMax))) await this.#close(oldest)
    return cached
  }

  /** Makes copies one at a time, each in a turn of its own, until the policy is content. */
  async #pack(): Promise<void> {
    this.#isPacking = true
    try {
      for (let decision = this.#decide(); decision !== undefined; decision = this.#decide()) {
        await this.#needs.turns.background()
        for (const key of decision.giveUp) {
          this.#evictions++
          await this.#close(key)
        }
        await this.#packOne(decision.pack)
      }
    } finally {
      this.#isPacking = false
    }
  }

  #decide(): ReturnType<SessionPolicy['next']> {
    if (this.#isReleased || this.#needs.memoryBytesMax === 0) return undefined
    const states = [...this.#cached].map(([key, { plan, parts, isPacked }]): SessionState => {
      const canPack = parts.every(({ part }) => part.compression === undefined)
      return { key, weightBytes: canPack ? plan.weightBytes : 0, isPacked }
    })
    return this.#policy.next(states)
  }

  async #packOne(key: string): Promise<void> {
    const cached = this.#cached.get(key)
    if (cached === undefined) return
    try {
      const packed = (await this.#openExecutable(cached)) ?? (await this.#openSession(cached.plan, cached.parts, true))
      if (this.#cached.get(key) !== cached) return await packed.leave()
      const mapped = cached.session
      cached.session = packed
      cached.isPacked = true
      await mapped.leave()
    } catch {
      // The mapped session goes on; without its count it is not tried again at once.
      this.#policy.forget(key)
    }
  }

  async #openExecutable({ plan, parts, session }: Cached): Promise<GraphSession | undefined> {
    if (plan.expert === null || this.#executables === undefined) return undefined
    const model = plan.write(parts.map(({ part }) => part))
    session.enter()
    try {
      return await this.#executables.open(model, plan.weightBytes, plan.threads, session)
    } catch {
      // A full disk, for example: the copy in memory does as well.
      return undefined
    } finally {
      await session.leave()
    }
  }

  async #close(key: string): Promise<void> {
    const cached = this.#cached.get(key)
    this.#cached.delete(key)
    await cached?.session.leave()
  }

  async #openSession(plan: GraphPlan, parts: readonly PartVersion[], isPacked: boolean): Promise<GraphSession> {
    const { settings } = this.#needs
    for (const { part } of parts) await checkSize(part, settings.tensorFolder)
    try {
      const isStreamed = plan.isStreamed || parts.some(({ part }) => part.compression !== undefined)
      if (isStreamed) return await this.#streaming.open(plan.expert, parts[0]!.part)
      return await openGraphSession(plan.write(parts.map(({ part }) => part)), plan.threads, isPacked, settings)
    } catch (error) {
      if (isBlyanError(error)) throw error
      const reason = error instanceof Error ? error.message : String(error)
      throw new BlyanError('ENGINE_FAULT', { operation: `map ${plan.name}`, reason })
    }
  }
}

function keyOf(plan: GraphPlan, parts: readonly PartVersion[]): string {
  return `${plan.name}|${parts.map(({ version }) => version).join()}`
}

/** Mapping past the end of a file that was cut since it was located would kill the process. */
async function checkSize(part: LocatedPart, tensorFolder: string): Promise<void> {
  if (part.compression !== undefined) return
  const endBytes = part.dataOffsetBytes + part.dataLengthBytes
  const found = await stat(join(tensorFolder, part.location)).catch(() => undefined)
  if (found === undefined || found.size < endBytes) {
    const reason = found === undefined ? 'there is no such file' : `it has ${found.size} bytes and needs ${endBytes}`
    throw new BlyanError('PART_FILE_INVALID', { part: part.name, reason })
  }
}
