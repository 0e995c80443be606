import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { flatLayouts, requireLayout, tileElements, tileLayouts } from '../../../src/tiles/maths/tile-layout.ts'

test('a matrix is one block, what no slice covers a vector', () => {
  const [layout] = tileLayouts(
    [
      { offset: 20, rows: 3, columns: 4 },
      { offset: 4, rows: 2, columns: 5 }
    ],
    40
  )
  assert.deepEqual(layout, {
    length: 40,
    blocks: [
      { offset: 0, rows: 4, columns: 1 },
      { offset: 4, rows: 2, columns: 5 },
      { offset: 14, rows: 6, columns: 1 },
      { offset: 20, rows: 3, columns: 4 },
      { offset: 32, rows: 8, columns: 1 }
    ]
  })
})

test('a matrix that a border cuts is whole rows on both sides, and the cut row two vectors', () => {
  const columns = 1000
  const layouts = tileLayouts([{ offset: 10, rows: 1200, columns }], 1_200_010)
  assert.deepEqual(
    layouts.map(({ length }) => length),
    [tileElements, 1_200_010 - tileElements]
  )
  const wholeRows = Math.floor((tileElements - 10) / columns)
  const left = tileElements - 10 - wholeRows * columns
  assert.deepEqual(layouts[0]!.blocks, [
    { offset: 0, rows: 10, columns: 1 },
    { offset: 10, rows: wholeRows, columns },
    { offset: 10 + wholeRows * columns, rows: left, columns: 1 }
  ])
  assert.deepEqual(layouts[1]!.blocks, [
    { offset: 0, rows: columns - left, columns: 1 },
    { offset: columns - left, rows: 1200 - wholeRows - 1, columns }
  ])
})

test('whatever the slices, the blocks of each tile cover it without a gap', () => {
  const slice = fc.record({
    gap: fc.nat(9),
    rows: fc.integer({ min: 1, max: 3000 }),
    columns: fc.integer({ min: 1, max: 3000 })
  })
  fc.assert(
    fc.property(fc.array(slice, { maxLength: 4 }), fc.nat(5), (sketches, end) => {
      let length = 0
      const slices = sketches.map(({ gap, rows, columns }) => {
        const offset = length + gap
        length = offset + rows * columns
        return { offset, rows, columns }
      })
      for (const layout of tileLayouts(slices, length + end + 1)) requireLayout(layout)
    }),
    { numRuns: 60 }
  )
})

test('slices that overlap or do not fit are refused', () => {
  const twice = { offset: 0, rows: 2, columns: 2 }
  assert.throws(() => tileLayouts([twice, { ...twice, offset: 3 }], 10), RangeError)
  assert.throws(() => tileLayouts([twice], 3), RangeError)
  assert.throws(() => tileLayouts([{ ...twice, rows: 0 }], 10), RangeError)
  assert.throws(() => flatLayouts(0), RangeError)
})
