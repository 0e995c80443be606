import { BlyanError, isBlyanError } from '../../errors/index.ts'
import type { CallExperts, Engine, PartFile } from '../../experts/index.ts'
import type { FetchOptions, TensorInfo, TensorStore } from '../../tiles/index.ts'
import type { ModelEntry, ModelPart } from '../answers/answer-types.ts'
import type { Logger } from '../logging.ts'
import type { EngineHost } from './engine-host.ts'
import type { GenesisTensors } from './genesis-tensors.ts'

/** What of a model shall be mapped: the trunk is all that is no expert. */
export type WantedParts = {
  readonly trunk: boolean
  /** Short names of experts. */
  readonly experts: ReadonlySet<string> | 'all'
}

/** Models mapped into the engine, in their newest versions. Everything about one model happens one after another. */
export interface ModelEngine {
  /** Fetches what is missing, maps it, and returns the engine. Keeps what is mapped already. Throws as fetchTensor and Engine do. */
  load(entry: ModelEntry, wanted: WantedParts, options?: FetchOptions): Promise<Engine>
  /** From the next step on these experts (short names) are asked of others. */
  setElsewhere(entry: ModelEntry, experts: readonly string[]): Promise<void>
  /** Unmaps a part, so that its file may go. */
  drop(entry: ModelEntry, part: string): Promise<void>
  /** Whether the newest version of a part is mapped. */
  isMapped(model: string, part: ModelPart): boolean
  /** Whether a tensor is mapped, of whatever part. */
  hasTensor(tensor: string): boolean
  /** Whether anything of a model is. */
  isLoaded(model: string): boolean
  /** Looks for what is wrong after `error`, and mends it: true when it is worth trying again. */
  mend(entry: ModelEntry, error: unknown): Promise<boolean>
}

export type ModelEngineNeeds = {
  readonly host: EngineHost
  readonly tensors: TensorStore
  readonly genesisTensors: GenesisTensors
  readonly memoryBytesMax: number
  readonly callExperts: CallExperts
  /** Tensors came, or one that was damaged went. */
  readonly onChange: () => void
  readonly logger: Logger
}

const modelsMappedMax = 4
const fetchesAtOnceMax = 4

export function createModelEngine(needs: ModelEngineNeeds): ModelEngine {
  return new MappingModelEngine(needs)
}

type Mapped = {
  /** Short name of a part to the tensor that is mapped. */
  readonly parts: Map<string, string>
  elsewhere: string
  turn: Promise<unknown>
}

class MappingModelEngine implements ModelEngine {
  readonly #needs: ModelEngineNeeds
  /** Used longest ago first. */
  readonly #models = new Map<string, Mapped>()

  constructor(needs: ModelEngineNeeds) {
    this.#needs = needs
  }

  async load(entry: ModelEntry, wanted: WantedParts, options: FetchOptions = {}): Promise<Engine> {
    const mapped = await this.#use(entry.name)
    return this.#inTurn(mapped, () => this.#load(entry, mapped, wanted, options))
  }

  async setElsewhere(entry: ModelEntry, experts: readonly string[]): Promise<void> {
    const mapped = this.#models.get(entry.name)
    if (mapped === undefined) throw new BlyanError('MODEL_NOT_LOADED', { model: entry.name })
    await this.#inTurn(mapped, async () => {
      const key = experts.join()
      if (key === mapped.elsewhere) return
      const engine = await this.#needs.host.start()
      await engine.setElsewhere({ model: entry.name, experts })
      mapped.elsewhere = key
    })
  }

  async drop(entry: ModelEntry, part: string): Promise<void> {
    const mapped = this.#models.get(entry.name)
    if (mapped?.parts.has(part) !== true) return
    await this.#inTurn(mapped, async () => {
      const engine = await this.#needs.host.start()
      await engine.dropPart({ model: entry.name, name: part })
      mapped.parts.delete(part)
    })
  }

  isMapped(model: string, { part, tensor }: ModelPart): boolean {
    return this.#models.get(model)?.parts.get(part) === tensor
  }

  hasTensor(tensor: string): boolean {
    return [...this.#models.values()].some(({ parts }) => [...parts.values()].includes(tensor))
  }

  isLoaded(model: string): boolean {
    return (this.#models.get(model)?.parts.size ?? 0) > 0
  }

  async mend(entry: ModelEntry, error: unknown): Promise<boolean> {
    if (!isBlyanError(error, 'PART_FILE_INVALID')) return false
    const damaged = entry.parts.find(({ part }) => part === error.payload.part)
    if (damaged === undefined) return false
    const { tensors, genesisTensors, logger } = this.#needs
    const verdict = await tensors.verify(damaged.tensor).catch(() => undefined)
    if (verdict?.valid === true) return false
    logger.warn({ part: damaged.name, tensor: damaged.tensor }, 'a tensor file was damaged: it is fetched again')
    await this.drop(entry, damaged.part)
    if (verdict !== undefined) {
      await tensors.unpin(damaged.tensor)
      await tensors.remove(damaged.tensor)
    }
    genesisTensors.forget()
    this.#needs.onChange()
    return true
  }

  /** The model becomes the one used last; the one used longest ago goes when there are too many. */
  async #use(name: string): Promise<Mapped> {
    const mapped = this.#models.get(name) ?? { parts: new Map(), elsewhere: '', turn: Promise.resolve() }
    this.#models.delete(name)
    this.#models.set(name, mapped)
    if (this.#models.size > modelsMappedMax) {
      const [oldest, old] = this.#models.entries().next().value!
      this.#models.delete(oldest)
      await this.#inTurn(old, async () => {
        if (old.parts.size > 0) await this.#needs.host.running?.release({ model: oldest })
      })
    }
    return mapped
  }

  #inTurn<T>(mapped: Mapped, work: () => Promise<T>): Promise<T> {
    const next = mapped.turn.then(work)
    mapped.turn = next.catch(() => {})
    return next
  }

  async #load(entry: ModelEntry, mapped: Mapped, wanted: WantedParts, options: FetchOptions): Promise<Engine> {
    const engine = await this.#needs.host.start()
    const missing = entry.parts.filter(part => isWanted(part, wanted) && mapped.parts.get(part.part) !== part.tensor)
    const stale = entry.parts.filter(part => {
      const tensor = mapped.parts.get(part.part)
      // Whoever asks for experts alone must not take the trunk from an answer that is about to begin.
      return part.expert !== null && tensor !== undefined && tensor !== part.tensor && !isWanted(part, wanted)
    })
    if (missing.length === 0 && stale.length === 0) return engine
    if (entry.isGenesis && missing.some(part => !part.isHere)) await this.#needs.genesisTensors.ensure()
    const files = await this.#fetch(missing, options)
    this.#needs.onChange()
    if (mapped.parts.size === 0) {
      const { memoryBytesMax, callExperts } = this.#needs
      const { name: model, architecture } = entry
      await engine.loadModel({ model, architecture, parts: files, callExperts, memoryBytesMax })
      mapped.elsewhere = ''
    } else for (const part of files) await engine.replacePart({ model: entry.name, part })
    for (const part of missing) mapped.parts.set(part.part, part.tensor)
    for (const part of stale) {
      await engine.dropPart({ model: entry.name, name: part.part })
      mapped.parts.delete(part.part)
    }
    return engine
  }

  /** In the order of the parts; a few at a time. */
  async #fetch(parts: readonly ModelPart[], options: FetchOptions): Promise<PartFile[]> {
    const files: PartFile[] = []
    let next = 0
    const worker = async (): Promise<void> => {
      for (let index = next++; index < parts.length; index = next++) {
        const part = parts[index]!
        files[index] = partFile(part, await this.#needs.tensors.fetchTensor(part.tensor, options))
      }
    }
    await Promise.all(Array.from({ length: Math.min(fetchesAtOnceMax, parts.length) }, worker))
    return files
  }
}

function isWanted(part: ModelPart, { trunk, experts }: WantedParts): boolean {
  if (part.expert === null) return trunk
  return experts === 'all' || experts.has(part.part)
}

function partFile(part: ModelPart, info: TensorInfo): PartFile {
  return {
    name: part.part,
    path: info.path,
    dataOffsetBytes: info.dataOffsetBytes,
    dataLengthBytes: info.dataLengthBytes,
    shape: part.shape,
    dtype: info.dtype as PartFile['dtype']
  }
}
