import { join } from 'node:path'
import { type Chains, checkpointDigest, type Genesis, type HandlerRegistry } from '../../dag/index.ts'
import { BlyanError, describeError } from '../../errors/index.ts'
import {
  createMeasurer,
  type LearningSettings,
  learningIsOn,
  learningSettings,
  type Measurer,
  quotaLeftOf,
  trustOf
} from '../../learning/index.ts'
import { memberOperators } from '../../ledger/index.ts'
import type { TensorStore } from '../../tiles/index.ts'
import type { Tokenizer } from '../blyan-node.ts'
import type { Config } from '../config-schema.ts'
import type { EventService } from '../event-service.ts'
import type { EngineHost } from '../experts/engine-host.ts'
import { createGenesisTensors } from '../experts/genesis-tensors.ts'
import type { Logger } from '../logging.ts'
import type { ModelCatalogue } from '../models/model-catalogue.ts'
import { type ChainWatch, createChainWatch } from './chain-watch.ts'
import { createLearningDuties, type LearningDuties } from './learning-duties.ts'
import { createLearningModels, type LearningModels } from './learning-models.ts'
import { candidateLines, createDutyCounts, roundView } from './learning-status.ts'
import type {
  LearningAccess,
  LearningFailure,
  LearningState,
  LearningStatus,
  LearnRequest,
  MiningLine,
  ProposeRequest
} from './learning-status-types.ts'
import { codecOf, defaultModel, type NodeLearner, startNodeLearner } from './node-learner.ts'
import { minePartially } from './partial-mining.ts'

export type LearningServiceNeeds = {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly chains: Chains
  readonly events: Pick<EventService, 'submit'>
  readonly tensors: TensorStore
  readonly host: Pick<EngineHost, 'start' | 'device'>
  readonly catalogue: Pick<ModelCatalogue, 'complete' | 'list'>
  readonly tokenizerOf: (model: string) => Promise<Tokenizer>
  /** Whether the engine answers from this tensor. */
  readonly isMapped: (tensor: string) => boolean
  /** As text. */
  readonly account: string
  readonly region: string
  readonly settings: Config['learning']
  /** Of the node. */
  readonly folder: string
  readonly isCaughtUp: () => boolean
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn'>
}

/** Everything about learning in one node whose network learns. */
export interface LearningService extends LearningAccess {
  begin(): void
  /** Saves what was trained; the node is not taken off the list of learners. */
  end(): Promise<void>
}

export function createLearningService(needs: LearningServiceNeeds): LearningService {
  return new NodeLearning(needs)
}

const changeEveryMs = 250
const resumeAfterMs = 2000

class NodeLearning implements LearningService {
  readonly #needs: LearningServiceNeeds
  readonly #watch: ChainWatch
  readonly #models: LearningModels
  readonly #duties: LearningDuties
  readonly #measurer: Measurer
  readonly #counts = createDutyCounts()
  readonly #stopping = new AbortController()
  #learner: NodeLearner | undefined
  #failure: LearningFailure | null = null
  #isStopping = false
  #resume: NodeJS.Timeout | undefined
  #listeners = new Set<() => void>()

  constructor(needs: LearningServiceNeeds) {
    this.#needs = needs
    const { genesis, chains, tensors, host, catalogue, logger } = needs
    const genesisTensors = createGenesisTensors({ genesis, tensors })
    const drawn = new Set(genesis.file.model.parts.map(({ tensor }) => tensor))
    this.#watch = createChainWatch(needs)
    this.#models = createLearningModels({
      genesis,
      chains,
      tensors,
      genesisTensors,
      catalogue,
      tokenizerOf: needs.tokenizerOf,
      engine: () => host.start(),
      isMapped: needs.isMapped,
      isOwnPin: tensor => drawn.has(tensor),
      keepsArchive: needs.settings.archive
    })
    this.#measurer = createMeasurer({
      chain: this.#watch,
      tensors,
      settings: () => learningSettings(chains.state, genesis),
      checkpointDigest: sequence => certifiedDigest(chains, sequence),
      signal: this.#stopping.signal,
      logger
    })
    this.#duties = createLearningDuties({
      watch: this.#watch,
      models: this.#models,
      tensors,
      place: () => this.#place(),
      isCaughtUp: needs.isCaughtUp,
      settings: () => learningSettings(chains.state, genesis),
      modelNames: () => catalogue.list().map(({ name }) => name),
      measure: (candidate, model) => this.#measurer.measure(candidate, model),
      isKnownMixed: shard => this.#measurer.isKnownMixed(shard),
      counts: this.#counts,
      logger
    })
  }

  begin(): void {
    this.#watch.start(() => {
      this.#duties.look()
      this.#changed()
    })
    const { data } = this.#needs.settings
    if (data !== '') this.#resumeWhenReady(data)
  }

  async end(): Promise<void> {
    clearTimeout(this.#resume)
    this.#stopping.abort()
    await this.#learner?.stop()
    await this.#duties.stop()
    this.#watch.stop()
    await this.#models.close()
  }

  status(): LearningStatus {
    const { account, chains, host } = this.#needs
    const model = this.#learner?.model ?? this.#defaultModel
    const trust = trustOf(chains.state, account)
    const quotaLeft = quotaLeftOf(chains.state, account, this.#watch.nowMs())
    return {
      state: this.#state(),
      failure: this.#failure,
      model,
      round: roundView(this.#watch, model),
      learner: this.#learner?.record.status({ device: host.device.provider, trust: trust.level, quotaLeft }) ?? null,
      duties: { ...this.#counts, ...this.#measurer.counts },
      candidates: candidateLines(this.#watch, model)
    }
  }

  async start(request: LearnRequest): Promise<void> {
    const { chains, genesis, settings, logger } = this.#needs
    if (!learningIsOn(chains.state, genesis)) throw new BlyanError('LEARNING_OFF', { reason: 'learningWindowMs is 0' })
    if (this.#learner !== undefined) throw new BlyanError('LEARNING_RUNNING', { folder: this.#learner.record.folder })
    const codec = codecOf(request.codec ?? settings.codec)
    this.#failure = null
    const learner = startNodeLearner(
      {
        watch: this.#watch,
        models: this.#models,
        tensors: this.#needs.tensors,
        engine: () => this.#needs.host.start(),
        settings: () => learningSettings(chains.state, genesis),
        region: this.#needs.region,
        folder: join(this.#needs.folder, 'learning'),
        onChange: () => this.#changed(),
        logger
      },
      { ...request, model: request.model ?? this.#defaultModel, codec, parts: request.parts ?? settings.parts }
    )
    this.#learner = learner
    void learner.ended.then(error => this.#ended(learner, error))
    await learner.joined
  }

  async stop(): Promise<void> {
    clearTimeout(this.#resume)
    const learner = this.#learner
    if (learner === undefined) return
    this.#isStopping = true
    this.#changed()
    try {
      await learner.stop()
      await this.#watch.submit('learner-leave', { model: learner.model }).catch(error => {
        this.#needs.logger.debug({ code: describeError(error).code }, 'the chain was not told that a learner left')
      })
    } finally {
      this.#isStopping = false
      if (this.#learner === learner) this.#learner = undefined
      this.#changed()
    }
  }

  async *propose(request: ProposeRequest): AsyncGenerator<MiningLine> {
    const { chains, genesis, tensors, host } = this.#needs
    if (!learningIsOn(chains.state, genesis)) throw new BlyanError('LEARNING_OFF', { reason: 'learningWindowMs is 0' })
    if (this.#learner !== undefined) throw new BlyanError('LEARNING_RUNNING', { folder: this.#learner.record.folder })
    const settings = (): LearningSettings => learningSettings(chains.state, genesis)
    yield* minePartially(
      { watch: this.#watch, models: this.#models, tensors, engine: () => host.start(), settings },
      {
        ...request,
        model: request.model ?? this.#defaultModel,
        signal: AbortSignal.any([request.signal, this.#stopping.signal])
      }
    )
  }

  async *changes(signal: AbortSignal): AsyncIterable<LearningStatus> {
    while (!signal.aborted && !this.#stopping.signal.aborted) {
      const change = this.#nextChange(signal)
      yield this.status()
      await change
      await pause(changeEveryMs, signal)
    }
  }

  get #defaultModel(): string {
    return this.#needs.settings.model === '' ? defaultModel : this.#needs.settings.model
  }

  #state(): LearningState {
    if (this.#isStopping) return 'stopping'
    if (this.#learner === undefined) return this.#failure === null ? 'off' : 'failed'
    const { activity, record } = this.#learner
    return activity === 'training' && record.isPaused() ? 'paused' : activity
  }

  #place(): number | undefined {
    const { chains, genesis, account } = this.#needs
    const place = memberOperators(chains.state, genesis).findIndex(({ operator }) => operator === account)
    return place < 0 ? undefined : place
  }

  #ended(learner: NodeLearner, error: unknown): void {
    if (error !== undefined) {
      const { code, message, nextStep } = describeError(error)
      this.#failure = { code, message, nextStep }
      this.#needs.logger.warn({ code, folder: learner.record.folder }, 'learning ended')
    }
    if (this.#learner === learner && !this.#isStopping) this.#learner = undefined
    this.#changed()
  }

  /** After a restart: as soon as this node knows what the network has. */
  #resumeWhenReady(folder: string): void {
    this.#resume = setTimeout(() => {
      if (!this.#needs.isCaughtUp()) return this.#resumeWhenReady(folder)
      this.start({ folder }).catch(error =>
        this.#needs.logger.warn({ code: describeError(error).code, folder }, 'learning could not begin')
      )
    }, resumeAfterMs)
    this.#resume.unref()
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        this.#listeners.delete(done)
        signal.removeEventListener('abort', done)
        this.#stopping.signal.removeEventListener('abort', done)
        resolve()
      }
      this.#listeners.add(done)
      signal.addEventListener('abort', done, { once: true })
      this.#stopping.signal.addEventListener('abort', done, { once: true })
    })
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true }
    )
  })
}

/** Undefined until a quorum has signed it: before, it could still be chosen. */
async function certifiedDigest(chains: Pick<Chains, 'checkpoint'>, sequence: number): Promise<string | undefined> {
  const found = await chains.checkpoint(sequence)
  return found === undefined || found.votes.length === 0 ? undefined : checkpointDigest(found.bytes)
}
