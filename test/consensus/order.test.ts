import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRandom } from '../sim/random.ts'
import { committeeOf, OrderingNode } from './dag-builder.ts'
import { randomDag, shuffled } from './random-dag.ts'

const sizes = [1, 2, 3, 4, 5, 7]

test('what is final does not depend on the order in which vertices arrive, nor on when it is asked for', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = createRandom(seed)
      const committee = committeeOf(random.pick(sizes))
      const isLiarAllowed = committee.validators.length >= 4
      const vertices = randomDag(random, committee, { rounds: 16, liar: isLiarAllowed ? 0 : undefined })
      const gcDepth = 8
      const nodes = [0, 1, 2].map(place => {
        const node = new OrderingNode(committee, { gcDepth })
        const arrival = place === 0 ? vertices : disordered(seed + place, vertices)
        for (const vertex of arrival) {
          node.feed(vertex)
          if (place === 0 || random.chance(0.3)) node.decide()
        }
        return node.decide()
      })
      const commits = nodes.map(node => node.commits)
      for (const other of commits.slice(1)) {
        // A vertex that came after its round was forgotten can keep a node behind, never make it differ.
        const shared = Math.min(other.length, commits[0]!.length)
        assert.deepEqual(other.slice(0, shared), commits[0]!.slice(0, shared))
      }
    }),
    { numRuns: 40 }
  )
})

test('with the same limits every arrival order ends with the same commits', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = createRandom(seed)
      const committee = committeeOf(random.pick(sizes))
      const vertices = randomDag(random, committee, {
        rounds: 12,
        liar: committee.validators.length >= 4 ? 1 : undefined
      })
      const inOrder = new OrderingNode(committee).feed(...vertices).decide()
      const other = new OrderingNode(committee).feed(...shuffled(random, vertices)).decide()
      assert.equal(other.graph.suspendedCount, 0)
      assert.deepEqual(other.commits, inOrder.commits)
    }),
    { numRuns: 40 }
  )
})

test('forgetting early changes nothing of what is final', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = createRandom(seed)
      const committee = committeeOf(random.pick(sizes))
      const vertices = randomDag(random, committee, { rounds: 30, isOrderly: true })
      const keeps = new OrderingNode(committee)
      const forgets = new OrderingNode(committee, { gcDepth: 10 })
      for (const vertex of vertices) {
        keeps.feed(vertex)
        forgets.feed(vertex).decide()
      }
      assert.deepEqual(forgets.commits, keeps.decide().commits)
      assert.ok(forgets.commits.length >= 20)
      assert.ok(forgets.graph.size < keeps.graph.size)
    }),
    { numRuns: 30 }
  )
})

test('the order holds each vertex once, and sorts a commit by round, author and digest', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = createRandom(seed)
      const committee = committeeOf(4)
      const node = new OrderingNode(committee).feed(...randomDag(random, committee, { rounds: 14, liar: 2 })).decide()
      assert.equal(new Set(node.order).size, node.order.length)
      for (const [place, commit] of node.commits.entries()) {
        assert.equal(commit.index, place + 1)
        const keys = commit.vertices.map(ref => `${String(ref.round).padStart(6, '0')} ${ref.author} ${ref.digest}`)
        assert.deepEqual(keys, [...keys].sort())
      }
    }),
    { numRuns: 40 }
  )
})

test('commit time never goes back', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = createRandom(seed)
      const committee = committeeOf(random.pick(sizes))
      const node = new OrderingNode(committee).feed(...randomDag(random, committee, { rounds: 14 })).decide()
      const times = node.commits.map(commit => commit.timestampMs)
      assert.deepEqual(
        times,
        [...times].sort((a, b) => a - b)
      )
    }),
    { numRuns: 30 }
  )
})

/** Vertices swap places with others a few rounds away, as networks do. */
function disordered<T>(seed: number, list: readonly T[]): T[] {
  const random = createRandom(seed)
  return list
    .map((item, place) => ({ item, at: place + random.integer(0, 30) }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
