import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ContinuityView } from '../../src/node/index.ts'
import { blyan, processNetwork, until } from './network-of-processes.ts'

/** Short, so that the test is. */
const parameters = {
  healthDegradedAfterMs: '3000',
  healthFailedAfterMs: '6000',
  healthSettleMs: '1000',
  returnMs: '3000',
  returnStepMs: '1000',
  dutyMs: '3000'
}
const seconds = (fromMs: number): string => ((performance.now() - fromMs) / 1000).toFixed(1)

test("the owner's node is killed: others do its work within a minute, and it gets it back in order", {
  timeout: 240_000
}, async t => {
  const network = await processNetwork(t, 4, 0, {}, { economy: { parameters }, gifted: 2 })
  const look = async (place: number): Promise<ContinuityView> =>
    (await network.daemon(place)).json<ContinuityView>({ path: '/v0/continuity' })
  const holders = ({ responsibilities }: ContinuityView): string[] => responsibilities.map(one => one.holder.name ?? '')
  const ownerHealth = ({ watched }: ContinuityView): string => watched.find(one => one.isOwner)!.health

  await network.start(0, 1, 2, 3, 4, 5)
  await until('the owner is found healthy', async () => ownerHealth(await look(1)) === 'healthy')
  await until(
    'both gifted nodes can be elected',
    async () => (await look(1)).candidates.filter(({ kind }) => kind === 'gifted').length === 2
  )
  const before = await look(1)
  assert.deepEqual(holders(before), ['node-0', 'node-0', 'node-0'])
  assert.deepEqual([before.stage, before.council, before.history.length], ['owner', null, 0])

  const killedAtMs = performance.now()
  await network.kill(0)
  await until('others hold everything', async () => !holders(await look(1)).includes('node-0'), 60_000)
  const holdersAfter = seconds(killedAtMs)
  await until('there is a council', async () => (await look(1)).council !== null, 60_000)
  t.diagnostic(`new holders ${holdersAfter} s after the kill, council ${seconds(killedAtMs)} s`)
  await until('the duties go on', async () => {
    const { responsibilities } = await look(1)
    return responsibilities.every(({ record, holder }) => record !== null && record.holder.account === holder.account)
  })
  const [one, other] = [await look(2), await look(4)]
  assert.deepEqual(holders(one), holders(other))
  // Gifted nodes come first, the one made for it before the other; the third goes to whoever of them has least.
  assert.deepEqual(holders(one).slice(0, 2), ['gifted-0', 'gifted-1'])
  assert.match(holders(one)[2]!, /^gifted-/)
  assert.deepEqual(one.council, other.council)
  assert.equal(one.council!.members.length, 5)
  assert.equal(
    one.council!.members.some(({ name }) => name === 'node-0'),
    false
  )
  assert.equal(ownerHealth(one), 'failed')
  const registry = one.responsibilities[2]!.record!
  assert.ok((registry.nodes as unknown[]).length >= 3)
  assert.equal((await network.note(2, 'the network goes on')).final, true)

  const restartedAtMs = performance.now()
  await network.start(0)
  await until(
    "everything is the owner's again",
    async () => holders(await look(1)).every(name => name === 'node-0'),
    60_000
  )
  t.diagnostic(`everything given back ${seconds(restartedAtMs)} s after the restart`)
  await until('nothing is left to give back', async () => (await look(0)).stage === 'owner')
  const { history, council } = await look(0)
  assert.equal(council, null)
  assert.deepEqual(history.map(({ what, because }) => `${what} ${because}`).reverse(), [
    ...['core failed', 'notary failed', 'registry failed', 'council failed'],
    ...['council returned', 'registry returned', 'notary returned', 'core returned']
  ])
  assert.deepEqual((await look(3)).history, history)
  const shown = await blyan(['continuity', '--data', network.folders[3]!.path])
  assert.equal(shown.code, 0, shown.stderr)
  assert.match(shown.stdout, /the owner does what genesis gave it/)
})
