import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { type CodecName, codecNames } from '../../../src/tiles/maths/codecs/codec.ts'
import { codecNamed } from '../../../src/tiles/maths/codecs/codec-list.ts'
import { type DeltaFileHeader, openDeltaFile, packDeltaFile } from '../../../src/tiles/maths/delta-file.ts'
import { encodeWithFeedback } from '../../../src/tiles/maths/error-feedback.ts'
import type { TileLayout } from '../../../src/tiles/maths/tile-layout.ts'
import { digestOfValues } from '../../../src/tiles/maths/value-digest.ts'

/** Written by make-codecs.ts, and decoded by decode_codecs.py with nothing but docs/protocol.md. */
type Vectors = {
  layout: TileLayout
  valuesHex: [string, string]
  codecs: { name: CodecName; id: number; sizeBytesMax: number; rounds: { bytesHex: string; decodedDigest: string }[] }[]
  file: { header: DeltaFileHeader; parts: string[]; fileHex: string }
}
const path = new URL('../../vectors/codecs/codecs.json', import.meta.url)
const { layout, valuesHex, codecs, file }: Vectors = JSON.parse(await readFile(path, 'utf8'))
const deltas = valuesHex.map(hex => new Float32Array(Uint8Array.from(Buffer.from(hex, 'hex')).buffer))
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('there is a vector for every codec', () => {
  assert.deepEqual(
    codecs.map(({ name }) => name),
    codecNames
  )
})

for (const { name, id, sizeBytesMax, rounds } of codecs) {
  test(`${name} encodes and decodes as on every machine, with and without feedback`, () => {
    const codec = codecNamed(name)
    assert.equal(codec.id, id)
    assert.equal(codec.sizeBytesMax(layout), sizeBytesMax)
    const first = encodeWithFeedback(codec, deltas[0]!, layout, undefined)
    const second = encodeWithFeedback(codec, deltas[1]!, layout, first.feedback)
    const made = [first, second].map(({ bytes, decoded }) => ({
      bytesHex: hexOf(bytes),
      decodedDigest: hexOf(digestOfValues(decoded))
    }))
    assert.deepEqual(made, rounds)
  })
}

test('a delta file has the same bytes everywhere and is read from them', () => {
  const bytes = new Uint8Array(Buffer.from(file.fileHex, 'hex'))
  const expected = {
    network: file.header.network,
    model: file.header.model,
    partOf: () => ({ tensor: 'bafybase', layouts: [layout] }),
    sizeBytesMax: bytes.length
  }
  const opened = openDeltaFile(bytes, expected)
  assert.deepEqual(opened.header, file.header)
  assert.deepEqual(opened.parts, file.parts)
  const frames = opened.parts.flatMap(part => opened.framesOf(part))
  for (const [at, part] of opened.parts.entries()) {
    assert.deepEqual(digestOfValues(opened.decode(part)).subarray(0, 16), frames[at]!.decodedDigest)
  }
  assert.deepEqual(packDeltaFile(opened.header, frames), bytes)
})
