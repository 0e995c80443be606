import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeModel, genesisArchitecture } from '../../src/experts/index.ts'
import { createModelParts } from '../../src/learning/index.ts'
import { partsToPropose, rowsAlone } from '../../src/node/learning/proposed-parts.ts'

const architecture = genesisArchitecture('x')
const parts = createModelParts('genesis', architecture)

test('an expert is proposed with the router of its layer, by its short name or the one on chain', () => {
  const one = partsToPropose(parts, ['layer0.expert3'])
  assert.deepEqual(
    one.all.map(({ part }) => part),
    ['layer0.expert3', 'layer0.router']
  )
  const two = partsToPropose(parts, ['layer0.expert3', 'layer0.expert1', 'layer1.expert0', 'layer0.expert3'])
  assert.deepEqual(
    two.all.map(({ part }) => part),
    ['layer0.expert3', 'layer0.expert1', 'layer1.expert0', 'layer0.router', 'layer1.router']
  )
  const named = partsToPropose(createModelParts('mine', architecture), ['mine.layer1.expert2'])
  assert.deepEqual(
    named.all.map(({ name }) => name),
    ['mine.layer1.expert2', 'mine.layer1.router']
  )
})

test('what is no expert of the model is refused with those there are', () => {
  for (const part of ['layer9.expert0', 'layer0.expert99', 'layer0.router', 'embedding', '*'])
    assert.throws(() => partsToPropose(parts, [part]), { code: 'LEARNING_PART_UNKNOWN' })
  assert.throws(() => partsToPropose(parts, ['nothing']), /layer0\.expert0/)
})

test('only the rows of the experts that were trained change in a router', () => {
  const { experts, width } = architecture
  const proposed = partsToPropose(parts, ['layer0.expert3', 'layer0.expert5'])
  const changes = new Map(
    describeModel(architecture)
      .filter(({ name }) => proposed.all.some(({ part }) => part === name))
      .map(({ name, shape }) => [name, new Float32Array(shape.reduce((size, extent) => size * extent, 1)).fill(0.5)])
  )
  const alone = rowsAlone(proposed, changes)
  const router = alone.get('layer0.router')!
  assert.equal(router.length, experts * width)
  const changed = Array.from({ length: experts }, (_, row) => router.subarray(row * width, (row + 1) * width))
  assert.deepEqual(
    changed.map(row => row.every(value => value === 0.5)),
    Array.from({ length: experts }, (_, row) => row === 3 || row === 5)
  )
  assert.ok(changed.every((row, place) => place === 3 || place === 5 || row.every(value => value === 0)))
  assert.ok(alone.get('layer0.expert3')!.every(value => value === 0.5))
})
