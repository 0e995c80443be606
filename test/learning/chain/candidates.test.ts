import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SigningKey } from '../../../src/codec/index.ts'
import {
  baseOf,
  candidatesOf,
  chainLimits,
  leadingZeroBits,
  measurementsOf,
  newestTensor,
  partsOfModel,
  proposalCommitment,
  readCandidate,
  readRound,
  workDigest
} from '../../../src/learning/chain/index.ts'
import { accountOf, carol, SmallNetwork } from '../../dag/small-network.ts'
import { economyGenesisFile, operatorKey } from '../../ledger/ledger-world.ts'
import { cid, hex, learningParameters, model, RoundWorld } from './round-world.ts'

const expert = 'layer0.expert0'
const router = 'layer0.router'
const better = [
  { name: expert, tensor: cid('better expert') },
  { name: router, tensor: cid('better router') }
]

test('one expert with its router, trained outside rounds: measured, published by its author without stake, paid', () => {
  const world = new RoundWorld()
  assert.equal(world.corpus(carol), '')
  assert.equal(world.propose(carol, better), '')
  const { id, source, author, learners, status } = world.newestCandidate!
  assert.deepEqual([source, author, learners, status], ['proposal', accountOf(carol), [accountOf(carol)], 'measuring'])
  world.measureAll(id)
  assert.equal(world.candidate(id).status, 'approved')
  assert.equal(world.balance(carol), 0n)
  assert.equal(world.publish(carol, expert, cid('something else')), 'PART_NOT_MEASURED')
  assert.equal(world.publish(carol, router, better[0]!.tensor), 'PART_NOT_MEASURED')
  assert.equal(world.publish(carol, expert, better[0]!.tensor), '')
  assert.equal(world.publish(carol, expert, better[0]!.tensor), 'PART_NOT_MEASURED')
  assert.equal(world.publish(operatorKey(0), router, better[1]!.tensor), '')
  assert.equal(world.candidate(id).status, 'published')
  assert.equal(world.balance(carol), 9_000_000_000n)
  assert.equal(world.newest(expert), better[0]!.tensor)
  assert.equal(measurementsOf(world.state, id).length, 3)
  assert.equal(world.trust(carol).successesInRow, 1)
  world.requireConserved()
})

test('no change, copies of what is or was there or waits, parts of nobody, and other people`s versions', () => {
  const world = new RoundWorld()
  world.corpus(carol)
  const of = (name: string, tensor: string) => world.propose(carol, [{ name, tensor }])
  assert.equal(of(expert, world.newest(expert)), 'CANDIDATE_NO_CHANGE')
  assert.equal(of(expert, world.newest(router)), 'CANDIDATE_COPIED')
  assert.equal(of('layer7.expert0', cid('x')), 'CANDIDATE_PART_UNKNOWN')
  assert.equal(world.propose(carol, better, { model: 'other' }), 'CANDIDATE_PART_UNKNOWN')
  assert.equal(world.propose(carol, better, { lineage: world.lineage(operatorKey(0)) }), 'LINEAGE_SHARD_UNKNOWN')
  const first = world.newest(expert)
  assert.equal(world.propose(carol, better), '')
  assert.equal(of(router, better[1]!.tensor), 'CANDIDATE_COPIED')
  assert.equal(of(router, better[0]!.tensor), 'CANDIDATE_COPIED')
  const { id } = world.newestCandidate!
  world.measureAll(id)
  for (const { name, tensor } of better) world.publish(carol, name, tensor)
  assert.equal(of(expert, first), 'CANDIDATE_COPIED')
})

test('what a quorum refuses is refused with the reason of most, and its tensor may come again', () => {
  const world = new RoundWorld()
  world.corpus(carol)
  world.propose(carol, better)
  const { id } = world.newestCandidate!
  const refusal = (reason: string) => ({ verdict: 'refuse', reason, afterNano: null, gainNano: null, errorNano: null })
  world.measure(operatorKey(0), id, refusal('no-gain'))
  assert.equal(world.candidate(id).status, 'measuring')
  world.measure(operatorKey(1), id, refusal('poisoned'))
  assert.deepEqual([world.candidate(id).status, world.candidate(id).reason], ['refused', 'no-gain'])
  assert.equal(world.trust(carol).failuresInRow, 0)
  assert.equal(world.propose(carol, better), '')
  const { id: second } = world.newestCandidate!
  world.measureAll(second, refusal('poisoned'), [0, 1])
  assert.equal(world.candidate(second).reason, 'poisoned')
  assert.equal(world.trust(carol).failuresInRow, 1)
  assert.equal(world.balance(carol), 0n)
})

test('no quorum in time: refused, and no fault of its author', () => {
  const world = new RoundWorld()
  world.corpus(carol)
  world.propose(carol, better)
  const { id } = world.newestCandidate!
  world.measureAll(id, {}, [0, 1])
  world.commit(19_999)
  assert.equal(world.candidate(id).status, 'measuring')
  world.commit(1)
  assert.deepEqual([world.candidate(id).status, world.candidate(id).reason], ['refused', 'no-quorum'])
  assert.equal(world.trust(carol).failuresInRow, 0)
})

test('an approved proposal that nobody publishes lapses', () => {
  const world = new RoundWorld()
  world.corpus(carol)
  world.propose(carol, better)
  const { id } = world.newestCandidate!
  world.measureAll(id)
  world.commit(200_000)
  assert.equal(world.candidate(id).status, 'lapsed')
  assert.equal(world.publish(carol, expert, better[0]!.tensor), 'PART_NOT_MEASURED')
})

test('whose base has moved lapses; what a round works on takes no other version meanwhile', () => {
  const world = new RoundWorld()
  world.corpus(carol)
  const keys = world.withLearners(2)
  assert.equal(world.propose(carol, [better[0]!]), '')
  const slow = world.newestCandidate!.id
  assert.equal(world.propose(carol, [{ name: expert, tensor: cid('third') }]), '')
  const quick = world.newestCandidate!.id
  world.measureAll(quick)
  world.trained(keys)
  assert.equal(world.phase, 'aggregating')
  assert.equal(world.publish(carol, expert, cid('third')), 'PART_ROUND_BUSY')
  world.aggregateAll()
  const id = world.now.candidate!
  world.measureAll(id)
  world.publishAll(id)
  for (const lost of [slow, quick])
    assert.deepEqual([world.candidate(lost).status, world.candidate(lost).reason], ['lapsed', 'base-moved'])
  assert.equal(world.publish(carol, expert, cid('third')), 'PART_NOT_MEASURED')
  assert.equal(world.newest(expert), world.candidate(id).parts.find(({ name }) => name === expert)!.tensor)
})

test('so many proposals wait and no more; the state keeps the newest candidates', () => {
  const world = new RoundWorld()
  world.corpus(carol)
  const propose = (number: number) => world.propose(carol, [{ name: expert, tensor: cid(`try ${number}`) }])
  for (let number = 0; number < chainLimits.proposalsMeasured; number++) assert.equal(propose(number), '')
  assert.equal(propose(99), 'LEARNING_FULL')
  for (let day = 0; day < 3; day++) {
    world.commit(86_400_000)
    for (let number = 0; number < 16; number++) assert.equal(propose(100 * day + 200 + number), '')
  }
  world.commit(86_400_000)
  const kept = candidatesOf(world.state, model)
  assert.equal(kept.length, chainLimits.candidatesOfModel)
  assert.equal(kept.at(-1)!.id, '64')
  const entries = [...world.state.entries()].filter(([key]) => /^learning\/(candidate|pending|measurement)/.test(key))
  assert.equal(entries.length, 1 + 1 + 3 * chainLimits.candidatesOfModel)
})

test('proposals need the work that is asked for, and are counted like deltas', () => {
  const world = new RoundWorld({ parameters: { learningMeasureMs: '100' } })
  world.corpus(carol)
  const parts = [better[0]!]
  const light = Array.from({ length: 64 }, (_, nonce) => nonce).find(
    nonce => world.propose(carol, parts, { nonce }) === 'LEARNING_WORK_TOO_LIGHT'
  )
  assert.notEqual(light, undefined)
  const used = world.trust(carol).used
  for (let number = used; number < 20; number++) {
    world.commit(100)
    assert.equal(world.propose(carol, [{ name: expert, tensor: cid(`try ${number}`) }]), '')
  }
  world.commit(100)
  assert.equal(world.propose(carol, [{ name: expert, tensor: cid('one more') }]), 'LEARNING_QUOTA_SPENT')
  world.commit(86_400_000)
  assert.equal(world.propose(carol, [{ name: expert, tensor: cid('one more') }]), '')
})

/** Keys that keep their clocks. */
const operators = [0, 1, 2].map(operatorKey)

/** Events through the executor: blocks, checkpoints and all. */
class ExecutedNetwork extends SmallNetwork {
  constructor() {
    const file = economyGenesisFile({ parameters: learningParameters })
    super({ ...file, consensus: { ...file.consensus, checkpointCommitsMax: 100, checkpointIntervalMs: 1_000_000 } })
  }

  get state() {
    return this.executor.state
  }

  submit(key: SigningKey, type: string, payload: unknown) {
    const execution = this.order(this.event(key, type, payload))
    return { ...execution, refusal: execution.events[0]!.refusal, block: execution.blocks[0] }
  }

  applied(key: SigningKey, type: string, payload: unknown) {
    const done = this.submit(key, type, payload)
    assert.equal(done.refusal, '', type)
    return done
  }

  corpus(key: SigningKey) {
    const shard = (name: string) => [{ shard: cid(name), bytes: 10 }]
    return this.applied(key, 'corpus', { name: 'texts', training: shard('t'), heldOut: shard('h'), licence: 'MIT' })
  }

  propose(key: SigningKey, model: string, name: string, tensor: string) {
    const parts = [{ name, tensor }]
    const digestOf = workDigest(this.genesis, {
      account: accountOf(key),
      model,
      round: 0,
      commitment: proposalCommitment(parts)
    })
    let nonce = 0
    while (leadingZeroBits(digestOf(nonce)) < 4) nonce++
    const lineage = {
      seed: hex('s'),
      batchesDigest: hex('b'),
      steps: 1,
      tokens: 1,
      shards: [{ shard: cid('t'), samples: 1 }]
    }
    return this.applied(key, 'expert-propose', { model, parts, nonce, lineage })
  }

  measure(id: string) {
    const { checkpoint } = readCandidate(this.state, id)!
    const figures = { beforeNano: 2_000_000_000, afterNano: 1_900_000_000, gainNano: 100_000_000, errorNano: 1 }
    for (const operator of operators)
      this.applied(operator, 'learning-measure', {
        candidate: id,
        checkpoint,
        sequences: 16,
        ...figures,
        verdict: 'accept',
        reason: 'none'
      })
  }
}

test('the checkpoint that draws the sequences of a candidate is made with the commit that opens it', () => {
  const network = new ExecutedNetwork()
  const { block } = network.corpus(carol)
  assert.equal(block!.header.chain_id, 'D')
  const { checkpoint, block: proposed } = network.propose(carol, 'genesis', 'layer0.expert0', cid('new'))
  assert.equal(proposed!.header.chain_id, 'C')
  assert.equal(checkpoint!.checkpoint.sequence, 1)
  assert.equal(readCandidate(network.state, '1')!.checkpoint, 1)
  const late = network.propose(carol, 'genesis', 'layer0.expert0', cid('newer'))
  assert.equal(late.checkpoint!.checkpoint.sequence, readCandidate(network.state, '2')!.checkpoint)
})

test('a version that was measured is a block on chain B like any other, and its predecessor stays', () => {
  const network = new ExecutedNetwork()
  network.corpus(carol)
  network.propose(carol, 'genesis', 'layer0.expert0', cid('new'))
  const version = { name: 'layer0.expert0', layer: 0, tensor: cid('new'), shape: [4, 4] }
  assert.equal(network.submit(carol, 'expert', version).refusal, 'PART_NOT_MEASURED')
  network.measure('1')
  const { block } = network.applied(carol, 'expert', version)
  assert.equal(block!.header.chain_id, 'B')
  assert.equal(network.executor.parts.newest('layer0.expert0')!.tensor, cid('new'))
  const { parts } = network.genesis.file.model
  assert.equal(network.executor.parts.history('layer0.expert0').length, 2)
  assert.equal(baseOf(network.state, network.genesis, 'layer0.expert0', 1), cid('new'))
  assert.equal(newestTensor(network.state, network.genesis, 'layer0.router'), parts[1]!.tensor)
})

test('a registered model is learnt once its parts are there; a part whose tensor the state knows is gated', () => {
  const network = new ExecutedNetwork()
  const registered = { name: 'tiny', architecture: { layers: 1 }, tokenizer: null, parts: 2 }
  network.applied(operators[0]!, 'model-register', registered)
  const join = { model: 'tiny', region: 'eu', parts: ['layer0.*'], bytesMax: 0 }
  assert.equal(network.submit(carol, 'learner-join', join).refusal, 'LEARNING_MODEL_UNKNOWN')
  for (const part of ['expert0', 'expert1'])
    network.applied(operators[0]!, 'expert', { name: `tiny.layer0.${part}`, tensor: cid(part), shape: [2, 3] })
  assert.deepEqual(partsOfModel(network.state, network.genesis, 'tiny'), [
    { name: 'tiny.layer0.expert0', bytes: 24 },
    { name: 'tiny.layer0.expert1', bytes: 24 }
  ])
  network.applied(carol, 'learner-join', join)
  assert.equal(readRound(network.state, 'tiny')!.number, 1)
  const next = { name: 'tiny.layer0.expert0', tensor: cid('next'), shape: [2, 3] }
  assert.equal(network.submit(operators[0]!, 'expert', next).refusal, 'PART_NOT_MEASURED')
  network.corpus(carol)
  network.propose(carol, 'tiny', next.name, next.tensor)
  network.measure('1')
  network.applied(carol, 'expert', next)
  assert.equal(newestTensor(network.state, network.genesis, next.name), next.tensor)
  assert.equal(baseOf(network.state, network.genesis, next.name, 1), cid('expert0'))
  assert.equal(partsOfModel(network.state, network.genesis, 'tiny').length, 2)
})

test('where learning was off, versions that nobody measured can follow and the state keeps nothing of them', () => {
  const file = economyGenesisFile({})
  const network = new SmallNetwork(file)
  const version = { name: 'layer0.expert0', layer: 0, tensor: cid('any'), shape: [4, 4] }
  const { events } = network.order(network.event(operators[0]!, 'expert', version))
  assert.equal(events[0]!.refusal, '')
  assert.equal(newestTensor(network.executor.state, network.genesis, 'layer0.expert0'), undefined)
  const { state } = network.executor
  assert.deepEqual(
    [...state.entries()].filter(([key]) => /^(learning|version|part-chain)/.test(key)),
    []
  )
  // Voted on later: its tensor is known once somebody with stake has published it again.
  state.set('parameter/learningWindowMs', '10000')
  const again = network.order(network.event(operators[0]!, 'expert', { ...version, nonce: 1 }))
  assert.equal(again.events[0]!.refusal, '')
  assert.equal(newestTensor(state, network.genesis, 'layer0.expert0'), cid('any'))
  const third = network.order(network.event(operators[0]!, 'expert', { ...version, tensor: cid('third') }))
  assert.equal(third.events[0]!.refusal, 'PART_NOT_MEASURED')
})
