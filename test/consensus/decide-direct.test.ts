import assert from 'node:assert/strict'
import { test } from 'node:test'
import { committeeOf, DagBuilder, OrderingNode } from './dag-builder.ts'

for (const size of [1, 2, 3, 4, 7, 10]) {
  const committee = committeeOf(size)
  const quorum = committee.quorumWeight

  test(`${size} validators: a vertex is final once a quorum's vertices two rounds later COMMIT it`, () => {
    const dag = new DagBuilder(committee).full(2)
    const node = new OrderingNode(committee).feed(...dag.vertices)
    assert.equal(node.decision(1, 0), 'undecided')
    dag.full(1)
    node.feed(...dag.vertices.filter(({ header }) => header.round === 3 && header.author < quorum - 1))
    assert.equal(node.decision(1, 0), 'undecided')
    node.feed(dag.at(3, quorum - 1))
    for (const author of dag.everybody) assert.equal(node.decision(1, author), 'final direct')
  })

  test(`${size} validators: every round becomes one commit while all are there`, () => {
    const dag = new DagBuilder(committee).full(12)
    const node = new OrderingNode(committee).feed(...dag.vertices).decide()
    assert.deepEqual(
      node.commits.map(commit => commit.round),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    )
    assert.equal(new Set(node.order).size, 10 * size)
  })

  test(`${size} validators: asking again gives the same answer`, () => {
    const dag = new DagBuilder(committee).full(6)
    const node = new OrderingNode(committee).feed(...dag.vertices)
    assert.deepEqual(node.decider.decidedAfter(0), node.decider.decidedAfter(0))
    assert.deepEqual(node.decider.decidedAfter(2), node.decider.decidedAfter(0).slice(2))
  })
}

for (const size of [4, 7, 10]) {
  const committee = committeeOf(size)
  const absent = size - 1
  const others = committee.validators.map((_, author) => author).filter(author => author !== absent)

  test(`${size} validators: a slot is skipped one round later, once a quorum's vertices do not reference it`, () => {
    const dag = new DagBuilder(committee).full(2, others)
    const node = new OrderingNode(committee)
    node.feed(...dag.vertices.filter(({ header }) => header.round === 1))
    node.feed(...others.slice(0, committee.quorumWeight - 1).map(author => dag.at(2, author)))
    assert.equal(node.decision(1, absent), 'undecided')
    node.feed(...dag.vertices)
    assert.equal(node.decision(1, absent), 'skipped direct')
    assert.equal(node.decision(1, 0), 'undecided')
  })

  test(`${size} validators: one that is gone does not hold the order back`, () => {
    const dag = new DagBuilder(committee).full(3).full(9, others)
    const node = new OrderingNode(committee).feed(...dag.vertices).decide()
    assert.equal(node.commits.at(-1)!.round, 10)
  })

  test(`${size} validators: a skipped slot stays skipped when its vertex comes late, and later history sweeps it up`, () => {
    const dag = new DagBuilder(committee).full(1)
    const late = dag.at(1, absent)
    dag.round(Object.fromEntries(others.map(author => [author, others])))
    const node = new OrderingNode(committee).feed(...dag.vertices.filter(vertex => vertex !== late)).decide()
    assert.equal(node.decision(1, absent), 'skipped direct')
    node.feed(late)
    assert.equal(node.decision(1, absent), 'skipped direct')
    dag.full(1, others).full(6)
    node.feed(...dag.vertices).decide()
    assert.equal(node.decider.decision(1, absent).kind === 'final', false)
    assert.equal(node.order.includes(late.digest), false)
    assert.ok(node.commits.length >= 5)
  })
}

for (const size of [2, 3]) {
  test(`${size} validators: without one of them nothing is skipped and nothing is final`, () => {
    const committee = committeeOf(size)
    const dag = new DagBuilder(committee).full(2).round({ 0: [0, 1].slice(0, size) })
    const node = new OrderingNode(committee).feed(...dag.vertices).decide()
    assert.deepEqual(node.commits, [])
  })
}

test('a quorum is weighed, not counted', () => {
  const committee = committeeOf([5, 1, 1, 1])
  assert.equal(committee.quorumWeight, 6)
  const heavyAndOne = new DagBuilder(committee).full(2).round({ 0: [0, 1, 2, 3], 1: [0, 1, 2, 3] })
  const node = new OrderingNode(committee).feed(...heavyAndOne.vertices)
  for (const author of [0, 1, 2, 3]) assert.equal(node.decision(1, author), 'final direct')
  const lightOnes = new DagBuilder(committee).full(2).round({ 1: [0, 1, 2, 3], 2: [0, 1, 2, 3], 3: [0, 1, 2, 3] })
  assert.equal(new OrderingNode(committee).feed(...lightOnes.vertices).decision(1, 0), 'undecided')
})
