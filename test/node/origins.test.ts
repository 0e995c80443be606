import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createCommittee, faultsTolerated } from '../../src/consensus/index.ts'
import { originAlarms, originsOf } from '../../src/node/origins.ts'

type Place = { origin: string; region: string; weight?: number }

const committeeAt = (places: readonly Place[], degraded: 'none' | 'crash' = 'none') =>
  createCommittee(
    0,
    places.map(({ origin, region, weight = 1 }, index) => ({
      name: `v${index}`,
      publicKey: Uint8Array.of(index),
      peerId: `peer${index}`,
      origin,
      region,
      weight
    })),
    { degraded }
  )

test('of four clouds each can be lost; of two, neither', () => {
  const four = originsOf(committeeAt(['a', 'b', 'c', 'd'].map(origin => ({ origin, region: origin }))))
  assert.equal(four.length, 8)
  assert.ok(four.every(risk => !risk.stopsFinality && !risk.stopsOrdering && !risk.exceedsFaults))
  const two = originsOf(committeeAt(['a', 'a', 'b', 'b'].map(origin => ({ origin, region: '' }))))
  assert.deepEqual(
    two.map(({ kind, name, weight, validators, stopsOrdering }) => ({ kind, name, weight, validators, stopsOrdering })),
    [
      { kind: 'origin', name: 'a', weight: 2, validators: ['v0', 'v1'], stopsOrdering: true },
      { kind: 'origin', name: 'b', weight: 2, validators: ['v2', 'v3'], stopsOrdering: true }
    ]
  )
})

test('one of three stops finality, and ordering only where the network does not degrade', () => {
  const places = ['a', 'b', 'c'].map(origin => ({ origin, region: '' }))
  const [strict] = originsOf(committeeAt(places))
  const [degrading] = originsOf(committeeAt(places, 'crash'))
  assert.deepEqual([strict!.stopsFinality, strict!.stopsOrdering], [true, true])
  assert.deepEqual([degrading!.stopsFinality, degrading!.stopsOrdering], [true, false])
})

test('a warning names who holds too much, once for an origin and a region with the same members', () => {
  const committee = committeeAt([
    { origin: 'cloud', region: 'north' },
    { origin: 'cloud', region: 'north' },
    { origin: 'attic', region: 'south' },
    { origin: 'cellar', region: 'south' }
  ])
  const alarms = originAlarms(committee, originsOf(committee))
  assert.deepEqual(alarms, [
    'origin "cloud" and region "north" hold 2 of 4 votes, more than the 1 that may fail: losing it stops the network',
    'region "south" holds 2 of 4 votes, more than the 1 that may fail: losing it stops the network'
  ])
  assert.deepEqual(
    originAlarms(committeeAt([{ origin: 'a', region: 'b' }]), originsOf(committeeAt([{ origin: 'a', region: 'b' }]))),
    []
  )
})

test('what is said of an origin is true when its validators are taken away', () => {
  const arbitraryPlace = fc.record({
    origin: fc.constantFrom('', 'a', 'b', 'c'),
    region: fc.constantFrom('', 'x', 'y'),
    weight: fc.integer({ min: 1, max: 5 })
  })
  fc.assert(
    fc.property(fc.array(arbitraryPlace, { minLength: 1, maxLength: 9 }), places => {
      const committee = committeeAt(places)
      for (const risk of originsOf(committee)) {
        const rest = places.filter(place => place[risk.kind] !== risk.name).reduce((sum, { weight }) => sum + weight, 0)
        assert.equal(risk.weight + rest, committee.totalWeight)
        assert.equal(risk.stopsFinality, rest < committee.quorumWeight)
        assert.equal(risk.exceedsFaults, risk.weight > faultsTolerated(committee))
        // Whoever may fail can be lost: otherwise the faults tolerated would be a lie.
        if (!risk.exceedsFaults) assert.equal(risk.stopsFinality, false)
      }
    })
  )
})
