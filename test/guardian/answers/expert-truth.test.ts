import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Arithmetic, type ExpertWeights, expertTruth, judge, type Statement } from '../../../src/guardian/index.ts'
import {
  computeRow,
  drawWeights,
  finish,
  gaussianRow,
  holderKey,
  inInt4,
  type Machine,
  random,
  realisticRow,
  signed,
  weightsCid
} from './expert-world.ts'

const width = 48
const inner = 40
const kinds = [
  ['float', 'float'],
  ['int8', 'integer'],
  ['int8', 'float']
] as const

function statement(input: Float32Array, output: Float32Array): Statement {
  const { digest } = signed(holderKey, [{ weights: weightsCid, width, input, output }])
  return { body: undefined as never, digest, weights: weightsCid, input, output }
}

const machine = fc.record<Machine>({
  seed: fc.nat(),
  lanes: fc.constantFrom(1, 4, 16),
  isFused: fc.boolean()
})

/** Rows as somebody would choose them who wants an honest holder to look like a liar. */
function crafted(weights: ExpertWeights, trick: number, next: () => number): Float32Array {
  const row = gaussianRow(width, next)
  if (trick === 0) return row.map(value => value * 1e-30)
  if (trick === 1) return row.map(value => value * 1e12)
  if (trick === 2) return row.map((value, place) => (place === 0 ? 1e6 : value * 1e-2))
  // All on the edge between two whole numbers.
  if (trick === 3) return row.map((_, place) => (place === 0 ? 63 : Math.floor(next() * 100 - 50) + 0.5))
  // Two large numbers that cancel in the gates, so that what is left of them is rounding.
  if (trick === 4) return cancelling(weights, row)
  if (trick === 5) return row.fill(0)
  if (trick === 6) return row.map(value => (Math.abs(value) > 1 ? 3e38 : 1e-45))
  return row.map(value => value * 10 ** Math.floor(next() * 60 - 30))
}

function cancelling({ gate }: ExpertWeights, row: Float32Array): Float32Array {
  const at = (output: number, input: number) =>
    gate.values[gate.order === 'by-input' ? input * gate.outputs + output : output * gate.inputs + input]!
  const other = at(0, 1) === 0 ? 1 : at(0, 1)
  return row.map((value, place) => (place === 0 ? 1e7 : place === 1 ? (-1e7 * at(0, 0)) / other : value))
}

test('no row makes an honest machine guilty: any order of sums, any kernel, any input, in every arithmetic', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.nat({ max: 8 }),
      machine,
      fc.nat(),
      ([precision, way], trick, on, seed) => {
        const next = random(seed)
        const weights = drawWeights(width, inner, precision, next)
        const input = trick === 8 ? realisticRow(width, next) : crafted(weights, trick, next)
        const output = computeRow(weights, input, way, on)
        const truth = finish(expertTruth(weights, input, way, new Uint8Array(32)))
        const apart = Math.hypot(...truth.output.map((value, place) => value - output[place]!))
        // Stricter than what is asked of evidence: without the room that it leaves.
        assert.ok(!(apart > truth.doubt), `trick ${trick}: ${apart} apart, ${truth.doubt} in doubt`)
        assert.equal(finish(judge(statement(input, output), weights)).isProven, false)
      }
    ),
    { numRuns: 150 }
  )
})

test('int4 instead of the named weights is proven, from one row', () => {
  let proven = 0
  const runs = 60
  for (let seed = 0; seed < runs; seed++) {
    const next = random(seed)
    const [precision] = kinds[seed % kinds.length]!
    const weights = drawWeights(width, inner, precision, next)
    const input = seed % 2 === 0 ? realisticRow(width, next) : gaussianRow(width, next)
    const output = computeRow(inInt4(weights), input, 'float', { seed, lanes: 8, isFused: true })
    const judgement = finish(judge(statement(input, output), weights))
    if (judgement.isProven) proven++
    assert.ok(judgement.difference > 0.03, `${judgement.difference}`)
  }
  assert.equal(proven, runs)
})

test('what an honest machine gives lies far within the doubt, and the doubt far below a lie', () => {
  for (const [precision, way] of kinds) {
    const next = random(5)
    const weights = drawWeights(256, 192, precision, next)
    for (let turn = 0; turn < 4; turn++) {
      const input = realisticRow(256, next)
      const truth = finish(expertTruth(weights, input, way as Arithmetic, new Uint8Array(32)))
      const length = Math.hypot(...truth.output)
      assert.ok(truth.doubt / length < 0.02, `${precision} ${way}: ${truth.doubt / length}`)
    }
  }
})

test('numbers that are none are a lie where the right ones are ordinary, and prove nothing where fp32 runs over', () => {
  const next = random(1)
  const weights = drawWeights(width, inner, 'float', next)
  const input = gaussianRow(width, next)
  const none = new Float32Array(width).fill(Number.NaN)
  assert.equal(finish(judge(statement(input, none), weights)).isProven, true)
  assert.equal(
    finish(
      judge(
        statement(
          input.map(value => value * 1e30),
          none
        ),
        weights
      )
    ).isProven,
    false
  )
})
