import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type CorpusShards,
  createSequenceSource,
  drawFromCorpora,
  drawSequences,
  lineageOf,
  lineageVerification,
  verifyLineage
} from '../../src/datasets/index.ts'
import { BlyanError, type ErrorCode } from '../../src/errors/index.ts'
import { besideNothing } from '../../src/learning/core/gate.ts'
import { corporaThatCount } from '../../src/learning/corpora-that-count.ts'
import {
  commitsOf,
  createLearner,
  createModelParts,
  type LearningChain,
  learningSettings,
  newestTensor,
  readRound,
  revealsOf
} from '../../src/learning/index.ts'
import type { LocalTraining, TrainingBase } from '../../src/learning/local-training.ts'
import { drawAtHand } from '../../src/learning/text-at-hand.ts'
import { createLearningDuties, type LearningDutiesNeeds } from '../../src/node/learning/learning-duties.ts'
import { createFeedbackStore, fetchWithin, type TensorInfo } from '../../src/tiles/index.ts'
import { accountOf, carol } from '../dag/small-network.ts'
import { openStore, temporaryFolder } from '../tiles/support.ts'
import { cid, learnerKey, model, RoundWorld } from './chain/round-world.ts'
import { tinyArchitecture } from './learning-network.ts'

const seed = new Uint8Array(32)
const quiet = { debug: () => {}, info: () => {}, warn: () => {} }

function corpusOf(account: string, count: number): CorpusShards {
  const shards = Array.from({ length: count }, (_, at) => ({ cid: cid(`${account} ${at}`), bytes: 1000 }))
  return { account, corpus: 'texts', shards }
}

const draw = (corpora: readonly CorpusShards[]) =>
  drawFromCorpora({ seed, corpora, count: 32, bytesEach: 64, corporaMax: 8, shardsEachMax: 2 })

test('names of text that nobody has are not waited for one by one', async () => {
  const honest = corpusOf('honest', 4)
  const corpora = [...Array.from({ length: 40 }, (_, at) => corpusOf(`nobody ${at}`, 64)), honest]
  const asked: string[] = []
  const draws = await drawAtHand({
    sequences: {
      ensure: shard => {
        asked.push(shard)
        return honest.shards.some(one => one.cid === shard) ? Promise.resolve() : new Promise(() => {})
      }
    },
    corpora,
    timeoutMs: 50,
    draw
  })
  assert.ok(draws.every(({ account }) => account === 'honest'))
  assert.equal(draws.length, 32)
  // Two shards of each corpus, twice, and no more of the 64.
  assert.ok(asked.length <= 41 * 2 * 2 * 2, `${asked.length} were asked for`)
})

test('text that is shorter than its publisher says is done without', async t => {
  const { tensors } = await openStore(t)
  const put = async (length: number, fill: number) => {
    const data = new Uint8Array(length).fill(fill)
    return (await tensors.putTensor({ name: 'text-shard', dtype: 'int8', shape: [length], data })).cid
  }
  const sequences = createSequenceSource({ store: tensors, tokensOf: 'bytes' })
  t.after(() => sequences.close())
  const shards = (shard: string, bytes: number) => [{ cid: shard, bytes }]
  const honest = { account: 'honest', corpus: 'texts', shards: shards(await put(1000, 1), 1000) }
  const liar = { account: 'liar', corpus: 'texts', shards: shards(await put(100, 2), 1_000_000) }
  const draws = await drawAtHand({ sequences, corpora: [liar, honest], timeoutMs: 1000, draw })
  const rows = await sequences.batch(draws, 63)
  assert.ok(rows.every(token => token === 1))
  assert.equal(rows.length, 32 * 64)
})

test('a lineage of very many batches is drawn again batch by batch, with the same verdict', () => {
  const shards = [{ cid: cid('text'), bytes: 5000 }]
  const plan = { seed, shards, sequences: 2, sequenceTokens: 63, bytesEach: 64 }
  const lineage = lineageOf(plan, 50)
  const expected = { sequenceTokens: 63, bytesEach: 64, bytesOf: () => 5000 }
  const work = lineageVerification(lineage, expected)
  for (let batch = 0; batch < 50; batch++) assert.deepEqual(work.next(), { done: false, value: undefined })
  const { done, value } = work.next()
  assert.equal(done, true)
  assert.deepEqual(value, verifyLineage(lineage, expected))
  assert.equal(value!.valid, true)
  assert.equal(drawSequences({ seed, shards, count: 1, bytesEach: 64 }).length, 1)
})

test('who cannot have gained beside what others surely did does not count, who may have does', () => {
  const gains = new Map([
    ['good', 32_000_000],
    ['fair', 0],
    ['tiny', 0]
  ])
  const most = new Map([
    ['good', 40_000_000],
    ['fair', 1_000_000],
    ['tiny', 999_999]
  ])
  assert.deepEqual(besideNothing(gains, most), ['tiny'])
  // Where nobody surely gained all count alike.
  assert.deepEqual(besideNothing(new Map([['one', 0]]), new Map([['one', 0]])), [])
})

test('what is larger than it may be is left as soon as that is known', async () => {
  const asked: number[] = []
  const tensors = {
    fetchTensor: async (_: string, options: { signal?: AbortSignal; onProgress?: (a: number, b: number) => void }) => {
      for (let leaf = 1; leaf <= 100; leaf++) {
        if (options.signal!.aborted) throw new BlyanError('TENSOR_FETCH_ABORTED', { cid: cid('huge') })
        asked.push(leaf)
        options.onProgress!(leaf, 64 * 1024 ** 3)
      }
      return {} as TensorInfo
    }
  }
  await assert.rejects(fetchWithin(tensors, cid('huge'), 4096), { code: 'TENSOR_FETCH_ABORTED' })
  assert.equal(asked.length, 1)
  await fetchWithin(tensors, cid('huge'), 64 * 1024 ** 3)
  assert.equal(asked.length, 101)
})

/** Nothing is trained: what comes of it is made up, and always the same. */
function localOf(parts: ReturnType<typeof createModelParts>, world: RoundWorld): LocalTraining {
  const local = {
    base: undefined as TrainingBase | undefined,
    steps: 0,
    async moveTo(base: TrainingBase) {
      local.base = base
      local.steps = 0
    },
    async train(untilMs: number) {
      local.steps = 10
      world.nowMs = Math.max(world.nowMs, untilMs)
    },
    async take() {
      const changes = new Map(parts.all.map(({ name, length }) => [name, new Float32Array(length).fill(0.01)]))
      return { changes, lineage: world.lineage(learnerKey(0)) as never }
    },
    score: async () => new Float64Array(1),
    save: async () => {},
    close: async () => {}
  }
  return local
}

test('a commit that is final after its sender gave up waiting is revealed all the same', async t => {
  const parts = createModelParts(model, { ...tinyArchitecture, seed: 'late' })
  const world = new RoundWorld()
  const key = learnerKey(0)
  world.withLearners(1)
  const folder = await temporaryFolder(t)
  const { tensors } = await openStore(t)
  const stopping = new AbortController()
  const told: string[] = []
  let looks = 0
  const bases = new Map(parts.all.map(({ name }) => [name, cid(`base ${name}`)]))
  const chain: LearningChain = {
    genesis: world.genesis,
    state: world.state,
    account: accountOf(key),
    newest: name => ({ name, tensor: newestTensor(world.state, world.genesis, name) ?? bases.get(name) }) as never,
    nowMs: () => world.nowMs,
    changed: async () => {
      await new Promise(resolve => setImmediate(resolve))
      if (++looks > 50 || readRound(world.state, model)?.phase === 'aggregating') stopping.abort()
    },
    submit: async (type, json) => {
      const refusal = world.apply(key, type, json)
      if (refusal !== '') throw new BlyanError(refusal as ErrorCode)
      if (type === 'delta-commit') throw new BlyanError('NOT_FINAL_IN_TIME', { eventId: 'e', waitedMs: 1 })
      return { eventId: '' }
    }
  }
  await createLearner({
    chain,
    parts,
    local: localOf(parts, world),
    tensors,
    feedback: createFeedbackStore({ folder: `${folder}/feedback` }),
    folder,
    shards: [],
    join: { region: 'here', parts: ['*'], bytesMax: 0 },
    codec: 'int8',
    settings: () => learningSettings(world.state, world.genesis),
    listener: {
      onActivity: () => {},
      onCommitted: ({ round }) => told.push(`committed ${round}`),
      onOutcome: () => {},
      onBase: async () => {}
    },
    logger: quiet
  }).run(stopping.signal)
  assert.equal(commitsOf(world.state, model).length, 1)
  assert.deepEqual(told, ['committed 1'])
  assert.equal(revealsOf(world.state, model).length, 1)
})

test('rounds of several models that are due are asked for once each, not with every look', async () => {
  const round = { number: 3, phase: 'revealing', phaseAtMs: 0, dueAtMs: 1000, commits: 1, candidate: null }
  const state = new Map<string, unknown>([['learning/models', ['one', 'two']]])
  for (const name of ['one', 'two']) state.set(`learning/round/${name}`, { ...round, model: name })
  const asked: string[] = []
  const duties = createLearningDuties({
    watch: {
      state,
      account: 'me',
      nowMs: () => 100_000,
      submit: async (_: string, json: { model: string }) => {
        asked.push(json.model)
        return { eventId: '' }
      }
    },
    models: { get: () => Promise.reject(new BlyanError('MODEL_INCOMPLETE', { model: 'one' })) },
    place: () => 0,
    modelNames: () => [],
    isCaughtUp: () => true,
    logger: quiet
  } as unknown as LearningDutiesNeeds)
  for (let look = 0; look < 10; look++) duties.look()
  await duties.stop()
  assert.deepEqual(asked, ['one', 'two'])
})

test('text that somebody named for nothing judges nobody where there is text of who did something', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(2)
  for (const place of [4, 5, 6]) assert.equal(world.corpus(learnerKey(place)), '')
  assert.equal(world.corpus(carol), '')
  const counting = () => corporaThatCount(world).map(({ account }) => account)
  assert.equal(counting().length, 6)
  assert.equal(world.commitDelta(keys[0]!), '')
  assert.deepEqual(counting(), [accountOf(keys[0]!)])
  assert.equal(world.commitDelta(keys[1]!), '')
  for (const key of keys) assert.equal(world.reveal(key), '')
  world.aggregateAll()
  world.measureAll(world.now.candidate!)
  assert.equal(world.join(carol), '')
  world.publishAll(world.now.candidate!)
  assert.equal(world.commitDelta(carol), '')
  // Who committed and had nothing adopted yet does not count beside those who had.
  assert.deepEqual(counting(), keys.map(accountOf))
})
