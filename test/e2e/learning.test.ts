import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { LearningStatus } from '../../src/node/index.ts'
import { quickLearning, tinyArchitecture, writeTexts } from '../learning/learning-network.ts'
import { type ProcessNetwork, processNetwork, quietEconomy, until } from './network-of-processes.ts'

const validators = [0, 1, 2, 3]
const learners = [4, 5]
/** Below 3000 on a machine that does nothing else; this only tells a takeover from none. */
const structuralMsMax = 60_000

async function learning(network: ProcessNetwork, place: number): Promise<LearningStatus> {
  return (await network.daemon(place)).json<LearningStatus>({ path: '/v0/learning' })
}

async function learn(network: ProcessNetwork, place: number): Promise<void> {
  const folder = writeTexts(join(network.devnet.root, `texts-${place}`), place)
  await (await network.daemon(place)).json({
    method: 'POST',
    path: '/v0/learning/start',
    body: { folder },
    timeoutMs: 60_000
  })
}

async function lossOf(network: ProcessNetwork, place: number): Promise<number> {
  const text = Buffer.from('the net learns from many small texts and every node that reads one says. '.repeat(8))
  async function* once(): AsyncGenerator<Uint8Array> {
    yield text
  }
  const { lossNatsPerByte } = await (await network.daemon(place)).json<{ lossNatsPerByte: number }>({
    method: 'POST',
    path: '/v0/evaluate',
    upload: { bytes: once(), sizeBytes: text.length },
    timeoutMs: 60_000
  })
  return lossNatsPerByte
}

async function published(network: ProcessNetwork, place: number): Promise<number> {
  return (await learning(network, place)).candidates.filter(({ status }) => status === 'published').length
}

test('real processes learn together, and a primary that is killed is replaced within three seconds', async t => {
  const network = await processNetwork(
    t,
    validators.length,
    learners.length,
    { heartbeatMs: 500 },
    {
      economy: { parameters: { ...quietEconomy.parameters, ...quickLearning, learningWindowMs: '4000' } },
      // Parts enough that everybody is primary of some.
      architecture: { ...tinyArchitecture, experts: 8 }
    }
  )
  await network.start(...validators, ...learners)
  const before = await lossOf(network, learners[0]!)
  await Promise.all(learners.map(place => learn(network, place)))

  await t.test('a round is adopted: all nodes have the new versions, and they are better', async () => {
    await until('an adopted round', async () => (await published(network, 0)) > 0, 150_000)
    await until('the version', async () => (await lossOf(network, learners[0]!)) < before - 0.3, 20_000)
    const paid = await Promise.all(learners.map(async place => (await learning(network, place)).learner!))
    assert.ok(paid.some(({ earnedUnits }) => BigInt(earnedUnits) > 0n))
    for (const { outcomes } of paid)
      for (const { reason } of outcomes) assert.ok(reason !== 'poisoned' && reason !== 'copied')
  })

  await t.test('the round goes on without a primary that was killed while it aggregated', async () => {
    await until('aggregation', async () => (await learning(network, 0)).round?.phase === 'aggregating', 150_000)
    const left = validators.slice(0, 3)
    const failovers = (): Promise<(number | null)[]> =>
      Promise.all(left.map(async place => (await learning(network, place)).duties.failoverMs))
    const earlier = await failovers()
    await network.kill(3)
    const adopted = await published(network, 0)
    const successor = async (): Promise<number | undefined> =>
      (await failovers()).find((failoverMs, at) => failoverMs !== null && failoverMs !== earlier[at]) ?? undefined
    await until('a successor', async () => (await successor()) !== undefined, 150_000)
    await until('another adopted round', async () => (await published(network, 0)) > adopted, 150_000)
    const failoverMs = (await successor())!
    t.diagnostic(`a backup gave the results of the killed primary ${failoverMs} ms after they were late`)
    assert.ok(failoverMs < structuralMsMax)
    // The others computed again what primaries and successors gave, and came to the same bytes.
    const duties = await Promise.all(left.map(async place => (await learning(network, place)).duties))
    assert.deepEqual(
      duties.map(({ challenged }) => challenged),
      left.map(() => 0)
    )
    assert.ok(duties.some(({ replayed }) => replayed > 0))
  })
})
