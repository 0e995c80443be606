import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createExpertGroups } from '../../src/node/experts/expert-groups.ts'

test('experts that tokens use together are a group, over layers too; those of other tokens are not', () => {
  const groups = createExpertGroups({ usesMin: 4 })
  for (let token = 0; token < 10; token++) {
    const isEven = token % 2 === 0
    groups.note('request', 0, isEven ? ['a', 'b'] : ['c', 'd'])
    groups.note('request', 1, isEven ? ['x'] : ['y'])
  }
  assert.deepEqual(groups.groupOf('a').sort(), ['b', 'x'])
  assert.deepEqual(groups.groupOf('y').sort(), ['c', 'd'])
})

test('two requests that run at the same time do not mix', () => {
  const groups = createExpertGroups({ usesMin: 1 })
  for (let token = 0; token < 10; token++) {
    groups.note('one', 0, ['a'])
    groups.note('two', 0, ['b'])
    groups.note('one', 1, ['x'])
    groups.note('two', 1, ['y'])
  }
  assert.deepEqual(groups.groupOf('a'), ['x'])
  assert.deepEqual(groups.groupOf('y'), ['b'])
})

test('too few uses say nothing', () => {
  const groups = createExpertGroups({ usesMin: 3 })
  groups.note('request', 0, ['a', 'b'])
  assert.deepEqual(groups.groupOf('a'), [])
})

test('however many experts and partners there are, lists stay within their bounds', () => {
  const limits = { expertsMax: 8, partnersPerExpertMax: 4, groupSizeMax: 3, usesMin: 1, requestsMax: 2 }
  const layers = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 3 }), fc.array(fc.integer({ min: 0, max: 30 })))
  )
  fc.assert(
    fc.property(layers, uses => {
      const groups = createExpertGroups(limits)
      for (const [request, layer, experts] of uses) groups.note(`r${request}`, layer, [...new Set(experts)].map(String))
      for (let expert = 0; expert <= 30; expert++) {
        const group = groups.groupOf(String(expert))
        assert.ok(group.length <= 2)
        assert.ok(!group.includes(String(expert)))
      }
    })
  )
})
