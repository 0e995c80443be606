import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commitTimestampMs } from '../../src/consensus/core/commit.ts'
import { refOf } from '../../src/consensus/core/vertex.ts'
import { committeeOf, OrderingNode, vertexOf } from './dag-builder.ts'

function timeOf(weights: readonly number[], timestamps: readonly number[], previousMs: number): number {
  const committee = committeeOf(weights)
  const node = new OrderingNode(committee)
  const genesis = committee.validators.map((_, author) => refOf(node.graph.slot(0, author)[0]!.vertex))
  const parents = timestamps.map((timestampMs, author) =>
    vertexOf({ author, round: 1, parents: [genesis[author]!], timestampMs })
  )
  const final = vertexOf({ author: 0, round: 2, parents: parents.map(refOf), timestampMs: 1e12 })
  node.feed(...parents, final)
  return commitTimestampMs(node.graph, committee, [final], previousMs)
}

test('commit time is the median of what the parents say, not the word of the final vertex', () => {
  assert.equal(timeOf([1, 1, 1], [10, 30, 20], 0), 20)
})

test('of an even number the later one of the middle pair counts', () => {
  assert.equal(timeOf([1, 1, 1, 1], [100, 110, 120, 130], 0), 120)
})

test('one liar of four moves commit time no further than between honest clocks', () => {
  for (const lie of [0, 1e15]) {
    const time = timeOf([1, 1, 1, 1], [100, 110, 120, lie], 0)
    assert.ok(time >= 100 && time <= 120)
  }
})

test('the median weighs', () => {
  assert.equal(timeOf([5, 1, 1], [500, 10, 20], 0), 500)
  assert.equal(timeOf([2, 3, 1], [10, 20, 30], 0), 20)
})

test('commit time never goes back behind the commit before', () => {
  assert.equal(timeOf([1, 1, 1], [10, 30, 20], 25), 25)
})
