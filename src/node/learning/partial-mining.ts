import { randomBytes } from 'node:crypto'
import {
  type BuiltCorpus,
  buildCorpus,
  drawBatch,
  drawSequences,
  type Lineage,
  lineageLimits,
  lineageOf,
  type TrainingPlan
} from '../../datasets/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { Engine, Training } from '../../experts/index.ts'
import {
  candidatesOf,
  findNonce,
  type LearningPart,
  type LearningSettings,
  measurementsOf,
  partFileOf,
  proposalCommitment,
  workDigest
} from '../../learning/index.ts'
import { partTensor, readPartValues, type TensorInfo, type TensorStore } from '../../tiles/index.ts'
import type { ChainWatch } from './chain-watch.ts'
import type { LearningModel, LearningModels } from './learning-models.ts'
import { trainingSettings } from './learning-settings.ts'
import { meanOf } from './learning-status.ts'
import type { MiningLine, ProposeRequest } from './learning-status-types.ts'
import { type ProposedParts, partsToPropose, rowsAlone } from './proposed-parts.ts'
import { publishCorpus } from './publish-corpus.ts'

export type PartialMiningNeeds = {
  readonly watch: ChainWatch
  readonly models: LearningModels
  readonly tensors: TensorStore
  readonly engine: () => Promise<Engine>
  readonly settings: () => LearningSettings
}

const heldOutSequences = 32
const toldEverySteps = 5
/** Of the steps: those in which routers are trained too. */
const routerShare = 1 / 4

/**
 * Trains experts and their rows of the routers outside rounds and proposes what came of it. Throws LEARNING_PART_UNKNOWN,
 * MODEL_UNKNOWN, CORPUS_*, PROPOSAL_NOT_BETTER, TRAINING_*, and what the event is refused with.
 */
export async function* minePartially(
  needs: PartialMiningNeeds,
  request: ProposeRequest & { readonly model: string }
): AsyncGenerator<MiningLine> {
  const { models, watch } = needs
  const model = await models.get(request.model)
  const proposed = partsToPropose(model.parts, request.parts)
  const corpus = await corpusOf(needs, request)
  const { name, files, trainingBytes, heldOutBytes, skipped } = corpus
  yield { kind: 'corpus', corpus: { name, files, trainingBytes, heldOutBytes, skipped: { ...skipped } } }
  const bases = await basesOf(watch, model, request.signal)
  const bench: Bench = { ...needs, model, corpus, proposed, bases, plan: planOf(model, corpus), request }
  const routed = yield* trainRouters(bench)
  const best = yield* trainExperts(bench, routed)
  yield { kind: 'trained', beforeNats: best.beforeNats, afterNats: best.afterNats, parts: best.parts }
  yield* decided(needs, request, best.parts, lineageOf(bench.plan, request.steps))
}

/** What one run works with. */
type Bench = PartialMiningNeeds & {
  readonly model: LearningModel
  readonly corpus: BuiltCorpus
  readonly proposed: ProposedParts
  readonly bases: ReadonlyMap<string, TensorInfo>
  readonly plan: TrainingPlan
  readonly request: ProposeRequest & { readonly model: string }
}

type StoredPart = { readonly name: string; readonly base: string; readonly tensor: string }

/**
 * First experts and routers together, and of the routers only the rows of these experts are kept. What the other rows did
 * for the loss is lost with them: the experts get used to it in the steps that follow.
 */
async function* trainRouters(bench: Bench): AsyncGenerator<MiningLine, ReadonlyMap<string, TensorInfo>> {
  const { proposed, bases, request } = bench
  const training = await open(bench, bases, proposed.all)
  try {
    yield* trained(training, bench, 0, Math.ceil(request.steps * routerShare))
    return await stored(bench, bases, rowsAlone(proposed, await training.delta()))
  } finally {
    await training.close().catch(() => {})
  }
}

async function* trainExperts(
  bench: Bench,
  routed: ReadonlyMap<string, TensorInfo>
): AsyncGenerator<MiningLine, { beforeNats: number; afterNats: number; parts: readonly StoredPart[] }> {
  const { proposed, bases, request, tensors } = bench
  const experts = proposed.all.filter(({ part }) => !proposed.rows.has(part))
  const training = await open(bench, new Map([...bases, ...routed]), experts)
  try {
    yield* trained(training, bench, Math.ceil(request.steps * routerShare), request.steps)
    const made = new Map([...routed, ...(await stored(bench, routed, await training.delta()))])
    const losses = await heldOutLosses(training, bench, made)
    if (losses.afterNats >= losses.beforeNats)
      throw new BlyanError('PROPOSAL_NOT_BETTER', {
        beforeNats: losses.beforeNats.toFixed(4),
        afterNats: losses.afterNats.toFixed(4)
      })
    const parts = proposed.all.map(({ name }) => ({ name, base: bases.get(name)!.cid, tensor: made.get(name)!.cid }))
    const changed = parts.filter(({ base, tensor }) => base !== tensor)
    for (const { tensor } of changed) await tensors.pin(tensor)
    return { ...losses, parts: changed }
  } finally {
    await training.close().catch(() => {})
  }
}

async function open(
  { engine, model, request }: Bench,
  files: ReadonlyMap<string, TensorInfo>,
  trainedParts: readonly LearningPart[]
): Promise<Training> {
  return (await engine()).openTraining({
    model: `propose ${request.model}`,
    architecture: model.parts.architecture,
    parts: model.parts.all.map(part => partFileOf(part, files.get(part.name)!)),
    trained: trainedParts.map(({ part }) => part),
    settings: trainingSettings(model.parts.architecture)
  })
}

/** Values with their change, by the name on chain, as tensors of this machine. `changes` by short name. */
async function stored(
  { tensors, proposed }: Bench,
  from: ReadonlyMap<string, TensorInfo>,
  changes: ReadonlyMap<string, Float32Array>
): Promise<ReadonlyMap<string, TensorInfo>> {
  const made = new Map<string, TensorInfo>()
  for (const { name, part } of proposed.all) {
    const change = changes.get(part)
    const base = from.get(name)!
    if (change === undefined) continue
    const values = await readPartValues(base)
    for (let at = 0; at < values.length; at++) values[at] = values[at]! + change[at]!
    made.set(name, await tensors.putTensor(partTensor(base, values)))
  }
  return made
}

async function corpusOf(needs: PartialMiningNeeds, { folder, bytesMax, signal }: ProposeRequest): Promise<BuiltCorpus> {
  const limit = bytesMax === undefined ? {} : { bytesMax }
  const corpus = await buildCorpus({ folder, store: needs.tensors, ...limit, signal })
  for (const { cid } of [...corpus.training, ...corpus.heldOut]) await needs.tensors.pin(cid)
  await publishCorpus(needs.watch, corpus)
  return corpus
}

async function basesOf(
  watch: ChainWatch,
  model: LearningModel,
  signal: AbortSignal
): Promise<ReadonlyMap<string, TensorInfo>> {
  const bases = new Map<string, TensorInfo>()
  for (const { name } of model.parts.all) {
    const version = watch.newest(name)
    if (version === undefined) throw new BlyanError('PART_UNKNOWN_ON_CHAIN', { name })
    bases.set(name, await model.ensure(name, version.tensor, signal))
  }
  return bases
}

/** Outside rounds the author draws its own seed; it is on chain with the proposal all the same. */
function planOf(model: LearningModel, corpus: BuiltCorpus): TrainingPlan {
  const { sequences, sequenceTokens } = trainingSettings(model.parts.architecture)
  const shards = corpus.training.slice(0, lineageLimits.shardsMax)
  const bytesEach = model.sequences.bytesEach(sequenceTokens)
  return { seed: randomBytes(32), shards, sequences, sequenceTokens, bytesEach }
}

/** Steps from `first` to before `end`. */
async function* trained(
  training: Training,
  { model, plan, request: { steps, signal } }: Bench,
  first: number,
  end: number
): AsyncGenerator<MiningLine> {
  async function* batches(): AsyncGenerator<Uint32Array> {
    for (let step = first; step < end; step++)
      yield await model.sequences.batch(drawBatch(plan, step), plan.sequenceTokens)
  }
  let done = first
  for await (const { lossNats, tokens, elapsedMs } of training.train({ batches: batches(), signal })) {
    const step = ++done
    if (step === 1 || step === steps || step % toldEverySteps === 0)
      yield { kind: 'step', step, steps, lossNats, tokensPerSecond: (1000 * tokens) / Math.max(1, elapsedMs) }
  }
}

/** Both on the same sequences, so that they can be compared. */
async function heldOutLosses(
  training: Training,
  { model: { sequences, parts }, corpus, proposed, bases }: Bench,
  made: ReadonlyMap<string, TensorInfo>
): Promise<{ beforeNats: number; afterNats: number }> {
  const { sequenceTokens } = trainingSettings(parts.architecture)
  const bytesEach = sequences.bytesEach(sequenceTokens)
  const draws = drawSequences({ seed: randomBytes(32), shards: corpus.heldOut, count: heldOutSequences, bytesEach })
  const tokens = await sequences.batch(draws, sequenceTokens)
  const mean = async (versions: ReadonlyMap<string, TensorInfo>): Promise<number> => {
    const files = proposed.all.map(part => partFileOf(part, versions.get(part.name)!))
    const losses = await training.score({ tokens, parts: files })
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
  }
  return { beforeNats: await mean(bases), afterNats: await mean(made) }
}

async function* decided(
  { watch, settings }: PartialMiningNeeds,
  { model, signal }: ProposeRequest & { readonly model: string },
  parts: readonly StoredPart[],
  lineage: Lineage
): AsyncGenerator<MiningLine> {
  const named = parts.map(({ name, tensor }) => ({ name, tensor }))
  const work = { account: watch.account, model, round: 0, commitment: proposalCommitment(named) }
  const nonce = await findNonce(workDigest(watch.genesis, work), settings().workBits, signal)
  const { eventId } = await watch.submit('expert-propose', { model, parts: named, nonce, lineage })
  const find = () =>
    candidatesOf(watch.state, model).findLast(
      candidate => candidate.author === watch.account && candidate.parts.some(part => part.tensor === named[0]!.tensor)
    )
  for (let isTold = false; !signal.aborted; await watch.changed(signal)) {
    const candidate = find()
    if (candidate === undefined) continue
    const { id, status, reason } = candidate
    if (!isTold) yield { kind: 'proposed', candidate: id, eventId }
    isTold = true
    if (status === 'measuring' || status === 'approved') continue
    const measured = measurementsOf(watch.state, id)
    const beforeNano = meanOf(measured.map(({ beforeNano: before }) => before))
    const afterNano = meanOf(measured.map(({ afterNano: after }) => after))
    yield { kind: 'decided', candidate: id, status, reason, beforeNano, afterNano }
    return
  }
}
