import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as dagCbor from '@ipld/dag-cbor'
import fc from 'fast-check'
import { type CanonicalValue, cidOfObject, decodeCanonical, encodeCanonical, rawCid } from '../../src/codec/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { arbitraryDamage } from './fuzz.ts'

const limits = { sizeBytesMax: 1 << 20 }
const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const link = cidOfObject(Uint8Array.of(1))

/** What acceptance means: the library reads it, and writes the same bytes again. */
function byTheLibrary(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    const value: unknown = dagCbor.decode(bytes)
    return Buffer.compare(dagCbor.encode(value), bytes) === 0 ? { value } : undefined
  } catch {
    return undefined
  }
}

function byUs(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: decodeCanonical(bytes, limits) }
  } catch (error) {
    assert.ok(isBlyanError(error, 'ENCODING_INVALID'), String(error))
    return undefined
  }
}

function agrees(bytes: Uint8Array): void {
  assert.deepEqual(byUs(bytes), byTheLibrary(bytes), Buffer.from(bytes).toString('hex'))
}

const awkwardKeys = [
  '',
  '/',
  'bytes',
  'asCID',
  'constructor',
  '__proto__',
  'toString',
  'length',
  '1',
  '10',
  'ä',
  '€',
  '😀'
]
const { value: arbitraryValue } = fc.letrec<{ value: CanonicalValue }>(tie => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.nat({ max: 300 }),
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(link, rawCid(new Uint8Array(32))),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...awkwardKeys), fc.string({ unit: 'grapheme' })), tie('value'), {
      maxKeys: 6,
      noNullPrototype: true
    })
  )
}))

/** Written with no care for form: any width of number, keys in any order, tags, floats, breaks. */
const { item: arbitraryItem } = fc.letrec<{ item: number[] }>(tie => ({
  item: fc.oneof(
    { maxDepth: 4 },
    fc.tuple(fc.constantFrom(0, 1), fc.nat({ max: 70_000 }), fc.constantFrom(0, 1, 2, 4, 8)).map(headOf),
    fc.constantFrom(...[0xe0, 0xf4, 0xf5, 0xf6, 0xf7, 0xff, 0x1c, 0x9f, 0xbf].map(byte => [byte])),
    fc.double().map(float => [0xfb, ...new Uint8Array(new Float64Array([float]).buffer).reverse()]),
    fc.float().map(float => [0xfa, ...new Uint8Array(new Float32Array([float]).buffer).reverse()]),
    fc
      .tuple(fc.constantFrom(2, 3), fc.uint8Array({ maxLength: 30 }), fc.constantFrom(0, 0, 0, 1, 2, 8))
      .map(([major, bytes, width]) => [...headOf([major, bytes.length, width]), ...bytes]),
    fc
      .tuple(fc.string({ unit: 'grapheme', maxLength: 30 }), fc.constantFrom('', '\uFEFF'))
      .map(([text, mark]) => [...encodeCanonical(mark + text)]),
    fc.tuple(fc.array(tie('item'), { maxLength: 5 }), fc.constantFrom(0, 0, 0, 1)).map(([items, width]) => {
      return [...headOf([4, items.length, width]), ...items.flat()]
    }),
    fc
      .array(fc.tuple(fc.oneof(fc.constantFrom('a', 'b', 'aa', '/', 'bytes'), fc.string()), tie('item')), {
        maxLength: 4
      })
      .map(entries => [
        ...headOf([5, entries.length, 0]),
        ...entries.flatMap(([key, item]) => [...encodeCanonical(key), ...item])
      ]),
    fc
      .tuple(fc.constantFrom(42, 1, 300), fc.constantFrom(0, 1), fc.constantFrom<number[]>([], [0]), tie('item'))
      .map(([tag, width, zero, item]) => [...headOf([6, tag, tag < 24 ? width : width || 1]), ...zero, ...item]),
    fc.constantFrom<number[]>([...encodeCanonical(link)], [...encodeCanonical(rawCid(new Uint8Array(32)))])
  )
}))

/** A first byte and its number, in as many bytes as asked or needed. */
function headOf([major, number, width]: [number, number, number]): number[] {
  const needed = number < 24 ? 0 : number < 256 ? 1 : number < 65_536 ? 2 : 4
  const sizeBytes = Math.max(width, needed)
  if (sizeBytes === 0) return [(major << 5) | number]
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number))
  return [(major << 5) | (24 + Math.log2(sizeBytes)), ...bytes.subarray(8 - sizeBytes)]
}

test('values that the library writes are read as the library reads them', () => {
  fc.assert(
    fc.property(arbitraryValue, value => {
      let bytes: Uint8Array
      try {
        bytes = encodeCanonical(value)
      } catch {
        return fc.pre(false)
      }
      agrees(bytes)
    }),
    { numRuns: 1000 }
  )
})

test('bytes of any form are accepted when the library would write them, and only then', () => {
  let accepted = 0
  fc.assert(
    fc.property(arbitraryItem, item => {
      const bytes = Uint8Array.from(item)
      agrees(bytes)
      if (byUs(bytes) !== undefined) accepted++
    }),
    { numRuns: 4000 }
  )
  assert.ok(accepted > 300, `${accepted} were accepted`)
})

test('damaged objects and bytes that are none are judged as the library judges them', () => {
  const samples = [
    encodeCanonical([1, -1, 2 ** 40, 2 ** 53 - 1, 'text', 'größer', Uint8Array.of(1, 2), null, true, 0.5, link]),
    encodeCanonical({ kind: 'x', list: [[[[]]], {}], link, bb: { a: 1, b: 2, aa: 3 } }),
    encodeCanonical([-(2n ** 53n), 2n ** 63n, -(2n ** 64n), 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32])
  ]
  fc.assert(fc.property(arbitraryDamage(samples), agrees), { numRuns: 4000 })
})

const awkward: Record<string, string> = {
  'a map that the library takes for a link': 'a2 61 2f 61 61 65 6279746573 61 61',
  'the same with nothing in it': 'a2 61 2f f6 65 6279746573 f6',
  'a link of another version': 'd8 2a 58 23 00 1220 0000000000000000000000000000000000000000000000000000000000000000',
  'a short link': 'd8 2a 47 00 01 55 00 02 6869',
  'a link with a long version': 'd8 2a 48 00 8100 55 00 02 6869',
  'a link with more behind it': 'd8 2a 48 00 01 55 00 02 686900',
  'a link in a list of bytes': 'd8 2a 82 00 01',
  'a tag in more bytes than it needs': 'd9 002a 47 00 01 55 00 02 6869',
  'a large tag': 'db ffffffffffffffff 00',
  'a byte order mark': '64 efbbbf 61',
  'a byte order mark in the middle': '64 61 efbbbf',
  'half of a pair': '63 eda080',
  'the lowest safe integer': '3b 001ffffffffffffe',
  'one below it': '3b 001fffffffffffff',
  'the highest safe integer': '1b 001fffffffffffff',
  'one above it': '1b 0020000000000000',
  'the largest number': '1b ffffffffffffffff',
  'a large whole float': 'fb 4340000000000000',
  'the smallest float': 'fb 0000000000000001'
}

for (const [name, hex] of Object.entries(awkward)) test(`as the library has it: ${name}`, () => agrees(fromHex(hex)))

test('bytes and links are copies: what is kept does not keep the message it came in', () => {
  const bytes = encodeCanonical([Uint8Array.of(7, 7), link])
  for (const input of [bytes, Buffer.from(bytes)]) {
    const [part, cid] = decodeCanonical(input, limits) as [Uint8Array, typeof link]
    assert.equal(part.buffer.byteLength, 2)
    assert.equal(Object.getPrototypeOf(part), Uint8Array.prototype)
    assert.ok(cid.bytes.buffer.byteLength < 64)
  }
})

test('a limit on items is a limit on items, and there is one without asking', () => {
  const list = encodeCanonical([1, [2], { a: 3 }])
  const isInvalid = (error: unknown) => isBlyanError(error, 'ENCODING_INVALID')
  assert.doesNotThrow(() => decodeCanonical(list, { ...limits, itemsMax: 7 }))
  assert.throws(() => decodeCanonical(list, { ...limits, itemsMax: 6 }), isInvalid)
  const many = encodeCanonical(new Array(140_000).fill(0))
  assert.throws(() => decodeCanonical(many, limits), isInvalid)
  assert.doesNotThrow(() => decodeCanonical(many, { ...limits, itemsMax: 200_000 }))
})
