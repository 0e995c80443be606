import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCommittee } from '../../src/consensus/core/committee.ts'
import { baseVertices, refOf } from '../../src/consensus/core/vertex.ts'
import { committeeOf, DagBuilder, genesisDigest, vertexOf } from './dag-builder.ts'
import { LoneReplica } from './replica-fixture.ts'

const committee = committeeOf(4)
const connectAll = (node: LoneReplica): void => {
  for (const author of committee.validators.keys()) node.replica.peerConnected(`v${author}`, author)
  node.settle()
}

test('two vertices of one slot are shown once for each author, whoever they came from', () => {
  const dag = new DagBuilder(committee).full(2)
  const twinOf = (round: number, author: number) =>
    vertexOf({ author, round, parents: dag.at(round, author).header.parents, events: [Uint8Array.of(1)] })
  const node = new LoneReplica(committee).receive(...dag.vertices, twinOf(1, 3), twinOf(2, 3), twinOf(2, 1))
  const shown = node
    .of('equivocation')
    .map(({ first, second }) => [first.header.author, first.digest !== second.digest])
  assert.deepEqual(shown, [
    [3, true],
    [1, true]
  ])
})

test('a vertex that our key signed and we did not stops us', () => {
  const dag = new DagBuilder(committee).full(3)
  const node = new LoneReplica(committee, { self: 0, restored: { floorRound: 2 } })
  node.receive(...dag.vertices.filter(vertex => vertex.header.round < 3))
  assert.equal(node.of('doppelganger').length, 0)
  node.receive(dag.at(3, 0))
  assert.equal(node.of('doppelganger').length, 1)
  assert.equal(node.replica.view().halted, true)
})

test('a key that asks the quorum signs nothing before it has its answers, and then above them', () => {
  const dag = new DagBuilder(committee).full(5)
  const node = new LoneReplica(committee, { self: 0, isRecovering: true })
  connectAll(node)
  assert.deepEqual(
    node.of('askWitness').map(effect => effect.peer),
    ['v1', 'v2', 'v3']
  )
  node.receive(...dag.vertices).wait(20_000)
  for (const peer of ['v1', 'v2']) node.replica.witnessReceived(peer, { seenRound: 5, ownRound: 5 })
  node.wait(20_000)
  assert.deepEqual(node.replica.view().recoveringFrom, [3])
  assert.equal(node.of('sign').length, 0)
  node.replica.witnessReceived('v3', { seenRound: 4, ownRound: 5 })
  node.wait(20_000)
  assert.deepEqual(
    node.of('recovered').map(effect => effect.round),
    [7]
  )
  dag.full(4, [1, 2, 3])
  node.receive(...dag.vertices).wait(20_000)
  const rounds = node.of('sign').map(effect => effect.header.round)
  assert.ok(rounds.length > 0 && rounds.every(round => round > 7), `${rounds}`)
})

test('the last commit of an epoch is the last that is decided; its checkpoint ends the epoch', () => {
  const dag = new DagBuilder(committee).full(30)
  const node = new LoneReplica(committee, { parameters: { epochNoticeCommits: 5 } })
  node.closesAt = 5
  node.receive(...dag.vertices)
  assert.equal(node.of('commit').at(-1)!.commit.index, 5)
  assert.equal(node.replica.view().epochClosed, true)
  assert.equal(node.of('epochEnded').length, 1)
})

test('an open checkpoint keeps the epoch until a quorum has signed it', () => {
  const dag = new DagBuilder(committee).full(30)
  const node = new LoneReplica(committee, { parameters: { epochNoticeCommits: 5 } })
  node.closesAt = 5
  node.replica.receive('peer', dag.vertices)
  for (const effect of node.replica.takeEffects()) {
    if (effect.kind !== 'commit') continue
    const checkpoint = effect.commit.index === 5 ? { checkpoint: { sequence: 1, digest: 'aa' } } : {}
    node.replica.executed(effect.commit.index, {
      ordered: [],
      eventsSinceCheckpoint: 0,
      epochClosesAt: 5,
      ...checkpoint
    })
  }
  node.settle()
  assert.equal(node.of('epochEnded').length, 0)
  const digest = node.of('commit').find(({ commit }) => commit.index === 5)?.digest ?? node.replica.point.digest
  const certificate = { sequence: 1, digest: 'aa', commitIndex: 5, commitDigest: digest }
  assert.equal(
    node.replica.commitsReceived({ commits: [], certificate: { ...certificate, commitDigest: 'bb' } }),
    'another end of the epoch'
  )
  assert.equal(node.replica.commitsReceived({ commits: [], certificate }), undefined)
  node.settle()
  assert.equal(node.of('epochEnded').length, 1)
})

test('nothing is decided further ahead of execution than the notice of an epoch`s end', () => {
  const dag = new DagBuilder(committee).full(40)
  const node = new LoneReplica(committee, { parameters: { epochNoticeCommits: 6 } })
  node.replica.receive('peer', dag.vertices)
  const commits = node.replica.takeEffects().filter(effect => effect.kind === 'commit')
  assert.equal(commits.length, 6)
})

test('an epoch begins at its base round with its own members', () => {
  const next = createCommittee(3, committee.validators, { baseRound: 50 })
  const start = { committee: next, digest: genesisDigest, timestampMs: 9 }
  const node = new LoneReplica(next, { self: 1 })
  let before = baseVertices({ ...start, timestampMs: 0 })
  const made = []
  for (let round = 51; round <= 56; round++) {
    const parents = before.map(refOf)
    before = [0, 1, 2, 3].map(author => {
      const ordered = [parents[author]!, ...parents.filter(parent => parent.author !== author)]
      return vertexOf({ author, round, parents: ordered, header: { epoch: 3 } })
    })
    made.push(...before.filter(vertex => vertex.header.author !== 1))
  }
  connectAll(node)
  node.receive(...made.slice(0, 3)).wait(20_000)
  const [first] = node.of('sign')
  assert.equal(first!.header.epoch, 3)
  assert.equal(first!.header.round, 51)
  assert.equal(
    first!.header.parents.every(parent => parent.round === 50),
    true
  )
})

test('a vertex of another epoch is no vertex of this one', () => {
  const dag = new DagBuilder(committee).full(1)
  const stranger = vertexOf({ author: 2, round: 1, parents: dag.at(1, 2).header.parents, header: { epoch: 1 } })
  const node = new LoneReplica(committee).receive(stranger)
  assert.equal(node.of('store').length, 0)
})
