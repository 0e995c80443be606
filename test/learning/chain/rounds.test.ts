import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chainLimits, partChainOf, roundHistory, roundParts } from '../../../src/learning/chain/index.ts'
import { accountOf } from '../../dag/small-network.ts'
import { operatorKey } from '../../ledger/ledger-world.ts'
import { cid, learnerKey, model, RoundWorld } from './round-world.ts'

const pool = '@reward-pool'

test('a round from the first commit to the next round: adopted, published, paid', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(3)
  const before = world.balance(pool)
  assert.equal(world.phase, 'training')
  for (const key of keys) assert.equal(world.commitDelta(key), '')
  assert.equal(world.phase, 'revealing')
  for (const key of keys) assert.equal(world.reveal(key), '')
  assert.equal(world.phase, 'aggregating')
  assert.deepEqual(roundParts(world.state, model).sort(), ['layer0.expert0', 'layer0.router'])
  world.aggregateAll()
  assert.equal(world.phase, 'measuring')
  const id = world.now.candidate!
  const { parts, learners, checkpoint, source } = world.candidate(id)
  assert.deepEqual([parts.length, learners.length, checkpoint, source], [2, 3, 1, 'round'])
  assert.equal(world.publish(operatorKey(0), parts[0]!.name, parts[0]!.tensor), 'PART_NOT_MEASURED')
  assert.deepEqual(world.measureAll(id), ['', '', ''])
  assert.equal(world.phase, 'publishing')
  assert.equal(world.candidate(id).status, 'approved')
  for (const key of keys) {
    assert.equal(world.balance(key), 3_000_000_000n)
    assert.equal(world.learner(key)!.outcome!.paidUnits, '3000000000')
  }
  assert.equal(world.balance(pool), before - 9_000_000_000n)
  const { name, tensor, update } = parts[0]!
  assert.equal(world.publish(operatorKey(1), name, tensor, { update, updateBytes: 100 }), 'EVENT_PAYLOAD_INVALID')
  assert.deepEqual(world.publishAll(id), ['', ''])
  assert.equal(world.candidate(id).status, 'published')
  assert.deepEqual([world.round, world.phase, world.now.commits], [2, 'training', 0])
  assert.equal(world.newest('layer0.router'), cid('made layer0.router 1'))
  const history = roundHistory(world.state, model)
  assert.deepEqual(
    history.map(({ result, accepted, paidUnits }) => [result, accepted, paidUnits]),
    [['adopted', 3, '9000000000']]
  )
  world.requireConserved()
})

test('phases end by committed time alone, one after the other, without any event', () => {
  const world = new RoundWorld()
  const [first] = world.withLearners(2)
  assert.equal(world.commitDelta(first!), '')
  world.commit(9_000)
  assert.equal(world.phase, 'training')
  world.commit(1_000)
  assert.equal(world.phase, 'revealing')
  assert.equal(world.reveal(first!), '')
  assert.equal(world.phase, 'aggregating')
  world.aggregateAll()
  world.commit(20_000)
  assert.deepEqual([world.round, world.phase], [2, 'training'])
  assert.equal(world.learner(first!)!.outcome!.reason, 'no-quorum')
  assert.equal(world.trust(first!).failuresInRow, 0)
})

test('a window in which nobody commits goes on, and one without learners stands still', () => {
  const world = new RoundWorld()
  const [first] = world.withLearners(1)
  const { dueAtMs } = world.now
  world.commit(10_000)
  assert.deepEqual([world.round, world.now.dueAtMs], [1, dueAtMs + 10_000])
  assert.equal(world.apply(first!, 'learner-leave', { model }), '')
  world.commit(10_000)
  const { dueAtMs: last } = world.now
  world.commit(3_600_000)
  assert.deepEqual([world.round, world.now.dueAtMs], [1, last])
  assert.equal(world.join(learnerKey(5)), '')
  assert.equal(world.now.dueAtMs, world.nowMs + 10_000)
})

test('nobody revealed: the next round, and a failure for each', () => {
  const world = new RoundWorld()
  const [first] = world.withLearners(1)
  assert.equal(world.commitDelta(first!), '')
  assert.equal(world.phase, 'revealing')
  world.commit(4_000)
  assert.deepEqual([world.round, world.phase], [2, 'training'])
  assert.equal(world.learner(first!)!.outcome!.reason, 'never-revealed')
  assert.equal(world.trust(first!).failuresInRow, 1)
})

test('while the network is paused a phase begins anew, and nobody is blamed for silence', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(2)
  for (const key of keys) assert.equal(world.commitDelta(key), '')
  world.state.set('network/paused', { proposal: 1, untilMs: world.nowMs + 60_000 })
  assert.equal(world.reveal(keys[0]!), 'NETWORK_PAUSED')
  for (let count = 0; count < 10; count++) world.commit(4_000)
  assert.deepEqual([world.phase, world.round], ['revealing', 1])
  world.state.delete('network/paused')
  for (const key of keys) assert.equal(world.reveal(key), '')
  world.aggregateAll()
  world.state.set('network/paused', { proposal: 1, untilMs: world.nowMs + 60_000 })
  for (let count = 0; count < 5; count++) world.commit(20_000)
  world.state.delete('network/paused')
  assert.deepEqual(world.measureAll(world.now.candidate!), ['', '', ''])
})

test('a part whose primary and backups stay silent stays as it is; all of them: the next round', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(2)
  world.trained(keys)
  assert.equal(world.aggregate(world.primaries('layer0.router')[0]!, ['layer0.router']), '')
  world.commit(5_000 + 16_000 + 20_000)
  assert.equal(world.phase, 'measuring')
  assert.deepEqual(
    world.candidate(world.now.candidate!).parts.map(({ name }) => name),
    ['layer0.router']
  )
  const silent = new RoundWorld()
  silent.trained(silent.withLearners(2))
  silent.commit(41_000)
  assert.deepEqual([silent.round, roundHistory(silent.state, model)[0]!.result], [2, 'unchanged'])
})

test('a result that equals the base is no change', () => {
  const world = new RoundWorld()
  world.trained(world.withLearners(2))
  const same = roundParts(world.state, model).map(name => ({ name, tensor: world.newest(name) }))
  for (const part of same) {
    const key = world.primaries(part.name)[0]!
    assert.equal(world.aggregate(key, [part.name], { parts: [part] }), '')
  }
  assert.deepEqual([world.round, roundHistory(world.state, model)[0]!.result], [2, 'unchanged'])
})

test('what is approved and not published lapses; published versions stay', () => {
  const world = new RoundWorld()
  world.trained(world.withLearners(2))
  world.aggregateAll()
  const id = world.now.candidate!
  world.measureAll(id)
  const [one, other] = world.candidate(id).parts
  assert.equal(world.publish(operatorKey(0), one!.name, one!.tensor), '')
  world.commit(8_000)
  assert.deepEqual([world.round, world.candidate(id).status], [2, 'lapsed'])
  assert.equal(world.newest(one!.name), one!.tensor)
  assert.equal(world.publish(operatorKey(0), other!.name, other!.tensor), 'PART_NOT_MEASURED')
})

test('a version with its update follows the one before; without one it is a snapshot', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(2)
  world.trained(keys)
  world.aggregateAll()
  const id = world.now.candidate!
  world.measureAll(id)
  for (const { name, tensor, update, updateBytes } of world.candidate(id).parts) {
    const parent = (world.state.get(`part/${name}`) as unknown as { block: object }).block.toString()
    const version = { parent, update, updateBytes }
    assert.equal(world.publish(operatorKey(0), name, tensor, { ...version, update: cid('other') }), 'PART_UPDATE_WRONG')
    assert.equal(world.publish(operatorKey(0), name, tensor, { ...version, updateBytes: 101 }), 'PART_UPDATE_WRONG')
    assert.equal(world.publish(operatorKey(0), name, tensor, version), '')
  }
  const chain = partChainOf(world.state, world.genesis, 'layer0.router')!
  assert.deepEqual(
    chain.updates.map(({ tensor }) => tensor),
    [cid('made layer0.router 1')]
  )
  world.adopted(keys)
  assert.deepEqual(partChainOf(world.state, world.genesis, 'layer0.router'), {
    snapshot: cid('made layer0.router 2'),
    updates: []
  })
})

test('a learner who comes in the middle of a round takes part in it, and nobody waits for it', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(2)
  world.adopted(keys)
  const late = learnerKey(9)
  assert.equal(world.commitDelta(keys[0]!), '')
  assert.equal(world.join(late), '')
  assert.equal(world.corpus(late), '')
  assert.equal(world.commitDelta(late), '')
  assert.equal(world.phase, 'training')
  assert.equal(world.commitDelta(keys[1]!), '')
  assert.deepEqual([world.phase, world.now.commits], ['revealing', 3])
  assert.equal(world.reveal(late), '')
  assert.equal(world.assignment(late).parts.length, 2)
})

test('the same events give the same state, and one that is read again from its bytes goes on alike', () => {
  const roots = [false, true].map(again => {
    const world = new RoundWorld()
    const keys = world.withLearners(3)
    world.adopted(keys)
    if (again) world.reload()
    world.trained(keys)
    if (again) world.reload()
    world.aggregateAll()
    world.commit(20_000)
    return world.state.root()
  })
  assert.equal(roots[0], roots[1])
})

test('many rounds leave no more behind than a few', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(2)
  const sizes: number[] = []
  for (let round = 1; round <= 44; round++) {
    world.adopted(keys)
    world.commit(1_000)
    if (round === 34 || round === 44)
      sizes.push([...world.state.entries()].filter(([key]) => key.startsWith('learning')).length)
  }
  assert.equal(sizes[0], sizes[1])
  assert.equal(world.trust(keys[0]!).level, 'established')
  world.requireConserved()
})

test('who comes when nobody was there is waited for', () => {
  const world = new RoundWorld()
  const [first] = world.withLearners(1)
  assert.equal(world.apply(first!, 'learner-leave', { model }), '')
  world.commit(10_000)
  assert.equal(world.round, 1)
  const late = [learnerKey(5), learnerKey(6)]
  for (const key of late) assert.equal(world.join(key), '')
  assert.equal(world.commitDelta(late[0]!), '')
  assert.equal(world.phase, 'training')
  assert.equal(world.commitDelta(late[1]!), '')
  assert.equal(world.phase, 'revealing')
})

test('whose event opens a round cannot choose its seed', () => {
  const seeds = [0, 1].map(place => {
    const world = new RoundWorld()
    world.trained(world.withLearners(2))
    world.aggregateAll()
    const id = world.now.candidate!
    world.measureAll(id)
    const [one, last] = world.candidate(id).parts
    assert.equal(world.publish(operatorKey(0), one!.name, one!.tensor), '')
    assert.equal(world.publish(operatorKey(place), last!.name, last!.tensor, { nonce: place }), '')
    assert.equal(world.round, 2)
    return world.now.seed
  })
  assert.equal(seeds[0], seeds[1])
  const other = new RoundWorld()
  const keys = other.withLearners(2)
  for (const key of keys) other.commitDelta(key)
  other.reveal(keys[0]!)
  other.commit(4_000)
  other.commit(41_000)
  assert.equal(other.round, 2)
  assert.notEqual(other.now.seed, seeds[0])
})

test('a network that is told to stop learning keeps its round as it is, and goes on with it later', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(2)
  assert.equal(world.commitDelta(keys[0]!), '')
  world.state.set('parameter/learningWindowMs', '0')
  world.commit(60_000)
  assert.deepEqual([world.phase, world.commitDelta(keys[1]!)], ['training', 'LEARNING_OFF'])
  world.state.delete('parameter/learningWindowMs')
  assert.equal(world.reveal(keys[0]!), '')
  assert.equal(world.phase, 'aggregating')
})

test('a full list gives the place of who joined first and never committed', () => {
  const world = new RoundWorld()
  const [one, two] = world.withLearners(2)
  assert.equal(world.commitDelta(one!), '')
  const like = world.state.get(`learning/learner/${model}/${accountOf(two!)}`) as object
  for (let place = 2; place < chainLimits.learnersOfModel; place++) {
    world.state.set(`learning/place/${model}/${place}`, `filler ${place}`)
    world.state.set(`learning/learner/${model}/filler ${place}`, { ...like, account: `filler ${place}`, place })
  }
  world.state.set(`learning/learners/${model}`, chainLimits.learnersOfModel)
  world.nowMs += 1
  const late = learnerKey(7)
  assert.equal(world.join(late), '')
  assert.equal(world.learner(two!), undefined)
  assert.notEqual(world.learner(one!), undefined)
  assert.equal(world.state.get(`learning/place/${model}/1`), accountOf(late))
  assert.equal(world.state.get(`learning/learners/${model}`), chainLimits.learnersOfModel)
})
