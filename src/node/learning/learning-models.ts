import type { Chains, Genesis } from '../../dag/index.ts'
import { createSequenceSource, type SequenceSource, type TokensOf } from '../../datasets/index.ts'
import type { Engine } from '../../experts/index.ts'
import {
  candidatesOf,
  createModelParts,
  createModelScorer,
  type LearningPart,
  type ModelParts,
  type ModelScorer,
  modelOfPart,
  modelsLearnt,
  partChainOf,
  readRound
} from '../../learning/index.ts'
import {
  createPartVersions,
  fetchWithin,
  type PartVersions,
  type TensorInfo,
  type TensorStore
} from '../../tiles/index.ts'
import type { Tokenizer } from '../blyan-node.ts'
import type { GenesisTensors } from '../experts/genesis-tensors.ts'
import type { ModelCatalogue } from '../models/model-catalogue.ts'

/** One model as learning works with it on this machine. */
export type LearningModel = {
  readonly parts: ModelParts
  readonly sequences: SequenceSource
  readonly scorer: ModelScorer
  /** A version of a part, here: drawn, made from updates, or fetched. */
  ensure(name: string, tensor: string, signal?: AbortSignal): Promise<TensorInfo>
}

export interface LearningModels {
  /** Throws MODEL_UNKNOWN, MODEL_INCOMPLETE. */
  get(model: string): Promise<LearningModel>
  readonly versions: PartVersions
  close(): Promise<void>
}

export type LearningModelsNeeds = {
  readonly genesis: Genesis
  readonly chains: Pick<Chains, 'state' | 'parts'>
  readonly tensors: TensorStore
  readonly genesisTensors: Pick<GenesisTensors, 'ensure'>
  readonly catalogue: Pick<ModelCatalogue, 'complete'>
  readonly tokenizerOf: (model: string) => Promise<Tokenizer>
  readonly engine: () => Promise<Engine>
  readonly isMapped: (tensor: string) => boolean
  readonly isOwnPin: (tensor: string) => boolean
  readonly keepsArchive: boolean
}

const modelsMax = 16
const shardTimeoutMs = 30_000
const candidatesLookedAt = 32
const bytesEach = 4

export function createLearningModels(needs: LearningModelsNeeds): LearningModels {
  return new ModelsOfNode(needs)
}

class ModelsOfNode implements LearningModels {
  readonly #needs: LearningModelsNeeds
  readonly #models = new Map<string, Promise<LearningModel>>()
  readonly #genesisParts: ReadonlyMap<string, string>
  readonly #parts = new Map<string, ModelParts>()
  readonly versions: PartVersions

  constructor(needs: LearningModelsNeeds) {
    this.#needs = needs
    const { genesis, chains, tensors } = needs
    this.#genesisParts = new Map(genesis.file.model.parts.map(({ name, tensor }) => [name, tensor]))
    this.versions = createPartVersions({
      tensors,
      network: genesis.cid,
      parts: () => chains.parts.names(),
      chainOf: part => partChainOf(chains.state, genesis, part),
      historyOf: part => chains.parts.history(part).map(({ tensor }) => tensor),
      layoutsOf: part => this.#partOf(part)?.layouts,
      modelOf: part => modelOfPart(chains.state, part),
      roundOf: model => readRound(chains.state, model)?.number,
      refusedTensors: () => this.#refusedTensors(),
      isMapped: needs.isMapped,
      isOwnPin: needs.isOwnPin,
      keepsArchive: () => needs.keepsArchive,
      nowMs: () => performance.now()
    })
  }

  get(model: string): Promise<LearningModel> {
    const known = this.#models.get(model)
    if (known !== undefined) return known
    const opened = this.#open(model)
    this.#models.set(model, opened)
    opened.catch(() => this.#models.delete(model))
    const [oldest] = this.#models.keys()
    if (this.#models.size > modelsMax && oldest !== undefined) void this.#drop(oldest)
    return opened
  }

  async close(): Promise<void> {
    await Promise.all([...this.#models.keys()].map(model => this.#drop(model)))
  }

  async #drop(model: string): Promise<void> {
    const opened = this.#models.get(model)
    this.#models.delete(model)
    const found = await opened?.catch(() => undefined)
    await found?.scorer.close()
    await found?.sequences.close()
  }

  async #open(model: string): Promise<LearningModel> {
    const { catalogue, tensors, engine } = this.#needs
    const entry = catalogue.complete(model)
    const parts = this.#partsOf(model)
    const sequences = createSequenceSource({
      store: tensors,
      tokensOf: entry.tokenizer === null ? 'bytes' : tokensWith(await this.#needs.tokenizerOf(model)),
      fetch: { timeoutMs: shardTimeoutMs }
    })
    const ensure = (name: string, tensor: string, signal?: AbortSignal): Promise<TensorInfo> =>
      this.#ensure(parts.named(name), name, tensor, signal)
    return { parts, sequences, scorer: createModelScorer({ parts, engine, ensure }), ensure }
  }

  async #ensure(
    part: LearningPart | undefined,
    name: string,
    tensor: string,
    signal: AbortSignal | undefined
  ): Promise<TensorInfo> {
    const { tensors, genesisTensors, chains } = this.#needs
    const here = tensors.info(tensor)
    if (here !== undefined) return here
    if (this.#genesisParts.get(name) === tensor) await genesisTensors.ensure()
    const options = signal === undefined ? {} : { signal }
    if (chains.parts.newest(name)?.tensor === tensor) return this.versions.ensure(name, options)
    // Anybody may propose the CID of something huge.
    return fetchWithin(tensors, tensor, bytesEach * (part?.length ?? 0), options)
  }

  #partsOf(model: string): ModelParts {
    const known = this.#parts.get(model)
    if (known !== undefined) return known
    const made = createModelParts(model, this.#needs.catalogue.complete(model).architecture)
    this.#parts.set(model, made)
    return made
  }

  #partOf(name: string): LearningPart | undefined {
    try {
      return this.#partsOf(modelOfPart(this.#needs.chains.state, name)).named(name)
    } catch {
      return undefined
    }
  }

  *#refusedTensors(): Generator<string> {
    const { state } = this.#needs.chains
    for (const model of modelsLearnt(state))
      for (const { status, parts } of candidatesOf(state, model).slice(-candidatesLookedAt))
        if (status === 'refused' || status === 'lapsed') for (const { tensor } of parts) yield tensor
  }
}

function tokensWith(tokenizer: Tokenizer): TokensOf {
  const decoder = new TextDecoder()
  return text => tokenizer.encode(decoder.decode(text), { special: false })
}
