import { InferenceSession, Tensor } from 'onnxruntime-node'
import { BlyanError } from '../../errors/index.ts'
import { type Architecture, describeModel } from '../model/architecture.ts'
import type { Feeds, ModelRunner } from '../model/forward.ts'
import { embeddingGraph, expertGraph, outputGraph, trunkGraph } from '../model/graphs.ts'
import type { Provider } from './engine-protocol.ts'
import type { LocatedPart } from './part-file.ts'

/** Runs in the engine process only: sessions over mapped parts, one per expert, one per layer's trunk, two for tokens. */
export interface ModelSessions {
  readonly architecture: Architecture
  readonly parts: ReadonlyMap<string, LocatedPart>
  /** Puts a part in the place of the one with its name, or adds it. Runs in progress keep the old one until they end. */
  put(part: LocatedPart): Promise<void>
  /** A consistent set of sessions, with one part replaced if given. `end` must be called once; it frees what is unused. */
  lease(replacement?: LocatedPart): Promise<SessionLease>
  release(): Promise<void>
}

export interface SessionLease extends ModelRunner {
  end(): Promise<void>
}

export type SessionSettings = {
  readonly provider: Provider
  readonly threads: number
  readonly tensorFolder: string
}

/** Creates all sessions that the given parts allow, calling `onSession` after each. Throws ENGINE_FAULT when ONNX Runtime refuses one. */
export async function createModelSessions(
  model: string,
  architecture: Architecture,
  parts: readonly LocatedPart[],
  settings: SessionSettings,
  onSession: () => void = () => {}
): Promise<ModelSessions> {
  const sessions = new MappedModelSessions(model, architecture, settings)
  try {
    await sessions.load(parts, onSession)
  } catch (error) {
    await sessions.release()
    throw error
  }
  return sessions
}

/** One graph and the parts whose tensors it maps. */
type Plan = { readonly needs: readonly string[]; readonly threads: number; readonly write: PlanWriter }
type PlanWriter = (...parts: LocatedPart[]) => Uint8Array

/** Every session has a thread pool of its own; below this size a second thread costs more than it brings. */
const oneThreadExpertBytes = 16 * 1024 * 1024

class MappedModelSessions implements ModelSessions {
  readonly architecture: Architecture
  readonly parts = new Map<string, LocatedPart>()
  readonly #model: string
  readonly #settings: SessionSettings
  readonly #plans: ReadonlyMap<string, Plan>
  readonly #sessions = new Map<string, SharedSession>()

  constructor(model: string, architecture: Architecture, settings: SessionSettings) {
    this.architecture = architecture
    this.#model = model
    this.#settings = settings
    this.#plans = plansOf(architecture, settings.threads)
  }

  async load(parts: readonly LocatedPart[], onSession: () => void): Promise<void> {
    for (const part of parts) this.parts.set(part.name, part)
    for (const [name, session] of await this.#create(this.parts, [...this.#plans.keys()], onSession)) {
      this.#sessions.set(name, session)
    }
  }

  async put(part: LocatedPart): Promise<void> {
    const created = await this.#create(new Map(this.parts).set(part.name, part), this.#plansThatNeed(part.name))
    this.parts.set(part.name, part)
    for (const [name, session] of created) {
      const before = this.#sessions.get(name)
      this.#sessions.set(name, session)
      await before?.leave()
    }
  }

  async lease(replacement?: LocatedPart): Promise<SessionLease> {
    const own =
      replacement === undefined ? new Map<string, SharedSession>() : await this.#createReplacement(replacement)
    const leased = new Map(this.#sessions)
    for (const session of leased.values()) session.enter()
    const run = (name: string, feeds: Feeds): Promise<Record<string, Float32Array>> => {
      const session = own.get(name) ?? leased.get(name)
      if (session === undefined) throw this.#missing(name)
      return session.run(feeds)
    }
    const end = async (): Promise<void> => {
      for (const session of [...own.values(), ...leased.values()]) await session.leave()
    }
    return { architecture: this.architecture, run, end }
  }

  async release(): Promise<void> {
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    for (const session of sessions) await session.leave()
  }

  #createReplacement(part: LocatedPart): Promise<Map<string, SharedSession>> {
    return this.#create(new Map(this.parts).set(part.name, part), this.#plansThatNeed(part.name))
  }

  #plansThatNeed(part: string): string[] {
    return [...this.#plans].flatMap(([name, plan]) => (plan.needs.includes(part) ? [name] : []))
  }

  async #create(
    parts: ReadonlyMap<string, LocatedPart>,
    plans: readonly string[],
    onSession?: () => void
  ): Promise<Map<string, SharedSession>> {
    const created = new Map<string, SharedSession>()
    for (const name of plans) {
      const plan = this.#plans.get(name)!
      const needed = plan.needs.flatMap(part => parts.get(part) ?? [])
      if (needed.length < plan.needs.length) continue
      try {
        created.set(name, await openSession(plan.write(...needed), plan.threads, this.#settings))
        onSession?.()
      } catch (error) {
        for (const session of created.values()) await session.leave()
        throw new BlyanError('ENGINE_FAULT', { operation: `map ${name}`, reason: reasonOf(error) })
      }
    }
    return created
  }

  #missing(plan: string): BlyanError {
    const part = this.#plans.get(plan)?.needs.find(name => !this.parts.has(name))
    return new BlyanError('PART_NOT_LOADED', { model: this.#model, part: part ?? plan })
  }
}

/** A session that is released when its model and all leases have left it. */
class SharedSession {
  readonly #session: InferenceSession
  #users = 1

  constructor(session: InferenceSession) {
    this.#session = session
  }

  enter(): void {
    this.#users++
  }

  async leave(): Promise<void> {
    this.#users--
    if (this.#users === 0) await this.#session.release()
  }

  async run(feeds: Feeds): Promise<Record<string, Float32Array>> {
    const tensors = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, toTensor(feed)]))
    const results = await this.#session.run(tensors)
    return Object.fromEntries(Object.entries(results).map(([name, result]) => [name, result.data as Float32Array]))
  }
}

function toTensor(feed: Feeds[string]): Tensor {
  return feed.data instanceof BigInt64Array
    ? new Tensor('int64', feed.data, feed.dimensions)
    : new Tensor('float32', feed.data, feed.dimensions)
}

async function openSession(model: Uint8Array, threads: number, settings: SessionSettings): Promise<SharedSession> {
  const session = await InferenceSession.create(model, {
    executionProviders: [settings.provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    extra: {
      session: {
        // Prepacking would copy the weights into private memory instead of mapping them.
        disable_prepacking: '1',
        'intra_op.allow_spinning': '0',
        model_external_initializers_file_folder_path: settings.tensorFolder
      }
    }
  })
  return new SharedSession(session)
}

function plansOf(architecture: Architecture, threads: number): ReadonlyMap<string, Plan> {
  const plans = new Map<string, Plan>()
  const output = architecture.tiedOutput ? 'embedding' : 'output'
  const embed: PlanWriter = embedding => embeddingGraph(architecture, embedding!)
  plans.set('embedding', { needs: ['embedding'], threads: 1, write: embed })
  const project: PlanWriter = (embedding, rows) => outputGraph(architecture, embedding!, rows!)
  plans.set('output', { needs: ['embedding', output], threads, write: project })
  for (const part of describeModel(architecture)) {
    if (part.blockType === 'attention') {
      const write: PlanWriter = (attention, router) => trunkGraph(architecture, attention!, router!)
      plans.set(`layer${part.layer}.trunk`, { needs: [part.name, `layer${part.layer}.router`], threads, write })
    } else if (part.blockType === 'expert') {
      const write: PlanWriter = expert => expertGraph(architecture, expert!)
      const expertThreads = part.dataLengthBytes < oneThreadExpertBytes ? 1 : threads
      plans.set(part.name, { needs: [part.name], threads: expertThreads, write })
    }
  }
  return plans
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
