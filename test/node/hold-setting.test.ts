import assert from 'node:assert/strict'
import { test } from 'node:test'
import { holdSetting } from '../../src/node/experts/hold-setting.ts'

test('auto computes what is here and fetches by traffic, all fetches everything, none computes nothing', () => {
  const auto = holdSetting(['auto'])
  assert.deepEqual(
    [auto.holds('m.layer0.expert0'), auto.wants('m.layer0.expert0'), auto.byTraffic],
    [true, false, true]
  )
  const all = holdSetting(['all'])
  assert.deepEqual([all.holds('m.layer0.expert0'), all.wants('m.layer0.expert0'), all.byTraffic], [true, true, false])
  const none = holdSetting(['none'])
  assert.deepEqual([none.holds('m.layer0.expert0'), none.wants('m.layer0.expert0')], [false, false])
})

test('names with stars mean those parts, whole names and dots as they are', () => {
  const some = holdSetting(['olmoe.layer1.*', 'layer*.expert3'])
  assert.ok(some.wants('olmoe.layer1.expert7'))
  assert.ok(some.wants('layer12.expert3'))
  assert.ok(!some.wants('olmoe.layer10.expert7'))
  assert.ok(!some.wants('olmoexlayer1xexpert7'))
  assert.ok(!some.wants('layer12.expert33'))
  assert.equal(some.byTraffic, false)
})
