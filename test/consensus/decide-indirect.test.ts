import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Committee } from '../../src/consensus/core/committee.ts'
import { committeeOf, DagBuilder, OrderingNode } from './dag-builder.ts'

for (const size of [4, 7, 10]) {
  const committee = committeeOf(size)
  const slot = size - 1

  test(`${size} validators: one COMMIT in the history of a later final vertex makes a vertex final`, () => {
    const dag = oneCommit(committee)
    const node = new OrderingNode(committee).feed(...dag.vertices)
    assert.equal(node.decision(1, slot), 'undecided')
    dag.full(2)
    node.feed(...dag.vertices)
    assert.equal(node.decision(1, slot), 'undecided')
    dag.full(1)
    assert.equal(node.feed(...dag.vertices).decision(1, slot), 'final indirect')
    assert.ok(node.decide().order.includes(dag.at(1, slot).digest))
  })

  test(`${size} validators: no COMMIT in the history of the first later final vertex skips the slot`, () => {
    const dag = noCommit(committee)
    const node = new OrderingNode(committee).feed(...dag.vertices)
    assert.equal(node.decision(1, slot), 'undecided')
    dag.full(3)
    assert.equal(node.feed(...dag.vertices).decision(1, slot), 'skipped indirect')
  })

  test(`${size} validators: a skipped slot is no anchor: the next one that is final decides`, () => {
    const dag = oneCommit(committee)
    const first = 4 % size
    const others = dag.everybody.filter(author => author !== first)
    dag.full(1, others).full(2, others)
    const node = new OrderingNode(committee).feed(...dag.vertices)
    assert.equal(node.decision(4, first), 'skipped direct')
    assert.equal(node.decision(1, slot), 'final indirect')
  })

  test(`${size} validators: an undecided anchor leaves the slot undecided, however much is decided after it`, () => {
    const dag = oneCommit(committee)
    const first = 4 % size
    dag.full(1)
    // Round 5 splits over the anchor: neither a quorum for it nor a quorum against.
    const withAnchor = dag.everybody.filter(author => author === first || author % 2 === 0)
    const without = dag.everybody.filter(author => !withAnchor.includes(author))
    const notAnchor = dag.everybody.filter(author => author !== first)
    dag.round(
      Object.fromEntries([
        ...withAnchor.map(author => [author, dag.everybody]),
        ...without.map(author => [author, notAnchor])
      ])
    )
    dag.full(1)
    const node = new OrderingNode(committee).feed(...dag.vertices)
    const isAnchorDecided = node.decision(4, first) !== 'undecided'
    assert.equal(node.decision(1, slot) !== 'undecided', isAnchorDecided)
    assert.equal(node.feed(...dag.full(4).vertices).decision(1, slot), 'final indirect')
  })
}

test('the order of a round stops at its first undecided slot', () => {
  const committee = committeeOf(4)
  const dag = oneCommit(committee).full(2)
  const node = new OrderingNode(committee).feed(...dag.vertices)
  assert.equal(node.decision(2, 0), 'final direct')
  assert.deepEqual(node.decide().commits, [])
  node.feed(...dag.full(1).vertices).decide()
  assert.equal(node.commits[0]!.round, 1)
})

/** Round 3: exactly one vertex COMMITs the last member's vertex of round 1. */
function oneCommit(committee: Committee): DagBuilder {
  const { quorumWeight: quorum } = committee
  const dag = new DagBuilder(committee).full(1)
  const slot = committee.validators.length - 1
  const voters = dag.everybody.slice(-quorum)
  const notSlot = dag.everybody.filter(author => author !== slot)
  dag.round(
    Object.fromEntries(dag.everybody.map(author => [author, voters.includes(author) ? dag.everybody : notSlot]))
  )
  const certifier = voters[0]!
  return dag.round(
    Object.fromEntries(
      dag.everybody.map(author => {
        if (author === certifier) return [author, voters]
        const rest = dag.everybody.filter(one => one !== author && one !== 0)
        return [author, [...new Set([author, 0, ...rest])].slice(0, quorum)]
      })
    )
  )
}

/** Round 2: one vertex too few references the last member's vertex of round 1 for anybody to COMMIT it. */
function noCommit(committee: Committee): DagBuilder {
  const dag = new DagBuilder(committee).full(1)
  const slot = committee.validators.length - 1
  const voters = dag.everybody.slice(-(committee.quorumWeight - 1))
  const notSlot = dag.everybody.filter(author => author !== slot)
  return dag
    .round(Object.fromEntries(dag.everybody.map(author => [author, voters.includes(author) ? dag.everybody : notSlot])))
    .full(1)
}
