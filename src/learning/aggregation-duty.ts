import { BlyanError } from '../errors/index.ts'
import type { DeltaFile, TensorInfo, TensorStore } from '../tiles/index.ts'
import {
  type Aggregate,
  aggregatesOf,
  chainLimits,
  edgeOf,
  edgesOf,
  isChallenged,
  type LearningSettings,
  primariesOf,
  type Reveal,
  type Round,
  readRound,
  resultsOf,
  revealsOf,
  roundParts
} from './chain/index.ts'
import { dutiesNow, mayPostAtMs, type PartDuty, placesOf } from './core/duties.ts'
import { roundRules } from './core/rules.ts'
import type { GatedDeltas } from './delta-gate.ts'
import { codeOf, refusalOf } from './learning-chain.ts'
import { computePart, type PartOutcome, type PartSource, packUpdate, sourcesOf, storeVersions } from './part-results.ts'
import { gateReveals, openRegions, type RegionSum, type RoundInputsNeeds } from './round-inputs.ts'
import { storeBytes } from './stored-bytes.ts'

export type DutyCounts = {
  aggregated: number
  replayed: number
  challenged: number
  /** From a primary being late to the result in its place. */
  failoverMs: number | null
}

export type AggregationNeeds = RoundInputsNeeds & {
  readonly tensors: Pick<TensorStore, 'fetchTensor' | 'putTensor' | 'info'>
  readonly ensure: (name: string, tensor: string) => Promise<TensorInfo>
  readonly settings: () => LearningSettings
  readonly counts: DutyCounts
  readonly signal: AbortSignal
}

/** What one operator does in the aggregating phase of one round: computes the parts it is primary or backup of. */
export interface AggregationDuty {
  readonly round: number
  /** Looks what is to be done now, and begins it. */
  look(): void
  /** Resolves when nothing that was begun goes on. */
  settle(): Promise<void>
}

export function createAggregationDuty(needs: AggregationNeeds, round: Round): AggregationDuty {
  return new RoundDuty(needs, round)
}

type Prepared = {
  readonly gated: GatedDeltas
  readonly regions: readonly RegionSum[]
  readonly direct: GatedDeltas['accepted']
  readonly outcomes: Map<string, PartOutcome>
}

const lookAgainMs = 50
const retryMs = 500
/** Of the time until backups step in. */
const fetchShare = 0.8
const fetchMsMin = 2000

class RoundDuty implements AggregationDuty {
  readonly #needs: AggregationNeeds
  readonly #round: Round
  readonly #duties: readonly PartDuty[]
  readonly #reveals: readonly Reveal[]
  readonly #replayed = new Set<string>()
  readonly #posting = new Set<string>()
  #preparing: Promise<void> | undefined
  #prepared: Prepared | undefined
  #isBusy = false
  #acting: Promise<void> = Promise.resolve()

  constructor(needs: AggregationNeeds, round: Round) {
    this.#needs = needs
    this.#round = round
    const { chain } = needs
    const { state, genesis, account } = chain
    this.#reveals = revealsOf(state, round.model)
    this.#duties = placesOf(
      roundParts(state, round.model),
      part => primariesOf(state, genesis, round.model, part),
      account,
      chainLimits.electedOfPart
    )
  }

  get round(): number {
    return this.#round.number
  }

  look(): void {
    if (this.#duties.length === 0 || this.#isBusy || this.#needs.signal.aborted) return
    this.#preparing ??= this.#prepare().catch(async error => {
      this.#needs.logger.debug({ round: this.round, code: codeOf(error) }, 'a round cannot be aggregated yet')
      await new Promise(resolve => setTimeout(resolve, retryMs))
      this.#preparing = undefined
    })
    if (this.#prepared === undefined) return
    this.#isBusy = true
    this.#acting = this.#act(this.#prepared)
      .catch(error => this.#needs.logger.debug({ code: codeOf(error) }, 'aggregation: not taken yet'))
      .finally(() => {
        this.#isBusy = false
      })
  }

  async settle(): Promise<void> {
    await this.#preparing
    await this.#acting
  }

  async #act(prepared: Prepared): Promise<void> {
    const { chain, settings } = this.#needs
    const now = dutiesNow({
      duties: this.#duties,
      round: this.#round,
      results: resultsOf(chain.state, this.#round.model).map(({ name, author }) => ({ name, author })),
      account: chain.account,
      replayed: this.#replayed,
      nowMs: chain.nowMs(),
      times: settings()
    })
    // A few compute everything again; where one of them differs, all do, or no third of the weight could come together.
    const isOurs = (part: string): boolean =>
      prepared.outcomes.has(part) || isChallenged(chain.state, this.#round.model, part)
    const replay = now.replay.filter(isOurs)
    // Before our own results: the last of them ends the phase, and who lied may get away with a round that is refused.
    if (replay.length > 0) await this.#replay(prepared, replay)
    const post = now.post.filter(({ part }) => !this.#posting.has(part))
    if (post.length > 0) await this.#post(prepared, post)
  }

  /** Everything but the saying of it, so that a backup is ready when the primary is not there. */
  async #prepare(): Promise<void> {
    const { signal, settings } = this.#needs
    const timeoutMs = Math.max(fetchMsMin, settings().aggregateMs * fetchShare)
    const regions = await this.#regions(settings().aggregateMs / 2)
    const summed = new Set(regions.map(({ region }) => region))
    const rest = this.#reveals.filter(({ region }) => !summed.has(region)).slice(0, chainLimits.deltasOfEvent)
    const gated = await gateReveals(this.#needs, this.#round, rest, { timeoutMs, signal })
    // Nothing came: somebody else may have it, and giving no result is better than giving the round up.
    if (gated.files.size === 0 && regions.length === 0 && this.#mayGetMore())
      throw new BlyanError('TENSOR_FETCH_TIMEOUT', {
        cid: this.#reveals[0]?.delta,
        missing: this.#reveals.length,
        total: this.#reveals.length
      })
    const sources = this.#sources(regions, gated.accepted, gated.files)!
    const outcomes = new Map<string, PartOutcome>()
    for (const { part } of this.#duties.filter(({ place }) => place <= roundRules.backupsThatReplay)) {
      outcomes.set(part, await this.#compute(part, sources))
      await new Promise(resolve => setImmediate(resolve))
    }
    this.#prepared = { gated, regions, direct: gated.accepted, outcomes }
    this.look()
  }

  #mayGetMore(): boolean {
    const { chain, settings } = this.#needs
    return chain.nowMs() < this.#round.dueAtMs + chainLimits.electedOfPart * settings().backupMs
  }

  /** Sums of regions, where somebody is to make them and does so in time. */
  async #regions(timeoutMs: number): Promise<readonly RegionSum[]> {
    const { chain, signal } = this.#needs
    const { model, phaseAtMs } = this.#round
    const names = [...new Set(this.#reveals.map(({ region }) => region))].sort()
    const expected = names.filter(region => edgeOf(chain.state, chain.genesis, model, region).length > 0)
    if (expected.length === 0) return []
    const results = (): ReturnType<typeof edgesOf> => edgesOf(chain.state, model)
    while (results().length < expected.length && chain.nowMs() < phaseAtMs + timeoutMs && !signal.aborted)
      await new Promise(resolve => setTimeout(resolve, lookAgainMs))
    const sums = await openRegions(this.#needs, this.#round, this.#reveals, results(), { timeoutMs, signal })
    return sums.sort((one, other) => (one.region < other.region ? -1 : 1))
  }

  #sources(
    regions: readonly RegionSum[],
    accepted: GatedDeltas['accepted'],
    files: ReadonlyMap<string, DeltaFile>
  ): readonly PartSource[] | undefined {
    const direct = sourcesOf(accepted, files)
    return direct === undefined ? undefined : [...regions, ...direct]
  }

  /** Of parts we are far behind in the order of, only when it comes to it. */
  async #outcomeOf(prepared: Prepared, name: string): Promise<PartOutcome> {
    const known = prepared.outcomes.get(name)
    if (known !== undefined) return known
    const sources = this.#sources(prepared.regions, prepared.direct, prepared.gated.files)!
    const made = await this.#compute(name, sources)
    prepared.outcomes.set(name, made)
    return made
  }

  async #compute(name: string, sources: readonly PartSource[]): Promise<PartOutcome> {
    const { chain, parts, ensure } = this.#needs
    const base = await ensure(name, chain.newest(name)!.tensor)
    return computePart({ part: parts.named(name)!, base, sources })
  }

  async #post(prepared: Prepared, duties: readonly PartDuty[]): Promise<void> {
    const { chain, tensors, counts, logger, settings } = this.#needs
    const { model, number } = this.#round
    for (const { part } of duties) this.#posting.add(part)
    try {
      for (let first = 0; first < duties.length; first += chainLimits.partsOfEvent) {
        const some = duties.slice(first, first + chainLimits.partsOfEvent)
        const outcomes = await Promise.all(some.map(({ part }) => this.#outcomeOf(prepared, part)))
        await storeVersions(tensors, outcomes)
        const update = await this.#storeUpdate(prepared, outcomes)
        await chain.submit('tile-aggregate', {
          model,
          round: number,
          update: update?.cid ?? null,
          updateBytes: update?.bytes ?? 0,
          parts: outcomes.map(({ part, tensor }) => ({ name: part.name, tensor })),
          accepted: prepared.direct,
          refused: prepared.gated.refused,
          edges: prepared.regions.map(({ region, update: cid }) => ({ region, update: cid }))
        })
        counts.aggregated += some.length
      }
      const backup = duties.find(({ place }) => place > 0)
      if (backup === undefined) return
      counts.failoverMs = Math.round(chain.nowMs() - mayPostAtMs(this.#round, 1, settings()))
      logger.info({ round: number, parts: duties.length, failoverMs: counts.failoverMs }, 'took over from a primary')
    } finally {
      for (const { part } of duties) this.#posting.delete(part)
    }
  }

  async #storeUpdate(
    prepared: Prepared,
    outcomes: readonly PartOutcome[]
  ): Promise<{ readonly cid: string; readonly bytes: number } | undefined> {
    if (outcomes.every(({ tensor }) => tensor === null)) return undefined
    const { chain, tensors } = this.#needs
    const { model, number } = this.#round
    const used = this.#reveals.filter(({ delta }) => prepared.direct.some(one => one.delta === delta))
    const bytes = packUpdate(
      {
        network: chain.genesis.cid,
        model,
        round: number,
        baseRound: number,
        steps: Math.max(0, ...used.map(({ lineage }) => lineage.steps)),
        tokens: used.reduce((sum, { tokens }) => sum + tokens, 0),
        author: chain.account
      },
      outcomes
    )
    return { cid: (await storeBytes(tensors, 'update', bytes)).cid, bytes: bytes.length }
  }

  /** The primary is not trusted: what it said is computed again from the very list it gave. */
  async #replay(prepared: Prepared, names: readonly string[]): Promise<void> {
    const { chain, counts, logger } = this.#needs
    const { model, number } = this.#round
    const wrong: { name: string; tensor: string | null }[] = []
    const aggregates = new Map(aggregatesOf(chain.state, model).map(one => [one.number, one]))
    const results = resultsOf(chain.state, model)
    for (const name of names) {
      const result = results.find(one => one.name === name)
      const aggregate = result === undefined ? undefined : aggregates.get(result.aggregate)
      if (result === undefined || aggregate === undefined) continue
      this.#replayed.add(name)
      const outcome = await this.#again(prepared, name, aggregate)
      if (outcome === undefined) continue
      counts.replayed++
      // What others will ask for soon: to measure, and as the newest version.
      await storeVersions(this.#needs.tensors, [outcome])
      if (outcome.tensor !== result.tensor && !result.isReplaced) wrong.push({ name, tensor: outcome.tensor })
    }
    if (wrong.length === 0 || readRound(chain.state, model)?.number !== number) return
    logger.warn({ round: number, parts: wrong.length }, 'a primary gave another result than its list makes: challenged')
    counts.challenged += wrong.length
    try {
      await chain.submit('tile-challenge', { model, round: number, parts: wrong })
    } catch (error) {
      // Said again with the next look: one that was lost must not let a wrong result stand.
      if (refusalOf(error) === 'NOT_FINAL_IN_TIME') for (const { name } of wrong) this.#replayed.delete(name)
      throw error
    }
  }

  /** Undefined where a file of the list is not to be had: then nothing can be said. */
  async #again(prepared: Prepared, name: string, aggregate: Aggregate): Promise<PartOutcome | undefined> {
    const regions = aggregate.edges.map(({ update }) => prepared.regions.find(one => one.update === update))
    if (regions.some(region => region === undefined)) return undefined
    const isSame =
      JSON.stringify(aggregate.accepted.map(keyOf)) === JSON.stringify(prepared.direct.map(keyOf)) &&
      regions.length === prepared.regions.length
    if (isSame) return this.#outcomeOf(prepared, name)
    const sources = this.#sources(regions as RegionSum[], aggregate.accepted, prepared.gated.files)
    if (sources === undefined) return undefined
    try {
      return await this.#compute(name, sources)
    } catch {
      // It took what cannot be computed with: then what we make of the rest is right.
      return this.#outcomeOf(prepared, name)
    }
  }
}

function keyOf({ delta, weightPpm }: { readonly delta: string; readonly weightPpm: number }): string {
  return `${delta} ${weightPpm}`
}
