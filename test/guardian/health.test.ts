import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Health, handovers, readFailover, settlesAtMs } from '../../src/guardian/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { operatorKey, rich } from '../ledger/ledger-world.ts'
import { account, ContinuityWorld, owner } from './continuity-world.ts'

const lot = 'ab'.repeat(32)
const observation = { subject: owner, health: 'failed', responseMs: null, issues: [], lot, opens: '' }

test('a health counts when more than two thirds of the weight have agreed on it for a while', () => {
  const world = new ContinuityWorld()
  assert.equal(world.health(), 'unknown')
  world.observeAll([1, 2], 'healthy')
  world.pass(5)
  assert.equal(world.health(), 'unknown')
  world.observeAll([3], 'healthy')
  world.pass(1)
  assert.equal(world.health(), 'unknown')
  world.pass(1)
  assert.equal(world.health(), 'healthy')
  world.observeAll([1, 2, 3], 'failed')
  world.pass(1)
  assert.equal(world.health(), 'healthy')
  world.pass(1)
  assert.equal(world.health(), 'failed')
  world.requireConserved()
})

test('who says failed says degraded too; who disagrees otherwise leaves it unknown', () => {
  const world = new ContinuityWorld()
  world.observeAll([1], 'degraded')
  world.observeAll([2, 3], 'failed')
  world.pass(3)
  assert.equal(world.health(), 'degraded')
  world.observeAll([1], 'healthy')
  world.pass(3)
  assert.equal(world.health(), 'unknown')
  assert.deepEqual(world.holders, [owner, owner, owner])
})

test('what a quorum found stays found until a quorum finds something else', () => {
  const world = new ContinuityWorld()
  world.observeAll([1, 2, 3], 'failed')
  world.pass(3)
  world.observeAll([1, 2], 'healthy')
  world.pass(20)
  assert.equal(world.health(), 'failed')
})

test('flapping moves nothing: a health that does not last is none', () => {
  const world = new ContinuityWorld()
  world.observeAll([1, 2, 3], 'healthy')
  world.pass(3)
  for (let round = 0; round < 20; round++) {
    world.observeAll([1, 2, 3], round % 2 === 0 ? 'failed' : 'healthy')
    world.pass(1)
  }
  world.pass(3)
  assert.equal(world.health(), 'healthy')
  assert.deepEqual(handovers(world.state), [])
})

test('an observation gets old', () => {
  const world = new ContinuityWorld({ parameters: { periodMs: '10000' } })
  world.observeAll([1, 2, 3], 'healthy')
  world.pass(50)
  assert.equal(world.health(), 'healthy')
  world.pass(30)
  assert.equal(world.health(), 'unknown')
})

test('each bad observation has its own code and changes nothing', () => {
  const world = new ContinuityWorld()
  const refused = (place: number, change: object): string =>
    world.apply(operatorKey(place), 'health-observation', { ...observation, ...change })
  assert.equal(refused(0, {}), 'OBSERVATION_OF_SELF')
  assert.equal(world.apply(rich, 'health-observation', observation), 'OPERATOR_NOT_MEMBER')
  assert.equal(refused(1, { subject: account(2) }), 'OBSERVATION_SUBJECT_UNKNOWN')
  assert.equal(refused(1, { subject: accountOf(rich) }), 'OBSERVATION_SUBJECT_UNKNOWN')
  assert.equal(refused(1, { subject: 'nobody' }), 'ACCOUNT_INVALID')
  assert.equal(refused(1, { health: 'fine' }), 'EVENT_PAYLOAD_INVALID')
  assert.equal(refused(1, { responseMs: -1 }), 'EVENT_PAYLOAD_INVALID')
  assert.equal(refused(1, { issues: ['slow', 'slow'] }), 'EVENT_PAYLOAD_INVALID')
  assert.equal(refused(1, { opens: lot }), 'OBSERVATION_LOT_WRONG')
  assert.equal(refused(1, {}), '')
  assert.equal(refused(1, {}), 'OBSERVATION_TOO_SOON')
  assert.equal(refused(1, { health: 'healthy' }), 'OBSERVATION_TOO_SOON')
  world.pass(1)
  const root = world.state.root()
  assert.equal(refused(1, {}), 'OBSERVATION_TOO_SOON')
  assert.equal(refused(1, { health: 'healthy' }), 'OBSERVATION_LOT_WRONG')
  assert.equal(refused(1, { health: 'healthy', opens: lot }), 'OBSERVATION_LOT_WRONG')
  assert.equal(world.state.root(), root)
})

test('an observation costs nothing', () => {
  const world = new ContinuityWorld()
  const before = world.balance(operatorKey(1))
  world.observeAll([1], 'healthy')
  assert.equal(world.balance(operatorKey(1)), before)
})

test('liars of less than a third can neither fail a healthy owner nor hide a failed one, whatever they say and when', () => {
  const lies = fc.array(
    fc.record({
      liar: fc.nat({ max: 1 }),
      health: fc.constantFrom<Health>('healthy', 'degraded', 'failed', 'unknown'),
      waitSeconds: fc.integer({ min: 1, max: 4 })
    }),
    { maxLength: 25 }
  )
  fc.assert(
    fc.property(lies, fc.boolean(), (said, isDown) => {
      // Seven of which two lie: 1 and 2. The owner (0) says nothing of itself.
      const world = new ContinuityWorld({ operators: 7 })
      world.observeAll([3, 4, 5, 6], 'healthy')
      for (const { liar, health, waitSeconds } of said) {
        world.observe(1 + liar, health)
        world.pass(waitSeconds)
        assert.notEqual(world.health(), 'failed')
      }
      assert.equal(readFailover(world.state), undefined)
      assert.deepEqual(world.holders, [owner, owner, owner])
      if (!isDown) return
      // The owner has failed: it is one of the two that may be faulty, so one liar is left.
      world.pass(1)
      // It may have said so just now.
      world.observe(2, 'failed')
      world.observeAll([3, 4, 5, 6], 'failed')
      for (const { health, waitSeconds } of said) {
        world.observe(1, health)
        world.pass(waitSeconds)
      }
      world.pass(2)
      assert.equal(world.health(), 'failed')
      assert.equal(world.holders.includes(owner), false)
    }),
    { numRuns: 30 }
  )
})

test('what waits for a commit may be said again, and not before', () => {
  const world = new ContinuityWorld()
  world.observeAll([1, 2], 'failed')
  world.pass(2)
  assert.equal(world.observe(1, 'failed'), 'OBSERVATION_TOO_SOON')
  world.observeAll([3], 'failed')
  assert.equal(world.observe(3, 'failed'), 'OBSERVATION_TOO_SOON')
  world.pass(1)
  assert.equal(settlesAtMs(world.state, world.genesis, owner), world.nowMs + 1000)
  assert.equal(world.observe(3, 'failed'), '')
  world.pass(1)
  assert.equal(world.health(), 'failed')
  assert.equal(settlesAtMs(world.state, world.genesis, owner), null)
  world.pass(5)
  assert.equal(world.observe(3, 'failed'), 'OBSERVATION_TOO_SOON')
})
