import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refOf, type Vertex } from '../../src/consensus/core/vertex.ts'
import { committeeOf, DagBuilder, OrderingNode, vertexOf } from './dag-builder.ts'

const committee = committeeOf(4)

test('a vertex waits for its ancestors, and is accepted with everything that waited for it', () => {
  const dag = new DagBuilder(committee).full(3)
  const { graph } = new OrderingNode(committee)
  const last = graph.add(dag.at(3, 0))
  assert.deepEqual(last.accepted, [])
  assert.deepEqual(
    last.missing,
    [0, 1, 2, 3].map(author => refOf(dag.at(2, author)))
  )
  for (const author of [0, 1, 2, 3]) graph.add(dag.at(2, author))
  assert.equal(graph.suspendedCount, 5)
  for (const author of [0, 1, 2]) assert.deepEqual(graph.add(dag.at(1, author)).accepted, [dag.at(1, author)])
  const { accepted } = graph.add(dag.at(1, 3))
  assert.equal(accepted.length, 6)
  assert.equal(accepted.at(-1), dag.at(3, 0))
  assert.equal(graph.suspendedCount, 0)
})

test('what is known already changes nothing', () => {
  const dag = new DagBuilder(committee).full(2)
  const { graph } = new OrderingNode(committee).feed(dag.at(1, 0))
  assert.equal(graph.add(dag.at(1, 0)).dropped, 'known')
  graph.add(dag.at(2, 0))
  assert.equal(graph.add(dag.at(2, 0)).dropped, 'known')
})

test('rounds far ahead are dropped, not kept', () => {
  const { graph } = new OrderingNode(committee, { parameters: { roundsAheadMax: 10 } })
  const far = (round: number): Vertex =>
    vertexOf({ author: 0, round, parents: [{ round: round - 1, author: 0, digest: '11'.repeat(32) }] })
  assert.equal(graph.add(far(11)).dropped, 'too-far')
  assert.equal(graph.add(far(10)).dropped, undefined)
  assert.equal(graph.suspendedCount, 1)
})

test('a slot takes a few vertices and no more, unless others build on one', () => {
  const dag = new DagBuilder(committee).full(1)
  const { graph } = new OrderingNode(committee, { parameters: { verticesPerSlotMax: 2 } }).feed(...dag.vertices)
  const parents = [0, 1, 2, 3].map(author => refOf(dag.at(1, author)))
  const twins = [1, 2, 3].map(timestampMs => vertexOf({ author: 0, round: 2, parents, timestampMs }))
  graph.add(twins[0]!)
  graph.add(twins[1]!)
  assert.equal(graph.add(twins[2]!).dropped, 'slot-full')
  const onThird = vertexOf({ author: 1, round: 3, parents: [refOf(twins[2]!)] })
  assert.deepEqual(graph.add(onThird).missing, [refOf(twins[2]!)])
  assert.deepEqual(graph.add(twins[2]!).accepted, [twins[2], onThird])
})

test('a member that floods us with vertices that never fit keeps nobody else out', () => {
  const dag = new DagBuilder(committee).full(2)
  const { graph } = new OrderingNode(committee, { parameters: { suspendedVerticesMax: 40 } })
  for (let i = 0; i < 100; i++) {
    const parents = [{ round: 2, author: 3, digest: i.toString(16).padStart(64, '0') }]
    graph.add(vertexOf({ author: 3, round: 3, parents, timestampMs: i }))
  }
  assert.ok(graph.suspendedCount < 40)
  graph.add(dag.at(2, 0))
  for (const author of [0, 1, 2, 3]) graph.add(dag.at(1, author))
  assert.ok(graph.has(dag.at(2, 0).digest))
})

test('a reference that names a known vertex by another round or author is missing, not known', () => {
  const dag = new DagBuilder(committee).full(3)
  const { graph } = new OrderingNode(committee).feed(...dag.vertices)
  const [own, other] = [refOf(dag.at(3, 0)), refOf(dag.at(3, 1))]
  for (const lie of [
    { ...refOf(dag.at(1, 2)), round: 3 },
    { ...refOf(dag.at(3, 1)), author: 2 }
  ]) {
    const outcome = graph.add(vertexOf({ author: 0, round: 4, parents: [own, other, lie] }))
    assert.deepEqual(outcome.accepted, [])
    assert.deepEqual(outcome.missing, [lie])
  }
})

test('a reference that names a vertex by another round stays missing when that vertex comes', () => {
  const dag = new DagBuilder(committee).full(3)
  const late = dag.at(3, 2)
  const { graph } = new OrderingNode(committee).feed(...dag.vertices.filter(vertex => vertex !== late))
  const [own, other] = [refOf(dag.at(3, 0)), refOf(dag.at(3, 1))]
  const honest = vertexOf({ author: 1, round: 4, parents: [other, own, refOf(late)] })
  const liar = vertexOf({ author: 0, round: 4, parents: [own, other, { ...refOf(late), author: 3 }] })
  graph.add(liar)
  graph.add(honest)
  assert.deepEqual(graph.add(late).accepted, [late, honest])
})

test('a false reference to a vertex that is soon forgotten stops nobody', () => {
  const dag = new DagBuilder(committee).full(13)
  const node = new OrderingNode(committee, { gcDepth: 8 }).feed(...dag.vertices).decide()
  const before = [0, 1, 2, 3].map(author => refOf(dag.at(13, author)))
  const lie = { round: 13, author: 3, digest: dag.at(4, 3).digest }
  assert.ok(node.graph.has(lie.digest))
  node.feed(vertexOf({ author: 0, round: 14, parents: [...before.slice(0, 3), lie] }))
  for (const author of [1, 2, 3])
    node.feed(
      vertexOf({ author, round: 14, parents: [before[author]!, ...before.filter(ref => ref.author !== author)] })
    )
  for (let round = 15; round <= 22; round++) {
    const here = [0, 1, 2, 3].flatMap(author => node.graph.slot(round - 1, author).map(({ vertex }) => refOf(vertex)))
    const parentsOf = (author: number) =>
      [...here].sort((a, b) => Number(b.author === author) - Number(a.author === author))
    for (const author of [1, 2, 3]) node.feed(vertexOf({ author, round, parents: parentsOf(author) }))
    node.decide()
  }
  assert.equal(node.commits.at(-1)!.round, 20)
})

test('forgetting frees who waited for forgotten vertices only', () => {
  const dag = new DagBuilder(committee).full(4)
  const { graph } = new OrderingNode(committee)
  graph.add(dag.at(3, 0))
  graph.add(dag.at(4, 0))
  assert.deepEqual(graph.collectGarbage(2), [dag.at(3, 0)])
  assert.deepEqual(graph.add(dag.at(2, 0)).dropped, 'old')
  assert.equal(graph.has(dag.at(3, 0).digest), true)
  assert.equal(graph.suspendedCount, 1)
  assert.deepEqual(graph.collectGarbage(4), [])
  assert.deepEqual([graph.size, graph.suspendedCount], [0, 0])
})
