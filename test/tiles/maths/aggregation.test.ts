import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AggregationRules, aggregate, defaultAggregationRules } from '../../../src/tiles/index.ts'
import { lengthOf, medianOf } from '../../../src/tiles/maths/aggregation.ts'

const mean: AggregationRules = {
  clip: 'none',
  centre: { iterations: 0, radius: 1 },
  outer: { kind: 'sgd', rate: 1 }
}
const clipOnly: AggregationRules = { ...mean, clip: 'median' }

test('without any rule the update is the weighted mean', () => {
  const { update } = aggregate(
    [
      { values: Float32Array.of(1, 2, -4), weight: 3 },
      { values: Float32Array.of(5, -2, 0), weight: 1 }
    ],
    mean
  )
  assert.deepEqual([...update], [2, 1, -3])
})

test('a delta that is longer than the median one is cut to it, and named', () => {
  const { update, norms, clipped } = aggregate(
    [
      { values: Float32Array.of(3, 4), weight: 1 },
      { values: Float32Array.of(-50, 0), weight: 1 },
      { values: Float32Array.of(0, 5), weight: 1 }
    ],
    clipOnly
  )
  assert.deepEqual(norms, [5, 50, 5])
  assert.deepEqual(clipped, [false, true, false])
  assert.deepEqual([...update], [Math.fround((3 - 5) / 3), 3])
})

test('of two deltas the shorter one says how long they may be', () => {
  assert.equal(medianOf([1, 100]), 1)
  assert.equal(medianOf([7, 1, 100]), 7)
  assert.equal(medianOf([]), 0)
})

test('deltas of zero length or weight do not shorten what others may do', () => {
  const { clipped } = aggregate(
    [
      { values: new Float32Array(2), weight: 1 },
      { values: Float32Array.of(0.1, 0), weight: 0 },
      { values: new Float32Array(2), weight: 1 },
      { values: Float32Array.of(3, 4), weight: 1 }
    ],
    clipOnly
  )
  assert.deepEqual(clipped, [false, false, false, false])
})

test('two of eight that flip the sign and shout ten times as loud turn the mean around and hardly move the default', () => {
  const wanted = noise(4096, 1)
  const inputs = Array.from({ length: 8 }, (_, learner) => ({
    values: noise(4096, 10 + learner).map((value, at) => (learner < 2 ? -10 : 1) * (wanted[at]! + value)),
    weight: 1
  }))
  assert.ok(cosine(aggregate(inputs, mean).update, wanted) < -0.5)
  assert.ok(cosine(aggregate(inputs).update, wanted) > 0.6)
})

test('honest deltas that agree pass the default rules unchanged', () => {
  const one = noise(512, 3)
  const { update, clipped } = aggregate([
    { values: one, weight: 1 },
    { values: one, weight: 2 }
  ])
  assert.deepEqual(update, one)
  assert.deepEqual(clipped, [false, false])
})

test('a minority moves the update no further than its share of the median length allows', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.double({ min: 0.001, max: 1e30, noNaN: true }),
      (seed, loudness) => {
        const honest = Array.from({ length: 5 }, (_, learner) => ({ values: noise(64, seed + learner), weight: 1 }))
        const hostile = [1, 2].map(learner => ({
          values: noise(64, seed + 100 + learner).map(value => value * loudness),
          weight: 1
        }))
        const { update, norms } = aggregate([...honest, ...hostile])
        // Every pass of the centre moves at most one reach, and the reach is the median of the lengths.
        assert.ok(lengthOf(update) <= 3 * Math.max(...norms.slice(0, 5)) + 1e-6)
      }
    ),
    { numRuns: 50 }
  )
})

/** NumPy gives the same bits for the rules without memory, from the formulas in docs/protocol.md. */
test('the same deltas give the same bits, and these bits', () => {
  const inputs = Array.from({ length: 6 }, (_, learner) => ({ values: noise(10_000, learner), weight: 1 + learner }))
  const digestOf = (rules: AggregationRules): string => {
    const { update } = aggregate(inputs, rules)
    assert.deepEqual(aggregate(inputs, rules).update, update)
    return createHash('sha256').update(new Uint8Array(update.buffer)).digest('hex').slice(0, 16)
  }
  const outers = [
    { kind: 'sgd', rate: 0.65 },
    { kind: 'nesterov', rate: 0.7, momentum: 0.9 },
    { kind: 'adamw', rate: 0.01, betas: [0.9, 0.95], epsilon: 1e-8 }
  ] as const
  assert.deepEqual([defaultAggregationRules, clipOnly, ...outers.map(outer => ({ ...mean, outer }))].map(digestOf), [
    'cc8b5f528fa3af11',
    '70b99414bbbc3676',
    'ef1d6981379dce2f',
    'a0a02797bde4bfb3',
    '4b4c3edd2a395aa7'
  ])
})

test('outer steps with memory are what their formulas say', () => {
  const inputs = [{ values: Float32Array.of(1, -2), weight: 1 }]
  const nesterov = { ...mean, outer: { kind: 'nesterov', rate: 0.5, momentum: 0.5 } } as const
  const first = aggregate(inputs, nesterov)
  assert.deepEqual([...first.update], [0.75, -1.5])
  const second = aggregate(inputs, nesterov, first.state)
  assert.deepEqual([...second.update], [0.875, -1.75])
  assert.deepEqual([...first.state!.moments[0]!], [1, -2], 'the memory that was given stays as it was')
  const adam = { ...mean, outer: { kind: 'adamw', rate: 0.1, betas: [0.9, 0.99], epsilon: 0 } } as const
  const moved = aggregate(inputs, adam)
  assert.ok(Math.abs(moved.update[0]! - 0.1) < 1e-6 && Math.abs(moved.update[1]! + 0.1) < 1e-6)
  assert.throws(() => aggregate(inputs, adam, first.state), { code: 'DELTA_INVALID' })
})

test('what cannot be aggregated is refused by its reason', () => {
  const good = { values: Float32Array.of(1, 2), weight: 1 }
  const refusals = [
    [[], /there is none/],
    [[good, { values: Float32Array.of(1), weight: 1 }], /number 1 has 1 values where 2 belong/],
    [[good, { values: Float32Array.of(Number.NaN, 1), weight: 1 }], /number 1 has values that are not finite/],
    [[{ values: Float32Array.of(Number.NEGATIVE_INFINITY, 1), weight: 1 }], /not finite/],
    [[good, { values: good.values, weight: -1 }], /number 1 has the weight -1/],
    [[{ values: good.values, weight: 0 }], /all weights are zero/]
  ] as const
  for (const [inputs, message] of refusals) {
    assert.throws(() => aggregate(inputs), { code: 'DELTA_INVALID', message })
  }
  const loud = { values: Float32Array.of(3.4e38, 3.4e38), weight: 1 }
  assert.ok(aggregate([loud, loud], mean).update.every(Number.isFinite), 'large but finite values are no failure')
})

function noise(length: number, seed: number): Float32Array {
  let state = (seed * 2_654_435_761 + 1) >>> 0
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 31 - 1
  })
}

function cosine(one: Float32Array, other: Float32Array): number {
  return one.reduce((sum, value, at) => sum + value * other[at]!, 0) / (lengthOf(one) * lengthOf(other))
}
