import type { TensorInfo, TensorStore } from '../tiles/index.ts'
import {
  chainLimits,
  edgeOf,
  edgesOf,
  type LearningSettings,
  type Reveal,
  type Round,
  readRound,
  revealsOf
} from './chain/index.ts'
import { codeOf } from './learning-chain.ts'
import { computePart, edgeCodec, type PartOutcome, packUpdate, sourcesOf } from './part-results.ts'
import { gateReveals, type RoundInputsNeeds } from './round-inputs.ts'
import { storeBytes } from './stored-bytes.ts'

export type EdgeNeeds = RoundInputsNeeds & {
  readonly tensors: Pick<TensorStore, 'fetchTensor' | 'putTensor'>
  readonly ensure: (name: string, tensor: string) => Promise<TensorInfo>
  readonly settings: () => LearningSettings
  readonly signal: AbortSignal
}

/** What an account does that was drawn to sum up regions: fetch what they revealed, and publish one update in place of it. */
export interface EdgeDuty {
  readonly round: number
  look(): void
  /** Resolves when nothing that was begun goes on. */
  settle(): Promise<void>
}

export function createEdgeDuty(needs: EdgeNeeds, round: Round): EdgeDuty {
  return new RegionDuty(needs, round)
}

class RegionDuty implements EdgeDuty {
  readonly #needs: EdgeNeeds
  readonly #round: Round
  readonly #reveals: readonly Reveal[]
  /** Regions that we may sum up, and after how many others. */
  readonly #places: ReadonlyMap<string, number>
  readonly #begun = new Set<string>()
  readonly #running: Promise<void>[] = []

  constructor(needs: EdgeNeeds, round: Round) {
    this.#needs = needs
    this.#round = round
    const { state, genesis, account } = needs.chain
    this.#reveals = revealsOf(state, round.model)
    const regions = [...new Set(this.#reveals.map(({ region }) => region))].sort()
    this.#places = new Map(
      regions.flatMap(region => {
        const place = edgeOf(state, genesis, round.model, region).indexOf(account)
        return place < 0 ? [] : [[region, place] as const]
      })
    )
  }

  get round(): number {
    return this.#round.number
  }

  look(): void {
    const { chain, settings, logger } = this.#needs
    if (this.#places.size === 0) return
    const done = new Set(edgesOf(chain.state, this.#round.model).map(({ region }) => region))
    for (const [region, place] of this.#places) {
      // Who comes later steps in only where those before are silent.
      const fromMs = this.#round.phaseAtMs + place * Math.max(settings().backupMs, settings().aggregateMs / 4)
      if (done.has(region) || this.#begun.has(region) || chain.nowMs() < fromMs) continue
      this.#begun.add(region)
      const summed = this.#sumUp(region).catch(error =>
        logger.debug({ region, code: codeOf(error) }, 'a region was not summed up')
      )
      this.#running.push(summed)
    }
  }

  async settle(): Promise<void> {
    await Promise.all(this.#running)
  }

  async #sumUp(region: string): Promise<void> {
    const { chain, parts, tensors, ensure, settings, signal, logger } = this.#needs
    const { model, number } = this.#round
    const own = this.#reveals.filter(one => one.region === region).slice(0, chainLimits.deltasOfEvent)
    const timeoutMs = Math.max(1000, settings().aggregateMs / 2)
    const gated = await gateReveals(this.#needs, this.#round, own, { timeoutMs, signal })
    const sources = sourcesOf(gated.accepted, gated.files)!
    const names = new Set(sources.flatMap(({ file }) => file.parts))
    const outcomes: PartOutcome[] = []
    for (const part of parts.all) {
      if (!names.has(part.name)) continue
      const base = await ensure(part.name, chain.newest(part.name)!.tensor)
      outcomes.push(await computePart({ part, base, sources, codec: edgeCodec }))
      await new Promise(resolve => setImmediate(resolve))
    }
    if (outcomes.every(({ tensor }) => tensor === null) || readRound(chain.state, model)?.number !== number) return
    const bytes = packUpdate(
      {
        network: chain.genesis.cid,
        model,
        round: number,
        baseRound: number,
        codec: edgeCodec,
        steps: Math.max(0, ...own.map(({ lineage }) => lineage.steps)),
        tokens: own.reduce((sum, { tokens }) => sum + tokens, 0),
        author: chain.account
      },
      outcomes
    )
    const { cid } = await storeBytes(tensors, 'update', bytes)
    await chain.submit('edge-aggregate', {
      model,
      round: number,
      region,
      update: cid,
      updateBytes: bytes.length,
      accepted: gated.accepted,
      refused: gated.refused
    })
    logger.debug(
      { round: number, region, deltas: gated.accepted.length, sizeBytes: bytes.length },
      'a region summed up'
    )
  }
}
