import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SigningKey } from '../../../src/codec/index.ts'
import {
  chainLimits,
  corporaOf,
  edgeOf,
  isChallenged,
  readCandidate,
  resultsOf,
  revealsOf
} from '../../../src/learning/chain/index.ts'
import { accountOf, carol, keyOf } from '../../dag/small-network.ts'
import { bly, operatorKey } from '../../ledger/ledger-world.ts'
import { cid, learnerKey, model, RoundWorld } from './round-world.ts'

const router = 'layer0.router'
const expert = 'layer0.expert0'

test('nobody gives a shard of others another length, or their batches would look false', () => {
  const world = new RoundWorld()
  const [key] = world.withLearners(1)
  const shard = cid(`${accountOf(key!)} texts train`)
  assert.equal(world.corpus(carol, 'mine', { training: [{ shard, bytes: 999 }] }), 'CORPUS_SHARD_LENGTH_WRONG')
  assert.equal(world.corpus(carol, 'mine', { training: [{ shard, bytes: 1000 }] }), '')
  // Who named it first may go: the length stays for as long as somebody names it.
  assert.equal(world.corpus(key!, 'other'), '')
  assert.equal(world.corpus(learnerKey(5), 'late', { training: [{ shard, bytes: 999 }] }), 'CORPUS_SHARD_LENGTH_WRONG')
})

test('corpora that were put there for nothing make room for others, those of who committed stay', () => {
  const world = new RoundWorld()
  const [first] = world.withLearners(1)
  assert.equal(world.commitDelta(first!), '')
  const idle = Array.from({ length: chainLimits.corpora - 1 }, (_, place) => keyOf(`idle ${place}`))
  for (const key of idle) for (const refusal of [world.join(key), world.corpus(key)]) assert.equal(refusal, '')
  assert.equal(world.corpus(carol), '')
  const accounts = corporaOf(world.state).map(({ account }) => account)
  assert.equal(accounts.length, chainLimits.corpora)
  assert.ok(accounts.includes(accountOf(first!)) && accounts.includes(accountOf(carol)))
  assert.ok(!accounts.includes(accountOf(idle[0]!)))
})

test('no list gives a delta another weight than its age', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(2)
  world.trained(keys)
  const [mine, theirs] = world.accepted()
  const unfair = [mine, { ...theirs, weightPpm: 1 }]
  const [primary] = world.primaries(expert)
  assert.equal(world.aggregate(primary!, [expert], { accepted: unfair }), 'RESULT_WEIGHT_WRONG')
  assert.equal(world.aggregate(primary!, [expert], { accepted: [mine, theirs] }), '')
})

/** Three who made up a region, and three honest ones in another. */
function withOwnRegion(): { world: RoundWorld; keys: SigningKey[]; edge: SigningKey } {
  const world = new RoundWorld()
  const keys = Array.from({ length: 6 }, (_, place) => learnerKey(place))
  for (const [place, key] of keys.entries()) {
    assert.equal(world.join(key, { region: place < 3 ? 'mine' : 'us' }), '')
    world.corpus(key)
  }
  world.trained(keys)
  const [elected] = edgeOf(world.state, world.genesis, model, 'mine')
  return { world, keys, edge: keys.find(key => accountOf(key) === elected)! }
}

test('who sums up a region of its own does not say what the others are worth', () => {
  const { world, keys, edge } = withOwnRegion()
  const reveals = world.accepted()
  const own = reveals.slice(0, 3).map(one => ({ ...one, gainNano: 1_000_000_000_000 }))
  const sum = { update: cid('sum'), accepted: own, refused: [] }
  const say = (updateBytes: number) =>
    world.apply(edge, 'edge-aggregate', { model, round: world.round, region: 'mine', updateBytes, ...sum })
  assert.equal(say(1_000_000_000), 'DELTA_TOO_LARGE')
  assert.equal(say(900), '')
  const edges = [{ region: 'mine', update: cid('sum') }]
  world.aggregateAll({ accepted: reveals.slice(3).map(one => ({ ...one, gainNano: 100_000 })), edges })
  world.measureAll(world.now.candidate!)
  const shares = keys.map(key => Number((world.balance(key) * 1000n) / (9n * bly)))
  assert.deepEqual(shares, [222, 222, 222, 111, 111, 111])
})

test('who brings nothing gets next to nothing of what others gained', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(3)
  const [honest, idle] = keys.map(accountOf)
  world.trained(keys)
  world.aggregateAll({ accepted: world.accepted({ [honest!]: 1_000_000, [idle!]: 0, [accountOf(keys[2]!)]: 0 }) })
  world.measureAll(world.now.candidate!)
  assert.ok(world.balance(keys[0]!) > (9n * bly * 999n) / 1000n)
  world.requireConserved()
})

test('an update of a result is no larger than the model can be', () => {
  const world = new RoundWorld()
  world.trained(world.withLearners(2))
  const [primary] = world.primaries(expert)
  assert.equal(world.aggregate(primary!, [expert], { updateBytes: 1_000_000_000 }), 'DELTA_TOO_LARGE')
})

test('who proposes what the deltas of others make takes nothing of their pay', () => {
  const world = new RoundWorld()
  world.corpus(carol)
  const keys = world.withLearners(2)
  world.trained(keys)
  assert.equal(world.propose(carol, [{ name: expert, tensor: world.made(expert) }]), '')
  const { id: stolen } = world.newestCandidate!
  world.aggregateAll()
  const { candidate } = world.now
  assert.deepEqual([world.candidate(stolen).status, world.candidate(stolen).reason], ['lapsed', 'copied'])
  assert.ok(readCandidate(world.state, candidate!)!.parts.some(({ name }) => name === expert))
  world.measureAll(candidate!)
  assert.deepEqual(world.publishAll(candidate!), ['', ''])
  assert.equal(world.balance(carol), 0n)
  assert.equal(world.balance(keys[0]!) + world.balance(keys[1]!), 9n * bly)
})

test('of many proposals upon one version one is paid: that which is published', () => {
  const world = new RoundWorld()
  world.corpus(carol)
  const tries = Array.from({ length: 8 }, (_, place) => ({ name: expert, tensor: cid(`variant ${place}`) }))
  for (const part of tries) assert.equal(world.propose(carol, [part]), '')
  for (let id = 1; id <= tries.length; id++) world.measureAll(String(id))
  assert.equal(world.candidate('8').status, 'approved')
  assert.equal(world.balance(carol), 0n)
  assert.equal(world.publish(carol, expert, tries[3]!.tensor), '')
  assert.equal(world.balance(carol), 9n * bly)
  for (const { tensor } of tries) assert.equal(world.publish(carol, expert, tensor), 'PART_NOT_MEASURED')
  assert.equal(world.balance(carol), 9n * bly)
  assert.equal(world.trust(carol).successesInRow, 1)
  world.requireConserved()
})

test('a challenge of several parts counts for those that are still wrong', () => {
  const world = new RoundWorld()
  world.trained(world.withLearners(2))
  world.aggregateAll()
  assert.equal(resultsOf(world.state, model).length, 2)
  assert.equal(revealsOf(world.state, model).length, 2)
  const challenge = (place: number, names: readonly string[]) =>
    world.apply(operatorKey(place), 'tile-challenge', {
      model,
      round: world.round,
      parts: names.map(name => ({ name, tensor: cid(`right ${name}`) }))
    })
  assert.equal(challenge(0, [expert]), '')
  assert.equal(challenge(1, [expert]), '')
  assert.ok(resultsOf(world.state, model).find(({ name }) => name === expert)!.isReplaced)
  assert.equal(challenge(2, [expert, router]), '')
  assert.ok(isChallenged(world.state, model, router))
  assert.equal(challenge(2, [expert, router]), 'CHALLENGE_WITHOUT_RESULT')
})
