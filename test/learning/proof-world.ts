import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { SigningKey } from '../../src/codec/index.ts'
import type { PartVersion } from '../../src/dag/index.ts'
import {
  type BuiltCorpus,
  buildCorpus,
  createSequenceSource,
  drawBatch,
  type Lineage,
  lineageOf,
  type SequenceSource,
  type Shard
} from '../../src/datasets/index.ts'
import { type Architecture, createEngine, type Engine, genesisParts, type Training } from '../../src/experts/index.ts'
import {
  createMeasurer,
  createModelParts,
  createModelScorer,
  type LearningChain,
  learningSettings,
  type MeasuredModel,
  type Measurer,
  type ModelParts,
  newestTensor,
  partFileOf
} from '../../src/learning/index.ts'
import { partTensor, type TensorStore } from '../../src/tiles/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { operatorKey } from '../ledger/ledger-world.ts'
import { openStore, temporaryFolder } from '../tiles/support.ts'
import { hex, RoundWorld } from './chain/round-world.ts'
import { tinyArchitecture } from './learning-network.ts'

export const sequenceTokens = 63
const sequences = 8
const architecture = { ...tinyArchitecture, seed: 'proof' } as Architecture
const silent = { debug: () => {}, info: () => {}, warn: () => {} }
const settings = {
  sequences,
  sequenceTokens,
  learningRate: 0.004,
  warmUpSteps: 5,
  weightDecay: 0,
  clipNorm: 1,
  balance: 0.01,
  zLoss: 0.001,
  sequencesPerRun: sequences
}

export type Values = ReadonlyMap<string, Float32Array>

/** A network with real handlers, a real tensor store, a real engine and a small model that has learnt a little. */
export class ProofWorld {
  readonly world: RoundWorld
  readonly tensors: TensorStore
  readonly parts: ModelParts
  readonly engine: Engine
  readonly sequences: SequenceSource
  readonly base: Values
  readonly model: MeasuredModel
  readonly #training: Training
  readonly #folder: string

  constructor(given: {
    world: RoundWorld
    tensors: TensorStore
    parts: ModelParts
    engine: Engine
    sequences: SequenceSource
    base: Values
    training: Training
    folder: string
  }) {
    this.world = given.world
    this.tensors = given.tensors
    this.parts = given.parts
    this.engine = given.engine
    this.sequences = given.sequences
    this.base = given.base
    this.#training = given.training
    this.#folder = given.folder
    const ensure = (_: string, tensor: string) => this.tensors.fetchTensor(tensor)
    const { parts, engine, sequences: source } = given
    const scorer = createModelScorer({ parts, engine: async () => engine, ensure })
    this.model = { parts, sequences: source, scorer, ensure }
  }

  /** What an operator of genesis sees and says. */
  chainOf(place: number): LearningChain {
    const { world } = this
    const key = operatorKey(place)
    return {
      genesis: world.genesis,
      get state() {
        return world.state
      },
      account: accountOf(key),
      newest: part => ({ tensor: newestTensor(world.state, world.genesis, part)! }) as PartVersion,
      nowMs: () => world.nowMs,
      submit: async (type, json) => {
        const refusal = world.apply(key, type, json)
        if (refusal !== '') throw new Error(refusal)
        return { eventId: '' }
      },
      changed: async () => {}
    }
  }

  measurer(place = 0): Measurer {
    return createMeasurer({
      chain: this.chainOf(place),
      tensors: this.tensors,
      settings: () => learningSettings(this.world.state, this.world.genesis),
      checkpointDigest: async sequence => hex(`checkpoint ${sequence}`),
      signal: new AbortController().signal,
      logger: silent
    })
  }

  /** What the next operator finds of the newest candidate, and says on chain. */
  async measured(place = 0) {
    const candidate = this.world.newestCandidate!
    const found = await this.measurer(place).measure(candidate, this.model)
    return found!
  }

  /** Text in a folder of its own, read, packed and published by `key`. */
  async publishText(key: SigningKey, text: string): Promise<BuiltCorpus> {
    const folder = join(this.#folder, accountOf(key))
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'text.txt'), text)
    const corpus = await buildCorpus({ folder, store: this.tensors })
    this.announce(key, corpus.training, corpus.heldOut)
    return corpus
  }

  announce(key: SigningKey, training: readonly Shard[], heldOut: readonly Shard[]): void {
    const shards = (list: readonly Shard[]) => list.map(({ cid: shard, bytes }) => ({ shard, bytes }))
    const refusal = this.world.corpus(key, 'texts', { training: shards(training), heldOut: shards(heldOut) })
    if (refusal !== '') throw new Error(refusal)
  }

  plan(shards: readonly Shard[], seed: string) {
    const bytesEach = this.sequences.bytesEach(sequenceTokens)
    return { seed: Buffer.from(hex(seed), 'hex'), shards, sequences, sequenceTokens, bytesEach }
  }

  /** What so many steps on these shards make of the newest version, and what is to be said of it. */
  async trained(shards: readonly Shard[], steps: number, seed = 'seed'): Promise<{ values: Values; lineage: Lineage }> {
    const plan = this.plan(shards, seed)
    await this.#training.rebase({ parts: await this.#files(), keep: false })
    await trainOn(this.#training, this.sequences, plan, steps)
    const changes = await this.#training.delta()
    return { values: added(this.base, changes), lineage: lineageOf(plan, steps) }
  }

  /** Stores parts and proposes them; the code of the refusal or nothing. */
  async propose(key: SigningKey, values: Values, lineage: Lineage, title?: string): Promise<string> {
    const parts = []
    for (const [name, data] of values) {
      const { shape } = this.parts.named(name)!
      const { cid } = await this.tensors.putTensor(partTensor({ name: title ?? name, shape }, data))
      parts.push({ name, tensor: cid })
    }
    return this.world.propose(key, parts, { lineage })
  }

  async #files() {
    return Promise.all(
      this.parts.all.map(async part => {
        const tensor = newestTensor(this.world.state, this.world.genesis, part.name)!
        return partFileOf(part, await this.tensors.fetchTensor(tensor))
      })
    )
  }
}

export async function openProofWorld(t: TestContext, steps: number, baseText: string): Promise<ProofWorld> {
  const { tensors, folder } = await openStore(t)
  const tensorFolder = join(folder, 'tensors')
  const engine = createEngine({ tensorFolder, threads: 1, logger: silent, limits: { backOffMs: 10 } })
  t.after(() => engine.stop())
  await engine.start()
  const parts = createModelParts('genesis', architecture)
  const sequencesOf = createSequenceSource({ store: tensors, tokensOf: 'bytes' })
  t.after(() => sequencesOf.close())
  const first = new Map([...genesisParts(architecture)].map(({ name, data }) => [name, data]))
  const firstFiles = await Promise.all(
    parts.all.map(async part => partFileOf(part, await tensors.putTensor(partTensor(part, first.get(part.part)!))))
  )
  const training = await engine.openTraining({
    model: 'proof',
    architecture,
    parts: firstFiles,
    trained: 'all',
    settings
  })
  const textFolder = await temporaryFolder(t)
  await writeFile(join(textFolder, 'base.txt'), baseText)
  const { training: shards } = await buildCorpus({ folder: textFolder, store: tensors })
  const plan = { seed: new Uint8Array(32), shards, sequences, sequenceTokens, bytesEach: sequenceTokens + 1 }
  await trainOn(training, sequencesOf, plan, steps)
  const base = added(first, await training.delta())
  const genesisModel = {
    architecture: JSON.parse(JSON.stringify(architecture)),
    parts: await Promise.all(
      parts.all.map(async part => {
        const { cid } = await tensors.putTensor(partTensor(part, base.get(part.part)!))
        return { name: part.part, blockType: part.blockType, layer: part.layer, tensor: cid, shape: part.shape }
      })
    )
  }
  const world = new RoundWorld({
    model: genesisModel as never,
    parameters: { learningSequences: '64', learningMeasureMs: '300000' }
  })
  return new ProofWorld({ world, tensors, parts, engine, sequences: sequencesOf, base, training, folder: textFolder })
}

async function trainOn(
  training: Training,
  source: SequenceSource,
  plan: Parameters<typeof drawBatch>[0],
  steps: number
): Promise<void> {
  async function* batches() {
    for (let step = 0; step < steps; step++) yield await source.batch(drawBatch(plan, step), sequenceTokens)
  }
  for await (const _ of training.train({ batches: batches() }));
}

/** `factor` times the changes on top of what was. */
export function added(base: Values, changes: Values, factor = 1): Map<string, Float32Array> {
  return new Map(
    [...changes].map(([name, change]) => [name, base.get(name)!.map((value, at) => value + factor * change[at]!)])
  )
}

export function changeOf(base: Values, values: Values): Map<string, Float32Array> {
  return new Map([...values].map(([name, value]) => [name, value.map((each, at) => each - base.get(name)![at]!)]))
}
