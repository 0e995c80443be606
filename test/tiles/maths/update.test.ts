import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  applyFrames,
  codecNamed,
  defaultAggregationRules,
  flatLayouts,
  makeUpdate,
  tileElements
} from '../../../src/tiles/index.ts'
import { noise } from '../versions/support.ts'

const codec = codecNamed('int8')
const rules = defaultAggregationRules

test('the new version is the base plus what its frames decode to, tile by tile', () => {
  const length = tileElements + 1000
  const base = noise(length, 1)
  const layouts = flatLayouts(length)
  const inputs = [2, 3].map(seed => ({ values: noise(length, seed).map(value => value / 50), weight: 1 }))
  const { values, frames, isUnchanged } = makeUpdate({ base, inputs, layouts, rules, codec })
  assert.deepEqual(
    frames.map(({ tile, length: elements }) => [tile, elements]),
    [
      [0, tileElements],
      [1, 1000]
    ]
  )
  const decoded = frames.map(({ bytes }, tile) => codec.decode(bytes, layouts[tile]!))
  for (const at of [0, 17, tileElements - 1, tileElements, length - 1]) {
    const change = at < tileElements ? decoded[0]![at]! : decoded[1]![at - tileElements]!
    assert.equal(values[at], Math.fround(base[at]! + change))
    const wanted = (inputs[0]!.values[at]! + inputs[1]!.values[at]!) / 2
    assert.ok(Math.abs(change - wanted) < 0.001, 'int8 stays close to what was aggregated')
  }
  assert.equal(isUnchanged, false)
  assert.deepEqual(applyFrames(base, frames), values)
})

test('deltas that cancel out leave the part the version it is', () => {
  const base = noise(4096, 1)
  const inputs = [1, -1].map(sign => ({ values: noise(4096, 2).map(value => sign * value), weight: 1 }))
  const { values, isUnchanged } = makeUpdate({ base, inputs, layouts: flatLayouts(4096), rules, codec })
  assert.equal(isUnchanged, true)
  assert.deepEqual(values, base)
})

test('what does not fit or would leave the numbers is refused', () => {
  const base = noise(64, 1)
  const inputs = [{ values: noise(64, 2), weight: 1 }]
  const refused = { code: 'DELTA_INVALID' }
  assert.throws(() => makeUpdate({ base, inputs, layouts: flatLayouts(65), rules, codec }), refused)
  assert.throws(() => makeUpdate({ base: noise(65, 1), inputs, layouts: flatLayouts(65), rules, codec }), refused)
  const edge = new Float32Array(64).fill(3.4e38)
  assert.throws(
    () => makeUpdate({ base: edge, inputs: [{ values: edge, weight: 1 }], layouts: flatLayouts(64), rules, codec }),
    { ...refused, message: /not finite/ }
  )
  assert.throws(() => applyFrames(base, [{ length: 32, decoded: noise(32, 1) }]), refused)
  assert.throws(() => applyFrames(base, [{ length: 128, decoded: noise(128, 1) }]), refused)
})
