import { totalmem } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import type { FetchOptions, TensorInfo, TensorStore } from '../../tiles/index.ts'
import type { ModelEntry, ModelPart } from '../answers/answer-types.ts'
import type { Logger } from '../logging.ts'
import type { FoundPart, ModelCatalogue } from '../models/model-catalogue.ts'
import type { ExpertBook } from './expert-book.ts'
import type { ExpertOffer, ExpertOffers } from './expert-offers.ts'
import { decideKeeping, type ExpertSight, type KeepingRules, keepingRules } from './expert-policy.ts'
import type { HoldSetting } from './hold-setting.ts'
import type { KeptExperts } from './kept-experts.ts'
import type { ModelEngine } from './model-engine.ts'

/** Sees to it that the experts this node's traffic needs are here, and that those nobody needs go. */
export interface ExpertKeeper {
  start(): void
  stop(): Promise<void>
  /** Short names of the experts of a model that this node computes at home. */
  held(entry: ModelEntry): ReadonlySet<string>
  /** All experts it can be asked for now: held and mapped. */
  served(): readonly FoundPart[]
  /** One of them by its tensor. */
  servedBy(tensor: string): FoundPart | undefined
  /** What came here because an answer needed it. */
  noteFetched(parts: readonly ModelPart[]): void
  /** Room for experts on this disk. */
  roomBytes(): number
  /** The hottest ones that too few others hold. */
  hot(): readonly ExpertOffer[]
  /** Looks once: fetches, drops, asks a peer what is hot there. */
  look(): Promise<void>
  read(): KeeperFigures
}

export type KeeperFigures = {
  readonly held: number
  readonly heldBytes: number
  readonly bytesMax: number
  readonly fetched: number
  readonly dropped: number
  readonly hot: number
}

export type ExpertKeeperNeeds = {
  readonly catalogue: Pick<ModelCatalogue, 'list' | 'findTensor'>
  readonly tensors: Pick<TensorStore, 'fetchTensor' | 'pin' | 'unpin' | 'remove'>
  readonly engine: Pick<ModelEngine, 'load' | 'drop' | 'isMapped' | 'isLoaded'>
  readonly book: ExpertBook
  readonly offers: ExpertOffers
  readonly kept: KeptExperts
  readonly setting: HoldSetting
  readonly serves: boolean
  readonly holdersOf: (tensor: string) => number
  /** Uses that the engine counted since it was asked last, by name on chain. */
  readonly engineUses: () => Promise<ReadonlyMap<string, number>>
  /** Tensors came here or went. */
  readonly onMoved: () => void
  /** After this node has come to hold others. */
  readonly onChange: (entry: ModelEntry) => void
  readonly diskBytesMax: () => number
  readonly nowMs: () => number
  readonly logger: Logger
  readonly rules?: Partial<Omit<KeepingRules, 'bytesMax'>>
}

const lookEveryMs = 2_000
/** What is held is looked up again after this; it is also looked up when this node changed something itself. */
const heldFreshMs = 1_000
const fetchTimeoutMs = 30 * 60_000
const retryFetchMs = 60_000
const failuresMax = 4096
/** The event loop has other things to do. */
const sightsPerTurn = 256

export function createExpertKeeper(needs: ExpertKeeperNeeds): ExpertKeeper {
  return new BudgetKeeper(needs)
}

/** A quarter of what this process may use. */
export function defaultMemoryBytes(): number {
  const constrainedBytes = process.constrainedMemory()
  return Math.floor(Math.min(totalmem(), constrainedBytes > 0 ? constrainedBytes : Number.POSITIVE_INFINITY) / 4)
}

type Held = { readonly entry: ModelEntry; readonly names: ReadonlySet<string>; readonly atMs: number }

class BudgetKeeper implements ExpertKeeper {
  readonly #needs: ExpertKeeperNeeds
  readonly #stopping = new AbortController()
  readonly #held = new Map<string, Held>()
  /** Tensors that could not be fetched, and when to try again. */
  readonly #failures = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #isLooking = false
  #hot: readonly ExpertOffer[] = []
  #heldBytes = 0
  #fetched = 0
  #dropped = 0

  constructor(needs: ExpertKeeperNeeds) {
    this.#needs = needs
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (!this.#isLooking) void this.look()
    }, lookEveryMs).unref()
    void this.look()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping.abort()
    await this.#looking
  }

  held(entry: ModelEntry): ReadonlySet<string> {
    const { nowMs, setting } = this.#needs
    const known = this.#held.get(entry.name)
    if (known !== undefined && known.entry === entry && nowMs() - known.atMs < heldFreshMs) return known.names
    const parts = entry.parts.filter(part => part.expert !== null && setting.holds(part.name) && part.isHere)
    const names = new Set(parts.map(({ part }) => part))
    this.#held.set(entry.name, { entry, names, atMs: nowMs() })
    return names
  }

  served(): readonly FoundPart[] {
    const { catalogue, engine, serves } = this.#needs
    if (!serves) return []
    return catalogue.list().flatMap(entry => {
      const names = this.held(entry)
      const parts = entry.parts.filter(part => names.has(part.part) && engine.isMapped(entry.name, part))
      return parts.map(part => ({ entry, part }))
    })
  }

  servedBy(tensor: string): FoundPart | undefined {
    const { catalogue, engine, serves } = this.#needs
    const found = serves ? catalogue.findTensor(tensor) : undefined
    if (found === undefined || found.part.expert === null) return undefined
    const isServed = engine.isMapped(found.entry.name, found.part) && this.held(found.entry).has(found.part.part)
    return isServed ? found : undefined
  }

  noteFetched(parts: readonly ModelPart[]): void {
    this.#keep(parts).catch(error =>
      this.#needs.logger.warn({ err: error }, 'experts that were fetched could not be noted')
    )
  }

  roomBytes(): number {
    return Math.max(0, this.#needs.diskBytesMax() - this.#heldBytes)
  }

  hot(): readonly ExpertOffer[] {
    return this.#hot
  }

  look(): Promise<void> {
    this.#isLooking = true
    this.#looking = this.#looking
      .then(() => this.#look())
      .catch(error => {
        if (!this.#stopping.signal.aborted) this.#needs.logger.warn({ err: error }, 'looking after experts failed')
      })
      .finally(() => {
        this.#isLooking = false
      })
    return this.#looking
  }

  read(): KeeperFigures {
    return {
      held: this.#needs.catalogue.list().reduce((total, entry) => total + this.held(entry).size, 0),
      heldBytes: this.#heldBytes,
      bytesMax: this.#needs.diskBytesMax(),
      fetched: this.#fetched,
      dropped: this.#dropped,
      hot: this.#hot.length
    }
  }

  async #look(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const { book, catalogue, setting, serves, offers, nowMs } = this.#needs
    for (const [name, uses] of await this.#needs.engineUses()) book.note(name, uses)
    if (setting.byTraffic && serves) this.#takeOffers(await offers.askNext())
    const rules = { ...keepingRules, ...this.#needs.rules, bytesMax: this.#needs.diskBytesMax() }
    const sights = await this.#sights(catalogue.list().filter(entry => entry.isComplete))
    this.#heldBytes = sights.reduce((total, { sight }) => total + (sight.isHere ? sight.bytes : 0), 0)
    const found = new Map(sights.map(seen => [seen.sight.name, seen]))
    const decision = decideKeeping(
      sights.map(({ sight }) => sight),
      rules,
      nowMs(),
      name => book.groups.groupOf(name)
    )
    this.#hot = decision.hot
      .map(name => found.get(name)!)
      .filter(({ sight }) => sight.holders < rules.hotHolders)
      .map(({ part, sight }) => ({ tensor: part.tensor, uses: sight.uses }))
    for (const name of decision.drop) await this.#drop(found.get(name)!)
    for (const name of decision.fetch) await this.#fetch(found.get(name)!)
    if (serves) for (const entry of catalogue.list()) if (entry.isComplete) await this.#map(entry)
  }

  /** Who serves has mapped what it holds. The genesis model waits for a question, unless the operator named its parts. */
  async #map(entry: ModelEntry): Promise<void> {
    const { engine, setting } = this.#needs
    const isNamed = (part: ModelPart): boolean => entry.isGenesis && part.expert !== null && setting.wants(part.name)
    const drawn = entry.parts.filter(isNamed).map(({ part }) => part)
    const experts = new Set([...this.held(entry), ...drawn])
    if (experts.size === 0 || (entry.isGenesis && drawn.length === 0 && !engine.isLoaded(entry.name))) return
    await engine.load(entry, { trunk: false, experts }, { timeoutMs: fetchTimeoutMs, signal: this.#stopping.signal })
    if (drawn.length > 0) this.#held.delete(entry.name)
  }

  /** Offers of peers count only where they lack holders and this node has a place for them. */
  #takeOffers(offered: readonly ExpertOffer[]): void {
    for (const { tensor, uses } of offered) {
      const found = this.#needs.catalogue.findTensor(tensor)
      if (found === undefined || found.part.expert === null) continue
      const isShort = this.#needs.holdersOf(tensor) < (this.#needs.rules?.hotHolders ?? keepingRules.hotHolders)
      if (isShort) this.#needs.book.noteOffer(found.part.name, uses)
    }
  }

  async #sights(entries: readonly ModelEntry[]): Promise<(FoundPart & { readonly sight: ExpertSight })[]> {
    const seen: (FoundPart & { readonly sight: ExpertSight })[] = []
    for (const entry of entries) {
      for (const part of entry.parts) {
        // The parts of genesis are drawn, not fetched, and take little: they stay.
        if (part.expert === null || entry.isGenesis) continue
        seen.push({ entry, part, sight: this.#sight(part) })
        if (seen.length % sightsPerTurn === 0) await setImmediate()
      }
    }
    return seen
  }

  #sight(part: ModelPart): ExpertSight {
    const { setting, kept, book, holdersOf, nowMs } = this.#needs
    const mayFetch = (this.#failures.get(part.tensor) ?? Number.NEGATIVE_INFINITY) <= nowMs()
    const uses = book.usesOf(part.name)
    const counts = setting.byTraffic && mayFetch
    return {
      name: part.name,
      bytes: part.lengthBytes,
      isHere: part.isHere,
      isWanted: setting.wants(part.name) && mayFetch,
      isOurs: kept.has(part.tensor),
      uses: counts || part.isHere ? uses.uses : 0,
      usesElsewhere: counts ? uses.usesElsewhere : 0,
      lastUsedMs: uses.lastUsedMs,
      holders: holdersOf(part.tensor)
    }
  }

  async #keep(parts: readonly ModelPart[]): Promise<void> {
    if (parts.length === 0) return
    this.#needs.onMoved()
    this.#held.clear()
    this.#fetched += parts.length
    for (const { tensor } of parts) await this.#needs.tensors.pin(tensor)
    await this.#needs.kept.add(parts.map(({ tensor }) => tensor))
  }

  async #drop({ entry, part }: FoundPart): Promise<void> {
    const { engine, tensors, kept, logger, onChange } = this.#needs
    await engine.drop(entry, part.part)
    await tensors.unpin(part.tensor)
    await tensors.remove(part.tensor)
    await kept.remove([part.tensor])
    this.#dropped++
    this.#needs.onMoved()
    this.#held.delete(entry.name)
    onChange(entry)
    logger.info({ part: part.name, tensor: part.tensor }, 'an expert that is not used here any more was dropped')
  }

  async #fetch({ entry, part }: FoundPart): Promise<void> {
    const { engine, logger, onChange, nowMs } = this.#needs
    const { signal } = this.#stopping
    if (signal.aborted) return
    try {
      await this.#bring(part, { timeoutMs: fetchTimeoutMs, signal })
    } catch (error) {
      if (signal.aborted) return
      if (this.#failures.size >= failuresMax) this.#failures.clear()
      this.#failures.set(part.tensor, nowMs() + retryFetchMs)
      logger.debug({ part: part.name, tensor: part.tensor, err: error }, 'an expert could not be fetched')
      return
    }
    await this.#keep([part])
    if (engine.isLoaded(entry.name))
      await engine.load(entry, { trunk: false, experts: new Set([part.part]) }, { signal })
    onChange(entry)
    logger.info({ part: part.name, tensor: part.tensor, bytes: part.lengthBytes }, 'an expert was fetched to stay here')
  }

  #bring(part: ModelPart, options: FetchOptions): Promise<TensorInfo> {
    return this.#needs.tensors.fetchTensor(part.tensor, options)
  }
}
