import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { genesisOf } from '../../src/dag/index.ts'
import {
  candidates,
  type Health,
  handovers,
  ownerOf,
  readCouncil,
  readFailover,
  responsibilities,
  subjectsOf
} from '../../src/guardian/index.ts'
import { createHandlers } from '../../src/node/event-handlers.ts'
import { continuityView } from '../../src/node/views/continuity-view.ts'
import { genesisFile } from '../dag/small-network.ts'
import { operatorKey } from '../ledger/ledger-world.ts'
import { account, ContinuityWorld, owner } from './continuity-world.ts'

const health = fc.constantFrom<Health>('healthy', 'degraded', 'failed', 'unknown')
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('all' as const), health, subject: fc.nat({ max: 3 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('one' as const), health, subject: fc.nat({ max: 3 }), place: fc.nat(6) })
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('vote' as const), place: fc.nat(6), nominee: fc.nat(6) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 8 }) }) }
)

function requireSound(world: ContinuityWorld): void {
  const { state, genesis } = world
  const failover = readFailover(state)
  const council = readCouncil(state)
  // Without a failover the owner has everything; with one, a council serves until it is given back.
  if (failover === undefined) assert.deepEqual(world.holders, [owner, owner, owner])
  assert.equal(council !== undefined, failover?.steps.includes('council') ?? false)
  for (const name of responsibilities)
    assert.equal(world.holder(name) === owner, !(failover?.steps.includes(name) ?? false), name)
  if (council !== undefined) {
    assert.equal(council.members.length % 2, 1)
    assert.equal(new Set(council.members).size, council.members.length)
    assert.equal(council.members.includes(owner), false)
  }
  assert.ok(handovers(state).length <= 64)
  assert.ok(subjectsOf(state, genesis).length <= 4)
  for (const { chances } of candidates(state, genesis)) assert.ok(chances > 0n)
}

test('whatever validators say, vote and leave unsaid: one holder each, an odd council, nothing lost', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const world = new ContinuityWorld({ operators: 7, parameters: { periodMs: '20000' } })
      for (const one of steps) {
        const subjects = subjectsOf(world.state, world.genesis)
        if (one.kind === 'wait') world.pass(one.seconds)
        else if (one.kind === 'vote') {
          const json = { responsibility: 'notary', term: 2, nominee: account(one.nominee) }
          world.apply(operatorKey(one.place), 'council-vote', json)
        } else {
          const subject = subjects[one.subject % subjects.length]!
          const places = one.kind === 'one' ? [one.place] : [0, 1, 2, 3, 4, 5, 6]
          for (const place of places) world.observe(place, one.health, subject)
        }
        requireSound(world)
      }
      // When everybody agrees that the owner is well, everything is as at the beginning.
      for (const place of [1, 2, 3, 4, 5, 6]) world.observe(place, 'unknown')
      world.pass(3)
      for (const place of [1, 2, 3, 4, 5, 6]) world.observe(place, 'healthy')
      world.pass(14)
      requireSound(world)
      assert.equal(readFailover(world.state), undefined)
      world.requireConserved()
    }),
    { numRuns: 25 }
  )
})

test('what people are shown names who is who', () => {
  const world = new ContinuityWorld()
  world.observeAll([1, 2, 3], 'failed')
  world.pass(3)
  world.apply(operatorKey(1), 'council-vote', { responsibility: 'core', term: 2, nominee: account(1) })
  const view = continuityView(world.access)
  assert.equal(view.stage, 'failover')
  assert.equal(view.owner.account, ownerOf(world.genesis))
  assert.equal(view.quorumWeight, 3)
  assert.equal(view.watched[0]!.isOwner, true)
  assert.equal(view.watched[0]!.observations.length, 3)
  assert.deepEqual(view.watched[0]!.observations[0]!.issues, ['silent'])
  assert.equal(view.responsibilities.length, 3)
  assert.equal(view.council!.members.length, 3)
  assert.equal(view.history.length, 4)
  assert.equal(view.history[0]!.to.length, 3)
  assert.equal(
    view.watched.every(({ name, peerId }) => name !== null && peerId !== null),
    true
  )
})

test('a network without an economy has no owner to do without', () => {
  const genesis = genesisOf(genesisFile())
  assert.equal(createHandlers(genesis).economy, undefined)
  const world = new ContinuityWorld()
  assert.throws(() => continuityView({ ...world.access, genesis }), { code: 'ECONOMY_NONE' })
})
