import assert from 'node:assert/strict'
import { test } from 'node:test'
import { councilBallots, handovers, holdingOf, readCouncil, recordOf } from '../../src/guardian/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { operatorKey, rich } from '../ledger/ledger-world.ts'
import { account, ContinuityWorld, hex, owner } from './continuity-world.ts'

function failed(): ContinuityWorld {
  const world = new ContinuityWorld({ parameters: { councilMs: '60000' } })
  world.observeAll([1, 2, 3], 'failed')
  world.pass(3)
  return world
}

/** Places of those who do not hold the core. */
function free(world: ContinuityWorld): [number, number] {
  const [first, second] = [1, 2, 3].filter(place => account(place) !== world.holder('core'))
  return [first!, second!]
}

function vote(world: ContinuityWorld, place: number, nominee: string, term = 2): string {
  return world.apply(operatorKey(place), 'council-vote', { responsibility: 'core', term, nominee })
}

test('a majority of the council gives a responsibility to another node', () => {
  const world = failed()
  const before = world.holder('core')
  const [first, second] = free(world)
  assert.equal(vote(world, first, account(second)), '')
  assert.equal(world.holder('core'), before)
  assert.deepEqual(councilBallots(world.state, 'core'), [{ member: account(first), nominee: account(second) }])
  assert.equal(vote(world, second, account(second)), '')
  assert.equal(world.holder('core'), account(second))
  assert.deepEqual(holdingOf(world.state, 'core'), {
    holder: account(second),
    sinceMs: world.nowMs,
    term: 3,
    because: 'council'
  })
  assert.deepEqual(councilBallots(world.state, 'core'), [])
  assert.equal(handovers(world.state)[0]!.from, before)
})

test('a member changes its mind, and has one vote', () => {
  const world = failed()
  const [first, second] = free(world)
  assert.equal(vote(world, first, account(second)), '')
  assert.equal(vote(world, first, account(second)), 'COUNCIL_VOTE_AGAIN')
  assert.equal(vote(world, first, account(first)), '')
  assert.deepEqual(councilBallots(world.state, 'core'), [{ member: account(first), nominee: account(first) }])
  assert.equal(vote(world, second, account(first)), '')
  assert.equal(world.holder('core'), account(first))
})

test('each bad vote of a council has its own code', () => {
  const calm = new ContinuityWorld()
  assert.equal(vote(calm, 1, account(2)), 'COUNCIL_MISSING')
  const world = failed()
  const [first, second] = free(world)
  const root = world.state.root()
  assert.equal(
    world.apply(rich, 'council-vote', { responsibility: 'core', term: 2, nominee: account(1) }),
    'COUNCIL_NOT_MEMBER'
  )
  assert.equal(vote(world, 0, account(1)), 'COUNCIL_NOT_MEMBER')
  assert.equal(
    world.apply(operatorKey(1), 'council-vote', { responsibility: 'lunch', term: 2, nominee: account(2) }),
    'RESPONSIBILITY_UNKNOWN'
  )
  assert.equal(vote(world, first, account(second), 1), 'COUNCIL_VOTE_OUTDATED')
  assert.equal(vote(world, first, world.holder('core')), 'COUNCIL_NOMINEE_UNFIT')
  assert.equal(vote(world, first, owner), 'COUNCIL_NOMINEE_UNFIT')
  assert.equal(vote(world, first, accountOf(rich)), 'COUNCIL_NOMINEE_UNFIT')
  assert.equal(vote(world, first, 'nobody'), 'ACCOUNT_INVALID')
  assert.equal(world.state.root(), root)
})

test('a council that has served its time is followed by another', () => {
  const world = failed()
  assert.equal(readCouncil(world.state)!.term, 1)
  world.pass(61)
  assert.equal(readCouncil(world.state)!.term, 2)
})

test('votes of a council end with it', () => {
  const world = failed()
  const [first, second] = free(world)
  vote(world, first, account(second))
  world.observeAll([1, 2, 3], 'healthy')
  world.pass(20)
  assert.equal(vote(world, second, account(second)), 'COUNCIL_MISSING')
  world.observeAll([1, 2, 3], 'failed')
  world.pass(3)
  assert.deepEqual(councilBallots(world.state, 'core'), [])
})

test('only the holder publishes the records of a responsibility, one in its time; a new holder begins at once', () => {
  const world = new ContinuityWorld()
  const publish = (place: number): string => world.apply(operatorKey(place), 'core-record', { concerns: [] })
  assert.equal(publish(1), 'RESPONSIBILITY_NOT_HELD')
  assert.equal(publish(0), '')
  assert.equal(publish(0), 'DUTY_TOO_SOON')
  world.pass(10)
  assert.equal(publish(0), '')
  world.observeAll([1, 2, 3], 'failed')
  world.pass(3)
  assert.equal(publish(0), 'RESPONSIBILITY_NOT_HELD')
  const holder = [1, 2, 3].find(place => account(place) === world.holder('core'))!
  assert.equal(publish(holder), '')
  const record = recordOf(world.state, 'core')!
  assert.equal(record.number, 3)
  assert.equal(record.ownerHealth, 'failed')
  assert.equal(record.members, 4)
  assert.equal(record.bondedUnits, (400_000n * 10n ** 9n).toString())
  assert.equal(record.treasuryUnits, (10_000_000n * 10n ** 9n).toString())
  world.requireConserved()
})

test('a notary bears witness to a checkpoint that there is, and to no other', () => {
  const world = new ContinuityWorld()
  const digest = hex(Buffer.alloc(32, 7))
  const publish = (sequence: number, given = digest): string =>
    world.apply(operatorKey(0), 'notary-record', { sequence, digest: given })
  assert.equal(publish(5), 'DUTY_CHECKPOINT_WRONG')
  for (let sequence = 1; sequence <= 40; sequence++)
    world.handlers.economy!.afterCheckpoint(world.state, { sequence, digest })
  assert.equal(publish(8), 'DUTY_CHECKPOINT_WRONG')
  assert.equal(publish(41), 'DUTY_CHECKPOINT_WRONG')
  assert.equal(publish(40, hex(Buffer.alloc(32, 8))), 'DUTY_CHECKPOINT_WRONG')
  assert.equal(publish(9), '')
  assert.equal(recordOf(world.state, 'notary')!.sequence, 9)
})

test('a registry lists nodes once, with a few addresses each', () => {
  const world = new ContinuityWorld()
  const node = { peerId: '12D3KooW'.padEnd(52, 'a'), addresses: ['/ip4/127.0.0.1/tcp/1'] }
  const publish = (nodes: unknown[]): string => world.apply(operatorKey(0), 'registry-record', { nodes })
  assert.equal(publish([node, node]), 'EVENT_PAYLOAD_INVALID')
  assert.equal(publish([{ ...node, addresses: [] }]), 'EVENT_PAYLOAD_INVALID')
  assert.equal(publish([{ ...node, addresses: ['host:1'] }]), 'EVENT_PAYLOAD_INVALID')
  assert.equal(publish(Array.from({ length: 65 }, () => node)), 'EVENT_PAYLOAD_INVALID')
  assert.equal(publish([node]), '')
  assert.deepEqual(recordOf(world.state, 'registry')!.nodes, [node])
})
