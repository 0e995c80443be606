import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex } from '../../src/codec/index.ts'
import { checkpointDigest, decodeCheckpoint } from '../../src/dag/core/checkpoint.ts'
import { Executor } from '../../src/dag/core/executor.ts'
import { decodeSet, setDigest } from '../../src/dag/core/validator-set.ts'
import { currentSet, epochsKept, memberAt } from '../../src/dag/core/validator-state.ts'
import { createRandom } from '../sim/random.ts'
import { ChangingNetwork, changingGenesis, validatorKey } from './changing-network.ts'
import { alice, keyOf, registryOf } from './small-network.ts'

const noticeCommits = 64
const [v0, v1, v2, v3] = [0, 1, 2, 3].map(validatorKey) as [
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>
]

test('a change is announced with a checkpoint, and the epoch ends that many commits later with a checkpoint that names the next set', () => {
  const network = new ChangingNetwork()
  const { checkpoint: declared } = network.order(network.event(v3, 'validator-leave', {}))
  const declaredAt = declared!.checkpoint.commitIndex
  assert.equal(network.executor.epochState.closesAt, declaredAt + noticeCommits)
  const { checkpoint } = network.endEpoch()
  assert.equal(checkpoint!.checkpoint.commitIndex, declaredAt + noticeCommits)
  const decoded = decodeCheckpoint(checkpoint!.bytes)
  assert.deepEqual(decoded, checkpoint!.checkpoint)
  assert.equal(decoded.epoch, 0)
  assert.equal(decoded.nextSet, bytesToHex(setDigest(checkpoint!.nextSet!)))
  const set = decodeSet(checkpoint!.nextSet!)
  assert.deepEqual([set.epoch, set.members.length, set.baseRound], [1, 3, declaredAt + noticeCommits])
  assert.deepEqual(currentSet(network.executor.state, network.genesis), set)
  assert.equal(network.executor.epochState.closesAt, null)
  let next = network.order().checkpoint
  while (next === undefined) next = network.order().checkpoint
  assert.deepEqual(
    [next.checkpoint.epoch, next.checkpoint.nextSet, next.checkpoint.previous],
    [1, undefined, checkpointDigest(checkpoint!.bytes)]
  )
})

test('an epoch that nobody wants to change does not end, and leaves nothing in the state', () => {
  const network = new ChangingNetwork()
  for (let count = 0; count < 300; count++) network.order(network.event(alice, 'note', 'x'))
  assert.deepEqual([network.epoch, network.executor.epochState.closesAt], [0, null])
  assert.equal(network.executor.state.get('validators/epoch'), undefined)
})

test('an epoch lasts at least epochMs of commit time, idle or not', () => {
  const network = new ChangingNetwork(changingGenesis(4, { epochMs: 1000 }))
  network.leave(v3)
  const declaredAfter: number[] = []
  for (let count = 2; count <= 110; count++) {
    network.order()
    if (network.executor.epochState.closesAt !== null && declaredAfter.length === 0) declaredAfter.push(count)
  }
  // Ten milliseconds a commit; no event is due for a checkpoint, and none is needed.
  assert.deepEqual(declaredAfter, [100])
})

test('changes asked for while an end is declared take part, and what is taken back does not', () => {
  const network = new ChangingNetwork()
  network.leave(v3)
  network.leave(v2)
  network.withdraw(v3, 'leave', v3)
  network.endEpoch()
  assert.deepEqual(network.names, ['v0', 'v1', 'v3'])
})

test('an epoch that was declared ends also when all changes were taken back, with the same members', () => {
  const network = new ChangingNetwork()
  network.leave(v3)
  network.withdraw(v3, 'leave', v3)
  network.endEpoch()
  assert.deepEqual([network.epoch, network.names], [1, ['v0', 'v1', 'v2', 'v3']])
})

test('sets of the last epochs are known, older ones are forgotten', () => {
  const network = new ChangingNetwork()
  const { state } = network.executor
  const kept = epochsKept(network.genesis)
  let key = v0
  for (let epoch = 1; epoch <= kept + 2; epoch++) {
    const next = keyOf(`v0 of epoch ${epoch}`)
    assert.equal(network.rotate(key, next), '')
    network.endEpoch()
    key = next
  }
  const known = (epoch: number) => memberAt(state, network.genesis, epoch, 0)?.publicKey
  assert.deepEqual(known(network.epoch), key.publicKey)
  assert.deepEqual(known(network.epoch - kept + 1), keyOf('v0 of epoch 3').publicKey)
  for (const epoch of [0, 1, 2, network.epoch + 1]) assert.equal(known(epoch), undefined, `epoch ${epoch}`)
  assert.equal(memberAt(state, network.genesis, network.epoch, 4), undefined)
})

test('the same commits give the same bytes through changes of the set, whether executed at once or after restarts', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = createRandom(seed)
      const writer = new ChangingNetwork()
      const eve = keyOf('eve')
      const script: (() => unknown)[] = [
        () => writer.join(eve, 'eve'),
        () => writer.approve(v0, eve),
        () => writer.approve(v1, eve),
        () => writer.approve(v2, eve),
        () => writer.rotate(v1, keyOf('v1 anew')),
        () => writer.remove(v0, v3),
        () => writer.remove(v2, v3),
        () => writer.leave(v2)
      ]
      const commits: ReturnType<ChangingNetwork['commit']>[] = []
      const order = writer.order.bind(writer)
      const { executor, genesis } = writer
      writer.order = (...events) => {
        const commit = writer.commit(...events)
        commits.push(commit)
        return executor.execute(commit)
      }
      while (writer.epoch < 2 && commits.length < 400) {
        if (random.chance(0.2)) random.pick(script)()
        else writer.order()
      }
      writer.order = order
      const stored = new Map<string, Uint8Array>()
      let restarting = new Executor({ genesis, handlers: registryOf(genesis) })
      const keep = (changes: ReadonlyMap<string, Uint8Array | undefined>) => {
        for (const [key, value] of changes) value === undefined ? stored.delete(key) : stored.set(key, value)
      }
      keep(restarting.state.takeChanges())
      const straight = new Executor({ genesis, handlers: registryOf(genesis) })
      for (const commit of commits) {
        const [one, other] = [straight.execute(commit), restarting.execute(commit)]
        assert.deepEqual(other.checkpoint, one.checkpoint)
        keep(other.state)
        if (other.checkpoint !== undefined && random.chance(0.3))
          restarting = new Executor({
            genesis,
            handlers: registryOf(genesis),
            stored: {
              entries: stored,
              parts: restarting.parts.names().flatMap(name => restarting.parts.history(name)),
              leaves: []
            }
          })
      }
      assert.equal(restarting.state.root(), writer.executor.state.root())
    }),
    { numRuns: 10 }
  )
})
