import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sharedKernels } from '../../../src/tiles/maths/kernels/kernels.ts'
import { learnt, noise } from './support.ts'

const kernels = sharedKernels()
const round = Math.fround
const sizes = [
  { rows: 32, columns: 32, rank: 1 },
  { rows: 33, columns: 47, rank: 3 },
  { rows: 64, columns: 132, rank: 4 },
  { rows: 130, columns: 66, rank: 6 },
  { rows: 72, columns: 100, rank: 8 },
  { rows: 51, columns: 80, rank: 11 },
  { rows: 40, columns: 64, rank: 16 }
]

for (const { rows, columns, rank } of sizes) {
  const block = { offset: 12, rows, columns }
  const matrix = learnt(block, rank)
  const left = noise(rows * rank, 5)
  const right = noise(columns * rank, 6)
  const load = (): void => {
    const tile = noise(12 + rows * columns + 7, 9)
    tile.set(matrix, 12)
    kernels.put(tile)
  }
  const read = (): Float32Array => kernels.tile.slice(12, 12 + rows * columns)

  test(`products of ${rows} x ${columns} at rank ${rank} are those of plain numbers, to the bit`, () => {
    load()
    const wantedLeft = new Float32Array(rows * rank)
    const wantedRight = new Float32Array(columns * rank)
    const product = new Float32Array(rows * columns)
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        for (let k = 0; k < rank; k++) {
          wantedLeft[i * rank + k]! += round(matrix[i * columns + j]! * right[j * rank + k]!)
          wantedRight[j * rank + k]! += round(matrix[i * columns + j]! * left[i * rank + k]!)
          product[i * columns + j]! += round(left[i * rank + k]! * right[j * rank + k]!)
        }
      }
    }
    assert.deepEqual(kernels.multiply(block, rank, right), wantedLeft)
    assert.deepEqual(kernels.multiplyTransposed(block, rank, left), wantedRight)
    kernels.applyProduct(block, rank, { left, right }, 'subtract')
    assert.deepEqual(
      read(),
      matrix.map((value, at) => round(value - product[at]!))
    )
    load()
    const around = kernels.tile.slice(0, 12 + rows * columns + 7)
    kernels.applyProduct(block, rank, { left, right }, 'set')
    assert.deepEqual(read(), product)
    around.set(product, 12)
    assert.deepEqual(kernels.tile.slice(0, around.length), around, 'nothing beside the block has changed')
  })
}

test('the largest values of a chunk are found whatever they are, equal ones from the first on', () => {
  const value = fc.oneof(
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, -0, 1, -1, 2 ** -149, 3.4e38)
  )
  const chunk = fc.array(value, { minLength: 1, maxLength: 300 })
  fc.assert(
    fc.property(chunk, fc.nat(), fc.nat(300), (values, share, filler) => {
      const whole = [...values, ...Array<number>(filler).fill(values[0]!)]
      const kept = 1 + (share % whole.length)
      kernels.put(Float32Array.from(whole))
      const wanted = whole
        .map((_, at) => at)
        .toSorted((a, b) => Math.abs(whole[b]!) - Math.abs(whole[a]!) || a - b)
        .slice(0, kept)
        .toSorted((a, b) => a - b)
      assert.deepEqual([...kernels.select(0, whole.length, kept)], wanted)
    }),
    { numRuns: 300 }
  )
})

test('a whole chunk in the middle of a tile is searched to its end and not beyond', () => {
  const values = noise(3 * 4096, 4)
  values[4095] = 9
  values[8192] = 9
  values[8191] = -8
  kernels.put(values)
  const wanted = [...values.subarray(4096, 8192).keys()]
    .toSorted((a, b) => Math.abs(values[4096 + b]!) - Math.abs(values[4096 + a]!) || a - b)
    .slice(0, 64)
    .toSorted((a, b) => a - b)
  assert.deepEqual([...kernels.select(4096, 4096, 64)], wanted)
  assert.equal(wanted.at(-1), 4095)
})

test('one NaN or infinity anywhere in a tile is found', () => {
  for (const length of [1, 5, 4099]) {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const place of [0, length >> 1, length - 1]) {
        const values = noise(length, 3)
        kernels.put(values)
        assert.equal(kernels.isFinite(length), true)
        values[place] = value
        kernels.put(values)
        assert.equal(kernels.isFinite(length), false)
      }
    }
  }
})
