import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  candidates,
  handovers,
  holdingOf,
  readCouncil,
  readFailover,
  responsibilities
} from '../../src/guardian/index.ts'
import { operatorKey, rich } from '../ledger/ledger-world.ts'
import { account, ContinuityWorld, owner } from './continuity-world.ts'

const others = [1, 2, 3]

function failed(options: ConstructorParameters<typeof ContinuityWorld>[0] = {}): ContinuityWorld {
  const world = new ContinuityWorld(options)
  const observers = world.members.map((_, place) => place).slice(1)
  world.pass(2)
  world.observeAll(observers, 'healthy')
  world.pass(3)
  world.observeAll(observers, 'failed')
  world.pass(2, observers)
  return world
}

test('the owner holds everything from genesis on', () => {
  const world = new ContinuityWorld()
  assert.deepEqual(world.holders, [owner, owner, owner])
  assert.equal(holdingOf(world.state, 'core').because, 'genesis')
  assert.equal(readCouncil(world.state), undefined)
})

test('a failed owner holds nothing: each responsibility goes to another node, spread evenly, and a council is elected', () => {
  const world = failed()
  assert.equal(world.health(), 'failed')
  assert.deepEqual([...world.holders].sort(), others.map(account).sort())
  const council = readCouncil(world.state)!
  assert.deepEqual([...council.members].sort(), others.map(account).sort())
  assert.deepEqual(readFailover(world.state)!.steps, ['core', 'notary', 'registry', 'council'])
  assert.deepEqual(
    handovers(world.state).map(({ what, because }) => `${what} ${because}`),
    ['council failed', 'registry failed', 'notary failed', 'core failed']
  )
  world.requireConserved()
})

test('a council has an odd number of members and not more than its seats', () => {
  assert.equal(readCouncil(failed({ operators: 5 }).state)!.members.length, 3)
  assert.equal(readCouncil(failed({ operators: 12 }).state)!.members.length, 7)
  assert.equal(readCouncil(failed({ operators: 12, parameters: { councilSeats: '4' } }).state)!.members.length, 3)
})

test('an owner that comes back gets everything back in the reverse order, a step at a time', () => {
  const world = failed()
  world.observeAll(others, 'healthy')
  world.pass(4)
  assert.equal(world.health(), 'failed')
  world.pass(1)
  assert.equal(world.health(), 'healthy')
  assert.equal(readCouncil(world.state), undefined)
  assert.equal(world.holders.includes(owner), false)
  world.pass(1)
  assert.deepEqual([world.holder('registry'), world.holder('notary') === owner], [owner, false])
  world.pass(1)
  assert.deepEqual([world.holder('notary'), world.holder('core') === owner], [owner, false])
  world.pass(1)
  assert.deepEqual(world.holders, [owner, owner, owner])
  assert.equal(readFailover(world.state), undefined)
  assert.deepEqual(
    handovers(world.state)
      .slice(0, 4)
      .map(({ what, because }) => `${what} ${because}`),
    ['core returned', 'notary returned', 'registry returned', 'council returned']
  )
})

test('an owner that fails on its way back loses again what it got', () => {
  const world = failed()
  world.observeAll(others, 'healthy')
  world.pass(6)
  assert.equal(world.holder('registry'), owner)
  world.observeAll(others, 'failed')
  world.pass(10)
  assert.equal(world.holders.includes(owner), false)
  assert.notEqual(readCouncil(world.state), undefined)
  assert.equal(readFailover(world.state)!.stage, 'active')
  world.observeAll(others, 'healthy')
  world.pass(12)
  assert.deepEqual(world.holders, [owner, owner, owner])
})

test('giving back stops while the owner is degraded, and goes on', () => {
  const world = failed()
  world.observeAll(others, 'healthy')
  world.pass(4)
  world.observeAll(others, 'degraded')
  world.pass(10)
  assert.equal(world.health(), 'degraded')
  assert.equal(world.holders.includes(owner), false)
  world.observeAll(others, 'healthy')
  world.pass(12)
  assert.deepEqual(world.holders, [owner, owner, owner])
})

test('a holder that fails is replaced in the same way, and is not elected again at once', () => {
  const world = failed({ operators: 7 })
  const lost = world.holder('core')
  const observers = [1, 2, 3, 4, 5, 6].filter(place => account(place) !== lost)
  world.observeAll(observers, 'failed', lost)
  world.pass(3)
  const next = world.holder('core')
  assert.ok(next !== lost && next !== owner)
  assert.equal(holdingOf(world.state, 'core').term, 3)
  assert.equal(
    candidates(world.state, world.genesis).some(candidate => candidate.account === lost),
    false
  )
  // Not watched any more, and forgotten after a while.
  assert.equal(world.observe(observers[0]!, 'healthy', lost), 'OBSERVATION_SUBJECT_UNKNOWN')
  world.pass(21)
  assert.equal(
    candidates(world.state, world.genesis).some(candidate => candidate.account === lost),
    true
  )
  const kept = [...world.state.entries()].filter(([key]) => key.startsWith(`observation/${lost}`))
  assert.deepEqual(kept, [])
})

test('an elected holder that is degraded for long is replaced, the owner is not', () => {
  const world = new ContinuityWorld({ operators: 7 })
  world.observeAll([1, 2, 3, 4, 5, 6], 'degraded')
  world.pass(40)
  assert.deepEqual(world.holders, [owner, owner, owner])
  world.observeAll([1, 2, 3, 4, 5, 6], 'failed')
  world.pass(3)
  const slow = world.holder('notary')
  const observers = [1, 2, 3, 4, 5, 6].filter(place => account(place) !== slow)
  world.observeAll(observers, 'degraded', slow)
  world.pass(19)
  assert.equal(world.holder('notary'), slow)
  world.pass(5)
  assert.notEqual(world.holder('notary'), slow)
})

test('who is elected depends on lots that nobody could know together', () => {
  const winners = new Set<string>()
  for (let seed = 0; seed < 24; seed++) {
    const world = new ContinuityWorld()
    for (const place of others) world.observe(place, 'healthy', owner, String(seed))
    world.pass(3)
    for (const place of others) world.observe(place, 'failed', owner, String(seed))
    world.pass(3)
    assert.deepEqual(world.holders.includes(owner), false)
    winners.add(world.holder('core'))
  }
  assert.equal(winners.size, 3)
})

test('more uptime and stake make more of the draws', () => {
  const wins = [0, 0]
  for (let seed = 0; seed < 24; seed++) {
    const world = new ContinuityWorld({ operators: 4 })
    world.apply(rich, 'stake', { operator: account(1), amount: (900_000n * 10n ** 9n).toString() })
    world.apply(operatorKey(1), 'stake', { operator: account(1), amount: (900_000n * 10n ** 9n).toString() })
    world.pass(2)
    for (const place of others) world.observe(place, 'failed', owner, String(seed))
    world.pass(2)
    for (const place of others) world.observe(place, 'healthy', owner, String(seed))
    world.pass(20)
    assert.deepEqual(world.holders, [owner, owner, owner])
    for (const place of others) world.observe(place, 'failed', owner, String(seed))
    world.pass(3)
    wins[world.holder('core') === account(1) ? 0 : 1]!++
  }
  // Ten times the stake of each of the two others.
  assert.ok(wins[0]! > 14, `${wins}`)
})

test('where nobody else is there, the owner keeps what it holds', () => {
  const world = new ContinuityWorld({ operators: 1 })
  assert.equal(world.observe(0, 'failed'), 'OBSERVATION_OF_SELF')
  world.pass(10)
  assert.deepEqual(world.holders, [owner, owner, owner])
})

test('the history keeps its newest 64 entries', () => {
  const world = new ContinuityWorld({ parameters: { returnMs: '1000', healthSettleMs: '1000' } })
  for (let round = 0; round < 12; round++) {
    world.observeAll(others, 'failed')
    world.pass(2)
    world.observeAll(others, 'healthy')
    world.pass(6)
  }
  assert.deepEqual(world.holders, [owner, owner, owner])
  const kept = handovers(world.state)
  assert.equal(kept.length, 64)
  assert.equal(kept[0]!.number, 12 * 8)
  assert.equal(holdingOf(world.state, 'core').term, 25)
  assert.equal(responsibilities.length, 3)
})
