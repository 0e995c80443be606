import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refOf, type Vertex } from '../../src/consensus/core/vertex.ts'
import { committeeOf, DagBuilder, OrderingNode, vertexOf } from './dag-builder.ts'

const committee = committeeOf(4)

/** Author 3 makes two vertices in round 1; `seen[author]` says which one each vertex of round 2 references. */
function twins(seen: readonly (0 | 1)[]): { pair: [Vertex, Vertex]; all: Vertex[]; tail: Vertex[] } {
  const dag = new DagBuilder(committee).full(1)
  const first = dag.at(1, 3)
  const second = vertexOf({ author: 3, round: 1, parents: first.header.parents, timestampMs: 1 })
  const pair: [Vertex, Vertex] = [first, second]
  const honest = [0, 1, 2].map(author => dag.at(1, author))
  let before = [0, 1, 2, 3].map(author => {
    const refs = [...honest, pair[seen[author]!]!].map(refOf)
    return vertexOf({ author, round: 2, parents: ownFirst(refs, author) })
  })
  const all = [...honest, ...pair, ...before]
  for (let round = 3; round <= 9; round++) {
    const refs = before.map(refOf)
    before = [0, 1, 2, 3].map(author => vertexOf({ author, round, parents: ownFirst(refs, author) }))
    all.push(...before)
  }
  return { pair, all, tail: before }
}

function ownFirst<T extends { author: number }>(refs: readonly T[], author: number): T[] {
  return [refs[author]!, ...refs.filter(ref => ref.author !== author)]
}

test('of two vertices in a slot the one that a quorum PREPAREd is final', () => {
  const { pair, all } = twins([1, 1, 0, 1])
  const node = new OrderingNode(committee).feed(...all)
  assert.equal(node.decision(1, 3), 'final direct')
  const decision = node.decider.decision(1, 3)
  assert.equal(decision.kind === 'final' && decision.vertex, pair[1])
})

test('of two vertices in a slot neither is final when the votes split, and both are ordered once', () => {
  const { pair, all } = twins([0, 0, 1, 1])
  const node = new OrderingNode(committee).feed(...all)
  assert.equal(node.decision(1, 3), 'skipped indirect')
  const { order } = node.decide()
  for (const vertex of pair) assert.equal(order.filter(digest => digest === vertex.digest).length, 1)
})

test('two vertices of one slot in a commit are ordered by digest', () => {
  const { pair, all } = twins([0, 0, 1, 1])
  const { order } = new OrderingNode(committee).feed(...all).decide()
  const [low, high] = pair.map(vertex => vertex.digest).sort()
  assert.ok(order.indexOf(low!) < order.indexOf(high!))
})

test('a voter with two vertices counts once on each side, and never makes a quorum alone', () => {
  const dag = new DagBuilder(committee).full(1)
  const parents = [0, 1, 2, 3].map(author => refOf(dag.at(1, author)))
  const node = new OrderingNode(committee).feed(...dag.vertices)
  for (let timestampMs = 0; timestampMs < 4; timestampMs++) {
    node.feed(vertexOf({ author: 3, round: 2, parents: [parents[3]!, parents[0]!, parents[1]!], timestampMs }))
  }
  assert.equal(node.graph.slot(2, 3).length, 4)
  assert.equal(node.decision(1, 2), 'undecided')
})
