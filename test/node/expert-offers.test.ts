import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeCanonical } from '../../src/codec/index.ts'
import { decodeOffers, encodeOffers, offerUsesMax } from '../../src/node/experts/expert-offers.ts'

const offer = fc.record(
  { tensor: fc.string({ maxLength: 64, unit: 'grapheme-ascii' }), uses: fc.nat({ max: offerUsesMax }) },
  { noNullPrototype: true }
)

test('offers come back as they were sent', () => {
  fc.assert(
    fc.property(fc.array(offer, { maxLength: 16 }), offers => {
      assert.deepEqual(decodeOffers(encodeOffers(offers)), offers)
    })
  )
})

test('what is no list of offers is none, whatever a peer sends', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 256 }), bytes => {
      const offers = decodeOffers(bytes)
      assert.ok(offers === undefined || Array.isArray(offers))
    })
  )
  const wrong = [{}, 1, [[1, 1]], [['a']], [['a', -1]], [['a', 1, 1]], [['a'.repeat(129), 1]], [['a', '1']]]
  for (const value of wrong) assert.equal(decodeOffers(encodeCanonical(value)), undefined, JSON.stringify(value))
  const tooMany = Array.from({ length: 100_000 }, () => ['a', 1])
  assert.equal(decodeOffers(encodeCanonical(tooMany)), undefined)
})
