import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { topologicalOrder } from '../../src/dag/core/block-graph.ts'
import { isBlyanError } from '../../src/errors/index.ts'

/** Blocks 0 to n-1, each building on some before it, put into the map in a random order. */
const arbitraryGraph = fc.array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 40 }).chain(links =>
  fc
    .shuffledSubarray(
      links.map((_, i) => i),
      { minLength: links.length }
    )
    .map(
      order =>
        new Map(
          order.map(i => [String(i), i === 0 ? [] : [...new Set(links[i]!.map(link => String(link % i)))]] as const)
        )
    )
)

test('dependencies come before what builds on them, and every block once', () => {
  fc.assert(
    fc.property(arbitraryGraph, graph => {
      const order = topologicalOrder(graph)
      assert.deepEqual([...order].sort(), [...graph.keys()].sort())
      const place = new Map(order.map((block, i) => [block, i]))
      for (const [block, dependencies] of graph)
        for (const dependency of dependencies) assert.ok(place.get(dependency)! < place.get(block)!)
    })
  )
})

test('a cycle that is put in is found', () => {
  fc.assert(
    fc.property(arbitraryGraph, fc.nat(), (graph, at) => {
      const cyclic = new Map<string, readonly string[]>(graph)
      const last = String(at % graph.size)
      let first = last
      while (cyclic.get(first)!.length > 0) first = cyclic.get(first)![0]!
      cyclic.set(first, [last])
      assert.throws(
        () => topologicalOrder(cyclic),
        error => isBlyanError(error, 'CHAIN_CYCLE')
      )
    })
  )
})

test('a block that builds on itself is a cycle', () => {
  assert.throws(
    () => topologicalOrder(new Map([['a', ['a']]])),
    error => isBlyanError(error, 'CHAIN_CYCLE')
  )
})

test('a dependency that is not there is named', () => {
  assert.throws(
    () => topologicalOrder(new Map([['a', ['b']]])),
    error => isBlyanError(error, 'CHAIN_DEPENDENCY_UNKNOWN') && error.payload.dependency === 'b'
  )
})

test('a hundred thousand blocks in a row take no stack and little time', () => {
  const graph = new Map<string, readonly string[]>()
  for (let i = 100_000; i >= 0; i--) graph.set(String(i), i === 0 ? [] : [String(i - 1)])
  assert.equal(topologicalOrder(graph)[0], '0')
})
