import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CanonicalValue, cidOfObject, decodeCanonical, encodeCanonical } from '../../src/codec/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { refusesOnlyByName } from './fuzz.ts'

const limits = { sizeBytesMax: 64 * 1024 }
const decode = (bytes: Uint8Array) => decodeCanonical(bytes, limits)
const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const isInvalid = (error: unknown) => isBlyanError(error, 'ENCODING_INVALID')

const { value: arbitraryValue } = fc.letrec<{ value: CanonicalValue }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map(number => number + 0),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(
      fc.string().filter(key => key !== '__proto__'),
      tie('value'),
      { maxKeys: 6, noNullPrototype: true }
    )
  )
}))

test('every value comes out as it went in, and its bytes are the only ones', () => {
  fc.assert(
    fc.property(arbitraryValue, value => {
      const bytes = encodeCanonical(value)
      const again = decode(bytes)
      assert.deepEqual(again, value)
      assert.deepEqual(encodeCanonical(again), bytes)
    }),
    { numRuns: 300 }
  )
})

test('the order in which keys were set does not show', () => {
  assert.deepEqual(encodeCanonical({ b: 1, aa: 2, a: 3 }), encodeCanonical({ aa: 2, a: 3, b: 1 }))
  assert.equal(
    Buffer.from(encodeCanonical({ b: 1, aa: 2, a: 3 })).toString('hex'),
    'a3616103616201626161 02'.replace(' ', '')
  )
})

const refused: Record<string, string> = {
  'nothing at all': '',
  'a number longer than it needs to be': '18 01',
  'a length longer than it needs to be': '58 01 00',
  'a list with an open end': '9f 01 ff',
  'bytes with an open end': '5f 41 00 ff',
  'a map with an open end': 'bf 61 61 01 ff',
  'keys out of order': 'a2 61 62 01 61 61 02',
  'keys by alphabet and not by length': 'a2 62 61 61 01 61 62 02',
  'one key twice': 'a2 61 61 01 61 61 02',
  'a key that is a number': 'a1 01 02',
  'a whole number as a float': 'fb 3ff0000000000000',
  'a half float': 'f9 3e00',
  'a single float': 'fa 3fc00000',
  'not a number': 'fb 7ff8000000000000',
  infinity: 'fb 7ff0000000000000',
  'minus zero': 'fb 8000000000000000',
  undefined: 'f7',
  'a simple value': 'e0',
  'an unknown tag': 'c1 00',
  'a link that is no CID': 'd8 2a 43 00 01 02',
  'text that is no UTF-8': '61 ff',
  'more after the end': '01 01',
  'an end inside a list': '82 01',
  'an end inside bytes': '43 00',
  'a break alone': 'ff',
  'a reserved length': '1c',
  'a tag alone': 'd8 2a'
}

for (const [name, hex] of Object.entries(refused)) {
  test(`refused: ${name}`, () => {
    assert.throws(() => decode(fromHex(hex)), isInvalid)
  })
}

test('a key named __proto__ is a key like others', () => {
  const bytes = fromHex('a1 69 5f5f70726f746f5f5f a1 61 61 01')
  const value = decode(bytes) as object
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
  assert.deepEqual(encodeCanonical(value as CanonicalValue), bytes)
})

test('a length that lies costs neither memory nor time', () => {
  const lies = [
    '5bffffffffffffffff',
    '7b001fffffffffffff',
    '9bffffffffffffffff',
    'bbffffffffffffffff',
    '9affffffff',
    'baffffffff',
    '5a7fffffff',
    '9a0000ffff00'
  ]
  const before = process.memoryUsage().rss
  const start = performance.now()
  for (let i = 0; i < 2000; i++) for (const lie of lies) assert.throws(() => decode(fromHex(lie)), isInvalid)
  assert.ok(performance.now() - start < 5000)
  assert.ok(process.memoryUsage().rss - before < 200e6)
})

test('nesting beyond the limit is refused before the decoder recurses', () => {
  const nested = (depth: number, open: string) => fromHex(`${open.repeat(depth)}00`)
  assert.doesNotThrow(() => decode(nested(31, '81')))
  for (const open of ['81', 'a16161', 'd82a', '8100'.slice(0, 2)])
    for (const depth of [33, 1000, 20_000]) assert.throws(() => decode(nested(depth, open)), isInvalid)
})

test('input over the limit is refused unseen', () => {
  assert.throws(() => decodeCanonical(encodeCanonical('12345'), { sizeBytesMax: 5 }), isInvalid)
  assert.equal(decodeCanonical(encodeCanonical('1234'), { sizeBytesMax: 5 }), '1234')
})

test('whatever bytes come, the decoder answers with a value of these very bytes or refuses by name', () => {
  const link = cidOfObject(Uint8Array.of(1))
  const samples = [
    encodeCanonical([1, -1, 2 ** 40, 'text', Uint8Array.of(1, 2), null, true, { a: [link], bb: {} }]),
    encodeCanonical({ kind: 'x', list: [[[[]]]], link })
  ]
  refusesOnlyByName(bytes => assert.deepEqual(encodeCanonical(decode(bytes)), bytes), samples, 'ENCODING_INVALID', 4000)
})
