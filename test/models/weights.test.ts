import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { quantiseRows, quantiseTurned, scalesOf, singlesOf, widen } from '../../src/models/weights.ts'

test('every fp16 and bf16 value is widened to what it is', () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits)
  const halves = new Float16Array(all.buffer)
  const brains = new Float32Array(Uint32Array.from(all, bits => bits * 65_536).buffer)
  const into = singlesOf(1)
  for (let i = 0; i < all.length; i++) {
    for (const [type, expected] of [
      ['fp16', halves[i]!],
      ['bf16', brains[i]!]
    ] as const) {
      const largest = widen(type, all, i, 1, into, 0)
      if (!Number.isFinite(expected)) {
        if (!Number.isNaN(largest)) assert.fail(`${type} ${i}: ${largest}`)
      } else if (!Object.is(into.floats[0], expected) || largest !== Math.abs(expected)) {
        assert.fail(`${type} ${i}: ${into.floats[0]} is not ${expected}`)
      }
    }
  }
})

/** Half to even, as a plain sentence. */
function nearest(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1
  return rest < 0.5 ? below : below + 1
}

test('turned or not, four rows at a time or one, every value is rounded once to the nearest step', () => {
  const shapes = fc.record({
    count: fc.integer({ min: 1, max: 9 }),
    columns: fc.integer({ min: 1, max: 150 }),
    before: fc.integer({ min: 0, max: 8 }),
    behind: fc.integer({ min: 0, max: 8 }),
    seed: fc.integer({ min: 1, max: 2 ** 31 })
  })
  fc.assert(
    fc.property(shapes, ({ count, columns, before, behind, seed }) => {
      let state = seed
      const rows = Float32Array.from({ length: count * columns }, () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
        return state / 2 ** 20
      })
      const factors = Float64Array.from({ length: count }, (_, row) => {
        const largest = Math.max(...rows.subarray(row * columns, (row + 1) * columns).map(Math.abs))
        return scalesOf(largest).factor
      })
      const expected = (row: number, column: number) => nearest(rows[row * columns + column]! * factors[row]!) + 0
      const stride = before + count + behind
      const turned = new Int8Array(columns * stride).fill(99)
      const kept = new Int8Array(count * columns)
      quantiseTurned(rows, count, columns, factors, turned, stride, before)
      quantiseRows(rows, count, columns, factors, kept)
      for (let column = 0; column < columns; column++)
        for (let place = 0; place < stride; place++) {
          const row = place - before
          const isOutside = row < 0 || row >= count
          const found = turned[column * stride + place]!
          if (found !== (isOutside ? 99 : expected(row, column))) assert.fail(`turned ${row} ${column}: ${found}`)
          if (!isOutside && kept[row * columns + column] !== found) assert.fail(`kept ${row} ${column}`)
        }
    }),
    { numRuns: 150 }
  )
})

test('a row of zeros has a step of zero and stays zeros', () => {
  assert.deepEqual(scalesOf(0), { factor: 0, scale: 0 })
  const { factor, scale } = scalesOf(2 ** -149)
  assert.ok(Number.isFinite(factor) && Number.isFinite(scale))
})
