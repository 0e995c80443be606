import {
  type AggregationDuty,
  type Candidate,
  codeOf,
  createAggregationDuty,
  createEdgeDuty,
  createPublishingDuty,
  type DutyCounts,
  type EdgeDuty,
  gateTokensOf,
  type LearningSettings,
  learnerOf,
  measurementsOf,
  modelsLearnt,
  mustNudge,
  newestTensors,
  openCandidatesOf,
  type PublishingDuty,
  type Round,
  readRound
} from '../../learning/index.ts'
import type { TensorStore } from '../../tiles/index.ts'
import type { Logger } from '../logging.ts'
import type { ChainWatch } from './chain-watch.ts'
import type { LearningModel, LearningModels } from './learning-models.ts'

export type LearningDutiesNeeds = {
  readonly watch: ChainWatch
  readonly models: LearningModels
  readonly tensors: TensorStore
  /** Place among the operators of the validators of now; undefined for a node that is none. */
  readonly place: () => number | undefined
  /** Models that somebody may propose new parts of, rounds or not. */
  readonly modelNames: () => readonly string[]
  readonly isCaughtUp: () => boolean
  readonly settings: () => LearningSettings
  /** Measures a candidate and says what it found. */
  readonly measure: (candidate: Candidate, model: LearningModel) => Promise<unknown>
  readonly isKnownMixed: (shard: string) => boolean
  readonly counts: DutyCounts
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn'>
}

/** What a node does for rounds whatever it learns itself: aggregates, replays, measures, publishes, sums up regions, nudges. */
export interface LearningDuties {
  /** Called at every change and several times a second. */
  look(): void
  stop(): Promise<void>
}

export function createLearningDuties(needs: LearningDutiesNeeds): LearningDuties {
  return new NodeDuties(needs)
}

/** Learners ask for what is due after all operators had their turn. */
const learnerTurn = 8
const nudgePauseMs = 1000
const nudgePauseMsMax = 16_000

type ModelDuties = {
  readonly model: LearningModel
  readonly publishing: PublishingDuty
  aggregation: AggregationDuty | undefined
  edge: EdgeDuty | undefined
  preparedRound: number
  freedRound: number
}

class NodeDuties implements LearningDuties {
  readonly #needs: LearningDutiesNeeds
  readonly #stopping = new AbortController()
  readonly #duties = new Map<string, ModelDuties>()
  readonly #opening = new Set<string>()
  /** Ids of candidates that are or were measured here. */
  readonly #measured = new Set<string>()
  readonly #running = new Set<Promise<unknown>>()
  /** By model: of a few that are due together none makes the others ask again and again. */
  readonly #nudged = new Map<string, { readonly atMs: number; readonly phase: string; readonly pauseMs: number }>()
  #isFreeing = false

  constructor(needs: LearningDutiesNeeds) {
    this.#needs = needs
  }

  look(): void {
    const { watch, isCaughtUp, logger } = this.#needs
    if (this.#stopping.signal.aborted || !isCaughtUp()) return
    try {
      for (const name of new Set([...modelsLearnt(watch.state), ...this.#needs.modelNames()])) this.#lookAt(name)
    } catch (error) {
      logger.warn({ code: codeOf(error) }, 'learning: a look failed')
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    const duties = [...this.#duties.values()].flatMap(({ aggregation, edge }) => [
      aggregation?.settle(),
      edge?.settle()
    ])
    await Promise.allSettled([...this.#running, ...duties])
  }

  #lookAt(name: string): void {
    const { watch, place } = this.#needs
    const round = readRound(watch.state, name)
    const candidates = openCandidatesOf(watch.state, name)
    if (round === undefined && candidates.length === 0) return
    const isOperator = place() !== undefined
    const isLearner = learnerOf(watch.state, name, watch.account) !== undefined
    const isAuthor = candidates.some(({ author, status }) => author === watch.account && status === 'approved')
    if (!isOperator && !isLearner && !isAuthor) return
    if (round !== undefined) this.#nudge(round)
    const duties = this.#duties.get(name)
    if (duties === undefined) {
      this.#open(name)
      return
    }
    if (round !== undefined) this.#lookAtRound(duties, round, isOperator)
    for (const candidate of candidates) {
      if (candidate.status === 'measuring' && isOperator) this.#measure(candidate, duties.model)
      const mayPublish = isOperator || candidate.author === watch.account
      if (candidate.status === 'approved' && mayPublish) duties.publishing.look(round, candidate)
    }
  }

  #lookAtRound(duties: ModelDuties, round: Round, isOperator: boolean): void {
    if (round.phase === 'training' && isOperator) this.#prepare(duties, round)
    if (round.phase === 'aggregating') this.#aggregate(duties, round, isOperator)
    // Results can be wrong as long as they are measured.
    else if (round.phase === 'measuring' && duties.aggregation?.round === round.number) duties.aggregation.look()
    this.#free(duties, round)
  }

  /** Phases go on with commits: where nothing else happens, somebody has to make one. */
  #nudge(round: Round): void {
    const { watch, place, logger } = this.#needs
    const nowMs = watch.nowMs()
    const { model, number, phase } = round
    const key = `${number} ${phase}`
    const before = this.#nudged.get(model)
    const { atMs, pauseMs } = before?.phase === key ? before : { atMs: 0, pauseMs: nudgePauseMs }
    if (nowMs - atMs < pauseMs || !mustNudge(round, nowMs, place() ?? learnerTurn)) return
    this.#nudged.set(model, { atMs: nowMs, phase: key, pauseMs: Math.min(nudgePauseMsMax, 2 * pauseMs) })
    this.#track(
      watch
        .submit('round-advance', { model, round: number, phase })
        .catch(error => logger.debug({ code: codeOf(error) }, 'a nudge was not needed'))
    )
  }

  #open(name: string): void {
    if (this.#opening.has(name)) return
    this.#opening.add(name)
    const { models, watch, tensors, settings, logger } = this.#needs
    this.#track(
      models
        .get(name)
        .then(model => {
          const publishing = createPublishingDuty({
            chain: watch,
            parts: model.parts,
            tensors,
            loadMs: part => models.versions.loadMs(part),
            settings,
            logger
          })
          this.#duties.set(name, {
            model,
            publishing,
            aggregation: undefined,
            edge: undefined,
            preparedRound: 0,
            freedRound: 0
          })
        })
        .catch(error => logger.debug({ model: name, code: codeOf(error) }, 'a model cannot be learnt here'))
        .finally(() => this.#opening.delete(name))
    )
  }

  /** While others train: the engine is started and has the version that deltas will be tried on. */
  #prepare(duties: ModelDuties, round: Round): void {
    if (duties.preparedRound === round.number) return
    duties.preparedRound = round.number
    const { watch, logger } = this.#needs
    const { parts, scorer } = duties.model
    const tensors = newestTensors(parts, name => watch.newest(name))
    if (tensors === undefined) return
    this.#track(
      scorer
        .prepare(tensors, gateTokensOf(parts.architecture))
        .catch(error => logger.debug({ code: codeOf(error) }, 'the engine is not ready to try deltas'))
    )
  }

  #aggregate(duties: ModelDuties, round: Round, isOperator: boolean): void {
    const { watch, tensors, settings, counts, isKnownMixed, logger } = this.#needs
    const { parts, scorer, sequences, ensure } = duties.model
    const { signal } = this.#stopping
    const needs = {
      chain: watch,
      parts,
      scorer,
      sequences,
      ensure,
      tensors,
      settings,
      counts,
      isKnownMixed,
      signal,
      logger
    }
    if (duties.edge?.round !== round.number) duties.edge = createEdgeDuty(needs, round)
    duties.edge.look()
    if (!isOperator) return
    if (duties.aggregation?.round !== round.number) duties.aggregation = createAggregationDuty(needs, round)
    duties.aggregation.look()
  }

  #measure(candidate: Candidate, model: LearningModel): void {
    const { watch, measure, logger } = this.#needs
    if (this.#measured.has(candidate.id)) return
    const isDone = measurementsOf(watch.state, candidate.id).some(({ operator }) => operator === watch.account)
    this.#measured.add(candidate.id)
    if (this.#measured.size > measuredMax) this.#measured.delete(this.#measured.values().next().value!)
    if (isDone) return
    this.#track(
      measure(candidate, model).catch(error => {
        logger.info({ candidate: candidate.id, code: codeOf(error) }, 'a candidate could not be measured')
      })
    )
  }

  /** Once a round: what the round before left behind is removed. */
  #free(duties: ModelDuties, round: Round): void {
    if (round.phase !== 'training' || duties.freedRound === round.number || this.#isFreeing) return
    duties.freedRound = round.number
    this.#isFreeing = true
    const { models, logger } = this.#needs
    this.#track(
      models.versions
        .free()
        .then(freed => {
          if (freed.files > 0) logger.debug(freed, 'disk of versions gone by was freed')
        })
        .catch(error => logger.debug({ code: codeOf(error) }, 'no disk was freed'))
        .finally(() => {
          this.#isFreeing = false
        })
    )
  }

  #track(work: Promise<unknown>): void {
    this.#running.add(work)
    void work.finally(() => this.#running.delete(work))
  }
}

const measuredMax = 1024
