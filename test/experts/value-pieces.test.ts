import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isBlyanError } from '../../src/errors/index.ts'
import { groupPieces, piecesFromFrame, piecesToFrame } from '../../src/experts/engine/value-pieces.ts'

test('pieces cover every value of every part once, in messages that are as full as they may be', () => {
  const parts = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z]{1,3}$/), fc.integer({ min: 0, max: 40 })), {
    selector: ([name]) => name,
    maxLength: 8
  })
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 17 }), (lengths, valuesMax) => {
      const groups = [...groupPieces(lengths, valuesMax)]
      const sizes = groups.map(group => group.reduce((sum, { count }) => sum + count, 0))
      assert.ok(sizes.slice(0, -1).every(size => size === valuesMax) && (sizes.at(-1) ?? 1) <= valuesMax)
      const covered = groups
        .flat()
        .flatMap(({ part, from, count }) => Array.from({ length: count }, (_, i) => `${part}${from + i}`))
      assert.deepEqual(
        covered,
        lengths.flatMap(([part, length]) => Array.from({ length }, (_, i) => `${part}${i}`))
      )
      for (const group of groups) assert.deepEqual(piecesFromFrame({ pieces: piecesToFrame(group) }), group)
    })
  )
})

test('pieces that are no pieces are refused', () => {
  for (const pieces of [null, {}, [7], [{ part: 'a', from: 0 }], [{ part: 'a', from: 0.5, count: 1 }]]) {
    assert.throws(
      () => piecesFromFrame({ pieces }),
      error => isBlyanError(error, 'ENGINE_REQUEST_INVALID')
    )
  }
})
