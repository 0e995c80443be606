import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeCanonical, sha256 } from '../../../src/codec/index.ts'
import { type ErrorCode, isBlyanError } from '../../../src/errors/index.ts'
import type { CodecName } from '../../../src/tiles/maths/codecs/codec.ts'
import { codecNamed } from '../../../src/tiles/maths/codecs/codec-list.ts'
import {
  type DeltaFileHeader,
  type DeltaFrame,
  type ExpectedDelta,
  openDeltaFile,
  packDeltaFile,
  readDeltaHeader
} from '../../../src/tiles/maths/delta-file.ts'
import { type TileLayout, tileElements, tileLayouts } from '../../../src/tiles/maths/tile-layout.ts'
import { digestOfValues } from '../../../src/tiles/maths/value-digest.ts'
import { noise, smallDelta, smallLayout } from './support.ts'

const header: DeltaFileHeader = {
  network: 'bafygenesis',
  model: 'blyan',
  kind: 'delta',
  round: 12,
  baseRound: 11,
  codec: 'lr8+k32',
  steps: 30,
  tokens: 61440,
  author: 'account'
}
/** A part of two tiles: the first whole, the second of 5 values. */
const wide = tileLayouts([{ offset: 0, rows: 1024, columns: 1024 }], tileElements + 5)
const wideValues = noise(tileElements + 5, 3, 1e-3)
const values = new Map([
  ['layer0.attention', [smallDelta(1)]],
  ['layer0.router', [noise(40, 2, 1e-3)]],
  ['layer1.expert0', [wideValues.subarray(0, tileElements), wideValues.subarray(tileElements)]]
])
const layouts = new Map<string, readonly TileLayout[]>([
  ['layer0.attention', [smallLayout]],
  ['layer0.router', tileLayouts([], 40)],
  ['layer1.expert0', wide]
])
const codecs: Readonly<Record<string, CodecName>> = {
  'layer0.attention': 'lr8+k32',
  'layer0.router': 'int8',
  'layer1.expert0': 'k64-2b-rice'
}

function framesOf(parts: Iterable<string> = values.keys()): DeltaFrame[] {
  return [...parts].flatMap(part =>
    values.get(part)!.map((delta, tile) => {
      const codec = codecNamed(codecs[part]!)
      const layout = layouts.get(part)![tile]!
      const { bytes } = codec.encode(delta, layout)
      const decodedDigest = digestOfValues(codec.decode(bytes, layout))
      return { part, tile, base: `base of ${part}`, length: layout.length, codec: codec.name, bytes, decodedDigest }
    })
  )
}

const expected: ExpectedDelta = {
  network: header.network,
  model: header.model,
  round: header.round,
  partOf: name => {
    const known = layouts.get(name)
    return known === undefined ? undefined : { tensor: `base of ${name}`, layouts: known }
  },
  sizeBytesMax: 1_000_000
}
const frames = framesOf()
const file = packDeltaFile(header, frames)
const small = packDeltaFile(header, framesOf(['layer0.attention', 'layer0.router']))

test('what was packed is opened again: header, parts, and the values that each frame says', () => {
  const opened = openDeltaFile(file, expected)
  assert.deepEqual(opened.header, header)
  assert.deepEqual(opened.parts, ['layer0.attention', 'layer0.router', 'layer1.expert0'])
  assert.equal(opened.sizeBytes, file.length)
  assert.deepEqual(
    opened.framesOf('layer1.expert0').map(({ bytes }) => bytes.length),
    [frames[2]!.bytes.length, frames[3]!.bytes.length]
  )
  const decoded = opened.decode('layer1.expert0')
  assert.equal(decoded.length, tileElements + 5)
  assert.deepEqual(decoded.subarray(tileElements), codecNamed('k64-2b-rice').decode(frames[3]!.bytes, wide[1]!))
  assert.throws(() => opened.decode('layer0.expert7'), RangeError)
})

test('the same frames in any order are the same file', () => {
  assert.deepEqual(packDeltaFile(header, frames.toReversed()), file)
})

test('a header is read from the first 4 KiB, and nothing else is one', () => {
  assert.deepEqual(readDeltaHeader(file.subarray(0, 4096)), header)
  for (const bytes of [new Uint8Array(), new Uint8Array(4096), file.subarray(1), file.subarray(0, 100)]) {
    assert.equal(readDeltaHeader(bytes), undefined)
  }
})

test('a file for another network, model, round, base or shape is refused by name', () => {
  throwsCode(() => openDeltaFile(file, { ...expected, network: 'bafyother' }), 'DELTA_FOREIGN_NETWORK')
  throwsCode(() => openDeltaFile(file, { ...expected, model: 'other' }), 'DELTA_INVALID')
  throwsCode(() => openDeltaFile(file, { ...expected, round: 13 }), 'DELTA_INVALID')
  const otherBase = (name: string) => ({ tensor: 'newer', layouts: layouts.get(name)! })
  throwsCode(() => openDeltaFile(file, { ...expected, partOf: otherBase }), 'DELTA_BASE_WRONG')
  throwsCode(() => openDeltaFile(file, { ...expected, partOf: () => undefined }), 'DELTA_SHAPE_WRONG')
  const otherShape = (name: string) => ({ tensor: `base of ${name}`, layouts: tileLayouts([], 39) })
  throwsCode(() => openDeltaFile(file, { ...expected, partOf: otherShape }), 'DELTA_SHAPE_WRONG')
  openDeltaFile(file, { ...expected, round: undefined })
})

test('a file above its limit is refused before it is read', () => {
  const junk = new Uint8Array(10 * expected.sizeBytesMax)
  throwsCode(() => openDeltaFile(junk, expected), 'DELTA_TOO_LARGE')
  throwsCode(() => openDeltaFile(file, { ...expected, sizeBytesMax: file.length - 1 }), 'DELTA_TOO_LARGE')
  openDeltaFile(file, { ...expected, sizeBytesMax: file.length })
})

test('a part that lacks a tile, and a frame larger than its codec ever writes, are refused', () => {
  const without = packDeltaFile(header, frames.slice(0, 3))
  throwsCode(() => openDeltaFile(without, expected), 'DELTA_SHAPE_WRONG')
  const router = frames[1]!
  const padded = packDeltaFile(header, [{ ...router, bytes: new Uint8Array(router.bytes.length + 1) }])
  throwsCode(() => openDeltaFile(padded, expected), 'DELTA_INVALID')
})

test('a frame that decodes to something else than it says is refused when it is decoded', () => {
  const [attention, router] = frames
  const lying = packDeltaFile(header, [{ ...attention!, decodedDigest: router!.decodedDigest }, router!])
  const opened = openDeltaFile(lying, expected)
  throwsCode(() => opened.decode('layer0.attention'), 'DELTA_INVALID')
  assert.equal(opened.decode('layer0.router').length, 40)
})

test('lists that lie about themselves are refused', () => {
  const tag = sha256(Buffer.from('base of layer0.router')).slice(0, 8)
  const row = ['layer0.router', 0, tag, 40, 1, 42, new Uint8Array(16)]
  const wrong: [string, unknown][] = [
    ['no frames', []],
    [
      'not sorted',
      [
        ['b', ...row.slice(1)],
        ['a', ...row.slice(1)]
      ]
    ],
    ['twice', [row, row]],
    ['negative size', [[...row.slice(0, 5), -1, row[6]]]],
    ['a huge size', [[...row.slice(0, 5), 2 ** 40, row[6]]]],
    ['an empty tile', [[...row.slice(0, 3), 0, ...row.slice(4)]]],
    ['more than a tile', [[...row.slice(0, 3), tileElements + 1, ...row.slice(4)]]],
    ['an unknown codec', [[...row.slice(0, 4), 99, ...row.slice(5)]]],
    ['a short digest', [[...row.slice(0, 6), new Uint8Array(15)]]],
    ['a long name', [['x'.repeat(201), ...row.slice(1)]]],
    ['no list', 7]
  ]
  for (const [what, rows] of wrong) {
    throwsCode(() => openDeltaFile(assemble(rows, 42), { ...expected }), 'DELTA_INVALID', what)
  }
  openDeltaFile(assemble([row], 42), expected)
})

test('no change of bytes does anything but a refusal with a code, or leaves numbers', () => {
  const codes: readonly ErrorCode[] = [
    'DELTA_INVALID',
    'DELTA_FOREIGN_NETWORK',
    'DELTA_BASE_WRONG',
    'DELTA_SHAPE_WRONG'
  ]
  const change = fc.array(fc.tuple(fc.nat(small.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(change, fc.nat(small.length), (changes, cut) => {
      const changed = Uint8Array.from(small)
      for (const [at, value] of changes) changed[at] = value
      for (const bytes of [changed, changed.subarray(0, cut)]) {
        try {
          const opened = openDeltaFile(bytes, expected)
          for (const part of opened.parts) assert.ok(opened.decode(part).every(Number.isFinite))
        } catch (error) {
          assert.ok(
            codes.some(code => isBlyanError(error, code)),
            String(error)
          )
        }
      }
    }),
    { numRuns: 100 }
  )
})

/** A file around rows that `packDeltaFile` would not write. */
function assemble(rows: unknown, frameBytes: number): Uint8Array {
  const head = encodeCanonical({ ...header, codec: 6 })
  const list = encodeCanonical(rows as never)
  const bytes = new Uint8Array(20 + head.length + list.length + frameBytes)
  const view = new DataView(bytes.buffer)
  bytes.set(Buffer.from('BLYDELTA'))
  view.setUint32(8, 1, true)
  view.setUint32(12, head.length, true)
  view.setUint32(16, list.length, true)
  bytes.set(head, 20)
  bytes.set(list, 20 + head.length)
  return bytes
}

function throwsCode(run: () => unknown, code: ErrorCode, what?: string): void {
  assert.throws(run, error => isBlyanError(error, code) || assert.fail(`${what ?? ''} ${error}`))
}
