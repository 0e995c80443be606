import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AdamWSettings, createAdamW, decays } from '../../../src/experts/training/adamw.ts'
import { createNumbers } from './graph-session.ts'

const settings: AdamWSettings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clipNorm: 1 }
/** Lengths that are no multiple of four, and one longer than the pieces it works in. */
const sketches = new Map([
  ['matrix', { length: 9003, decays: true }],
  ['vector', { length: 5, decays: false }],
  ['small', { length: 2, decays: true }]
])
const [rate, steps] = [0.01, 5]

type Arrays = Map<string, Float32Array>

function draw(seed: number, size: number): Arrays {
  const next = createNumbers(seed)
  return new Map([...sketches].map(([name, { length }]) => [name, Float32Array.from({ length }, () => next() * size)]))
}

/** Rounded to fp32 after every operation, in the order the kernel's description gives. */
function referenceStep(x: Arrays, g: Arrays, m: Arrays, v: Arrays, step: number, own: AdamWSettings): void {
  const f = Math.fround
  let total = 0
  for (const gradient of g.values()) for (const slope of gradient) total += slope * slope
  const norm = Math.sqrt(total)
  const scale = f(own.clipNorm > 0 && norm > own.clipNorm ? own.clipNorm / norm : 1)
  const [beta1, beta2, rest1, rest2] = [f(own.beta1), f(own.beta2), f(1 - own.beta1), f(1 - own.beta2)]
  const correction1 =
    1 -
    Array<number>(step)
      .fill(own.beta1)
      .reduce((product, beta) => product * beta, 1)
  const correction2 =
    1 -
    Array<number>(step)
      .fill(own.beta2)
      .reduce((product, beta) => product * beta, 1)
  const [ownRate, rootScale] = [f(rate / correction1), f(1 / Math.sqrt(correction2))]
  for (const [name, { decays }] of sketches) {
    const keep = f(decays ? 1 - rate * own.weightDecay : 1)
    const [values, first, second] = [x.get(name)!, m.get(name)!, v.get(name)!]
    g.get(name)!.forEach((gradient, i) => {
      const slope = f(gradient * scale)
      first[i] = f(f(beta1 * first[i]!) + f(rest1 * slope))
      second[i] = f(f(beta2 * second[i]!) + f(rest2 * f(slope * slope)))
      const size = f(f(f(Math.sqrt(second[i]!)) * rootScale) + f(own.epsilon))
      values[i] = f(f(values[i]! * keep) - f(ownRate * f(first[i]! / size)))
    })
  }
}

for (const clipNorm of [0, 1, 1e9]) {
  test(`every bit is what the definition gives, clipping to ${clipNorm}`, () => {
    const own = { ...settings, clipNorm }
    const optimiser = createAdamW({ settings: own, parameters: sketches })
    const [values, expected] = [draw(1, 1), draw(1, 1)]
    const [first, second] = [draw(0, 0), draw(0, 0)]
    for (let step = 1; step <= steps; step++) {
      const gradients = draw(step, 0.1)
      const { gradientNorm, clipped } = optimiser.step(values, gradients, rate)
      referenceStep(expected, gradients, first, second, step, own)
      assert.equal(clipped, clipNorm > 0 && gradientNorm > clipNorm)
      const length = Math.hypot(...[...gradients.values()].flatMap(gradient => [...gradient]))
      assert.ok(Math.abs(gradientNorm - length) < 1e-9 * length)
    }
    for (const name of sketches.keys()) assert.deepEqual(values.get(name), expected.get(name))
    assert.equal(optimiser.steps, steps)
  })
}

test('a step in pieces gives way, and comes to the same bits', () => {
  const length = 700_001
  const parameters = new Map(['a', 'b', 'c'].map(name => [name, { length, decays: true }]))
  const arrays = (size: number): Arrays =>
    new Map([...parameters.keys()].map((name, i) => [name, new Float32Array(length).fill(size * (i + 1))]))
  const [whole, pieces] = [arrays(1), arrays(1)]
  createAdamW({ settings, parameters }).step(whole, arrays(0.1), rate)
  const turns = createAdamW({ settings, parameters }).stepInPieces(pieces, arrays(0.1), rate)
  let given = 0
  while (!turns.next().done) given++
  assert.equal(given, 3)
  assert.deepEqual(pieces, whole)
})

test('what has no gradient only decays, and vectors stay', () => {
  const optimiser = createAdamW({ settings, parameters: sketches })
  const values = draw(1, 1)
  optimiser.step(values, draw(2, 0), 0.5)
  assert.deepEqual(values.get('vector'), draw(1, 1).get('vector'))
  const expected = draw(1, 1)
    .get('matrix')!
    .map(value => value * Math.fround(1 - 0.5 * 0.1))
  assert.deepEqual(values.get('matrix'), expected)
})

test('a state that is restored goes on to the bit', () => {
  const [first, second] = [1, 2].map(() => createAdamW({ settings, parameters: sketches }))
  const values = draw(1, 1)
  for (let step = 1; step <= 3; step++) first!.step(values, draw(step, 0.1), rate)
  const copies = new Map([...values].map(([name, array]) => [name, array.slice()]))
  // Bytes from a file lie anywhere.
  const state = new Uint8Array([0, ...first!.state()]).subarray(1)
  second!.restore(state)
  assert.equal(second!.steps, 3)
  for (let step = 4; step <= 6; step++) {
    first!.step(values, draw(step, 0.1), rate)
    second!.step(copies, draw(step, 0.1), rate)
  }
  assert.deepEqual(copies, values)
  assert.deepEqual(second!.state(), first!.state())
})

test('bytes that are no state of these parameters change nothing', () => {
  const optimiser = createAdamW({ settings, parameters: sketches })
  optimiser.step(draw(1, 1), draw(2, 1), rate)
  const before = optimiser.state()
  const others = createAdamW({ settings, parameters: new Map([['matrix', { length: 9, decays: true }]]) })
  const torn = before.slice()
  torn[0]! ^= 1
  for (const bytes of [new Uint8Array(), before.subarray(0, -4), others.state(), torn]) {
    assert.throws(() => optimiser.restore(bytes), RangeError)
  }
  assert.deepEqual(optimiser.state(), before)
})

for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`a gradient of ${bad} is refused, and nothing changes`, () => {
    const optimiser = createAdamW({ settings, parameters: sketches })
    const [values, gradients] = [draw(1, 1), draw(2, 0.1)]
    gradients.get('small')![1] = bad
    const before = optimiser.state()
    assert.throws(() => optimiser.step(values, gradients, rate), { code: 'TRAINING_NOT_FINITE' })
    assert.deepEqual(values, draw(1, 1))
    assert.deepEqual(optimiser.state(), before)
  })
}

test('arrays of other lengths are refused before anything moves', () => {
  const optimiser = createAdamW({ settings, parameters: sketches })
  const [values, gradients] = [draw(1, 1), draw(2, 0.1)]
  gradients.set('small', new Float32Array(3))
  assert.throws(() => optimiser.step(values, gradients, rate), RangeError)
  assert.deepEqual(values, draw(1, 1))
  assert.equal(optimiser.steps, 0)
})

test('more moments than the kernel can address are refused before memory is taken', () => {
  const parameters = new Map([['matrix', { length: 2 ** 29, decays: true }]])
  assert.throws(() => createAdamW({ settings, parameters }), { code: 'TRAINING_TOO_LARGE' })
})

test('matrices and tables decay, vectors do not', () => {
  assert.deepEqual([decays({ shape: [4, 3] }), decays({ shape: [4] })], [true, false])
})
