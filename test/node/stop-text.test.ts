import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createStopText } from '../../src/node/answers/stop-text.ts'

/** From few letters, so that words and beginnings of words are everywhere. */
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 24 })
const words = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
  maxLength: 3
})

test('however a text is cut into pieces, what is shown is the text before the first stop word that is complete', () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 8 }), words, (pieces, stops) => {
      const stopText = createStopText(stops)
      let [shown, isOver] = ['', false]
      for (const piece of pieces) {
        const pushed = stopText.push(piece)
        shown += pushed.text
        isOver = pushed.isOver
        if (isOver) break
      }
      if (!isOver) shown += stopText.end()
      const whole = pieces.join('')
      assert.equal(
        isOver,
        stops.some(word => whole.includes(word))
      )
      if (!isOver) assert.equal(shown, whole)
      // Two words may overlap, and the one that begins later be complete in an earlier piece: then that one ends the text.
      else assert.ok(stops.some(word => whole.startsWith(shown + word)) && !stops.some(word => shown.includes(word)))
    })
  )
})

test('what cannot be the beginning of a stop word is shown at once', () => {
  const stopText = createStopText(['END', '\n\nUser:'])
  assert.deepEqual(stopText.push('plain'), { text: 'plain', isOver: false })
  assert.deepEqual(stopText.push(' E'), { text: ' ', isOver: false })
  assert.deepEqual(stopText.push('gg\n'), { text: 'Egg', isOver: false })
  assert.deepEqual(stopText.push('\nUser:x'), { text: '', isOver: true })
  assert.deepEqual(createStopText([]).push('anything'), { text: 'anything', isOver: false })
})
