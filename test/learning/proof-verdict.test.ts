import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  faultOfChange,
  figuresOf,
  judgeGain,
  judgeHeldOut,
  likeness,
  nameRefusal
} from '../../src/learning/core/verdict.ts'
import { type Corpus, isGainEnough } from '../../src/learning/index.ts'
import { corporaToMeasureOn } from '../../src/learning/measured-text.ts'

const gainPpm = 500
/** Losses around 2 nats that fall by `gain`, with noise of that size, the same each time. */
function losses(gain: number, noise: number, count = 256) {
  const wave = (index: number) => Math.sin(index * 12.9898) * 1.4
  const before = Float64Array.from({ length: count }, (_, index) => 2 + 0.3 * wave(index * 7))
  return { before, after: before.map((loss, index) => loss - gain - noise * (index % 2 === 0 ? 1 : -1)) }
}
const judge = (gain: number, noise: number, count?: number) =>
  judgeHeldOut(figuresOf(losses(gain, noise, count)), gainPpm)

test('a gain counts when it stands out of its noise by more than two standard errors', () => {
  assert.deepEqual(judge(0.05, 0.25), { verdict: 'accept', reason: 'none' })
  assert.deepEqual(judge(0.05, 0.25, 8), { verdict: 'refuse', reason: 'no-gain' })
  assert.deepEqual(judge(0.05, 1), { verdict: 'refuse', reason: 'no-gain' })
  assert.deepEqual(judge(0, 0), { verdict: 'refuse', reason: 'no-gain' })
})

test('a gain below what the network wants is none, however certain it is', () => {
  assert.equal(judge(0.0009, 0).reason, 'no-gain')
  assert.equal(judge(0.0012, 0).reason, 'none')
})

test('a little worse is no gain, much worse is poison, and so is what is no number', () => {
  assert.equal(judge(-0.05, 0.1).reason, 'no-gain')
  assert.equal(judge(-0.5, 0.1).reason, 'poisoned')
  const { before, after } = losses(0.1, 0)
  after[200] = Number.POSITIVE_INFINITY
  assert.equal(judgeHeldOut(figuresOf({ before, after }), gainPpm).reason, 'poisoned')
})

test('figures are whole numbers that fit each other, and the chain accepts what is accepted here', () => {
  const loss = fc.double({ min: 0, max: 1e7, noNaN: true })
  fc.assert(
    fc.property(fc.array(fc.tuple(loss, loss), { minLength: 2, maxLength: 40 }), pairs => {
      const before = Float64Array.from(pairs, ([first]) => first)
      const figures = figuresOf({ before, after: Float64Array.from(pairs, ([, second]) => second) })!
      const { beforeNano, afterNano, gainNano, errorNano } = figures
      assert.ok([beforeNano, afterNano, gainNano, errorNano].every(Number.isSafeInteger))
      assert.equal(beforeNano - afterNano, gainNano)
      assert.ok(errorNano >= 0)
      assert.equal(judgeHeldOut(figures, gainPpm).verdict === 'accept', isGainEnough(figures, gainPpm))
    })
  )
})

test('who gains on held-out text alone has learnt that text; who gains on both has learnt to read', () => {
  const heldOut = figuresOf(losses(0.3, 0.1))!
  assert.equal(judgeGain(heldOut, figuresOf(losses(0.25, 0.1, 64))).reason, 'none')
  assert.equal(judgeGain(heldOut, figuresOf(losses(0.4, 0.1, 64))).reason, 'none')
  assert.equal(judgeGain(heldOut, figuresOf(losses(0.02, 0.1, 64))).reason, 'lineage')
  assert.equal(judgeGain(heldOut, figuresOf(losses(-0.5, 0.1, 64))).reason, 'lineage')
  assert.equal(judgeGain(heldOut, undefined).verdict, 'accept')
})

test('gain on own text and nowhere else is called over-fitted', () => {
  const refusal = judge(-0.5, 0.1)
  assert.equal(nameRefusal(refusal, figuresOf(losses(0.3, 0.1, 64)), gainPpm).reason, 'over-fitted')
  assert.equal(nameRefusal(refusal, figuresOf(losses(-0.3, 0.1, 64)), gainPpm).reason, 'poisoned')
  assert.equal(nameRefusal(refusal, undefined, gainPpm).reason, 'poisoned')
})

test('values that are no numbers, that do not change, or change beyond measure are told without a model', () => {
  const base = Float32Array.of(1, -2, 3)
  const fault = (...values: number[]) => faultOfChange([{ base, values: Float32Array.from(values) }])
  assert.equal(fault(1, -2, 3), 'no-change')
  assert.equal(fault(1, Number.NaN, 3), 'poisoned')
  assert.equal(fault(1, Number.NEGATIVE_INFINITY, 3), 'poisoned')
  assert.equal(fault(100, -2, 3), 'poisoned')
  assert.equal(fault(1, -2), 'poisoned')
  assert.equal(fault(1.01, -2, 3), undefined)
})

test('a change is like another by its direction in the parts that it changes', () => {
  const of = (entries: Record<string, number[]>) =>
    new Map(Object.entries(entries).map(([name, values]) => [name, Float32Array.from(values)]))
  const mine = of({ a: [1, 2], b: [3, 0] })
  assert.ok(Math.abs(likeness(mine, of({ a: [2, 4], b: [6, 0], c: [9, 9] })) - 1) < 1e-12)
  assert.ok(likeness(mine, of({ a: [-1, -2], b: [-3, 0] })) < -0.99)
  assert.equal(likeness(mine, of({ c: [1, 1] })), 0)
  assert.ok(likeness(mine, of({ a: [1, 2] })) < 0.7)
})

test('nobody is measured on own text where there is text of others', () => {
  const corpus = (account: string, heldOut = 1) => ({
    account,
    heldOut: Array(heldOut).fill({ shard: account, bytes: 1 })
  })
  const corpora = [corpus('a'), corpus('b'), corpus('c'), corpus('d', 0)] as unknown as Corpus[]
  const shown = (source: 'round' | 'proposal', author: string, ...learners: string[]) =>
    corporaToMeasureOn(corpora, { source, author, learners })
      .map(({ account }) => account)
      .join('')
  assert.equal(shown('round', 'a', 'b', 'c'), 'a')
  assert.equal(shown('proposal', 'a', 'b', 'c'), 'bc')
  assert.equal(shown('round', 'd', 'a', 'b', 'c'), 'abcd')
})
