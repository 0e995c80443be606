import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { attentionMask } from '../../src/experts/model/positions.ts'
import { addWeighted, gatherRows, routeTokens } from '../../src/experts/model/routing.ts'
import { createTokenChooser, crossEntropyNats } from '../../src/experts/model/sampling.ts'

const rules = [
  { softmaxFirst: true, normalise: true },
  { softmaxFirst: true, normalise: false },
  { softmaxFirst: false, normalise: false }
]
const logits = Float32Array.from([0, 1, 2, 3, 4, 0, 0, 0].map(Math.fround))

test('weights follow the three usual orders of softmax and top-k', () => {
  const weightsOf = (rule: (typeof rules)[number]): number[] =>
    routeTokens(logits.subarray(0, 4), { experts: 4, expertsPerToken: 2, router: rule }).map(load => load.weights[0]!)
  const e = Math.E
  const all = 1 + e + e ** 2 + e ** 3
  near(weightsOf(rules[0]!), [1 / (1 + e), e / (1 + e)])
  near(weightsOf(rules[1]!), [e ** 2 / all, e ** 3 / all])
  near(weightsOf(rules[2]!), [1 / (1 + e), e / (1 + e)])
})

test('of equal logits the lower expert wins, and experts without tokens do not appear', () => {
  const loads = routeTokens(logits, { experts: 4, expertsPerToken: 2, router: rules[0]! })
  assert.deepEqual(
    loads.map(load => [load.expert, [...load.tokens]]),
    [
      [0, [1]],
      [1, [1]],
      [2, [0]],
      [3, [0]]
    ]
  )
})

test('every token reaches its experts once and normalised weights sum to one', () => {
  const rows = fc.array(fc.array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: 6, maxLength: 6 }), {
    minLength: 1
  })
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 6 }), (tokens, expertsPerToken) => {
      const loads = routeTokens(Float32Array.from(tokens.flat()), { experts: 6, expertsPerToken, router: rules[0]! })
      const sums = tokens.map(() => ({ weight: 0, experts: 0 }))
      for (const load of loads) {
        load.tokens.forEach((token, i) => {
          sums[token]!.weight += load.weights[i]!
          sums[token]!.experts++
        })
      }
      for (const { weight, experts } of sums) {
        assert.equal(experts, expertsPerToken)
        assert.ok(Math.abs(weight - 1) < 1e-9)
      }
    })
  )
})

test('rows that are not numbers still route to some experts', () => {
  const loads = routeTokens(new Float32Array(4).fill(Number.NaN), { experts: 4, expertsPerToken: 2, router: rules[0]! })
  assert.equal(loads.length, 2)
})

test('rows are gathered for an expert and its weighted results go back where they came from', () => {
  const rows = Float32Array.of(1, 2, 3, 4, 5, 6)
  const load = { expert: 0, tokens: Uint32Array.of(0, 2), weights: Float64Array.of(0.5, 2) }
  const gathered = gatherRows(rows, load.tokens, 2)
  assert.deepEqual([...gathered], [1, 2, 5, 6])
  addWeighted(rows, gathered, load, 2)
  assert.deepEqual([...rows], [1.5, 3, 3, 4, 15, 18])
})

test('a token looks at the past and itself only', () => {
  assert.deepEqual(
    [...attentionMask(1, 2, 0, null)].map(value => value === 0),
    [true, true, false, true, true, true]
  )
})

test('with a sliding window a token looks at itself and the window before it, whatever rows are left out', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 8 }), (past, count, window) => {
      const first = Math.max(0, past - window + 1)
      const mask = attentionMask(past, count, first, window)
      const length = past + count - first
      assert.equal(mask.length, count * length)
      mask.forEach((value, i) => {
        const place = past + Math.floor(i / length)
        const seen = first + (i % length)
        assert.equal(value === 0, seen <= place && seen > place - window)
      })
    })
  )
})

test('sampling is greedy at temperature 0, repeatable by seed, and follows the distribution', () => {
  const two = Float32Array.of(Math.log(3), 0)
  assert.equal(createTokenChooser({ temperature: 0, topP: 1, seed: 'a' })(Float32Array.of(1, 5, 5)), 1)
  const draw = (seed: string): number[] => {
    const choose = createTokenChooser({ temperature: 1, topP: 1, seed })
    return Array.from({ length: 4000 }, () => choose(two))
  }
  assert.deepEqual(draw('a'), draw('a'))
  assert.notDeepEqual(draw('a'), draw('b'))
  const share = draw('a').filter(token => token === 0).length / 4000
  assert.ok(Math.abs(share - 0.75) < 0.03, `${share}`)
  near([crossEntropyNats(two, 1)], [Math.log(4)])
})

function near(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length)
  actual.forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]!) < 1e-6, `${actual} is not ${expected}`)
  })
}
