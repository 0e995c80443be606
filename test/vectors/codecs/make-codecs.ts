// Writes codecs.json with the code under test. Run by hand when a format changes, then let decode_codecs.py, which shares no
// code with src/, say whether the file is what docs/protocol.md describes:
// node test/vectors/codecs/make-codecs.ts && python3 test/vectors/codecs/decode_codecs.py
import { writeFileSync } from 'node:fs'
import {
  codecNamed,
  codecNames,
  digestOfValues,
  encodeWithFeedback,
  packDeltaFile,
  tileLayouts
} from '../../../src/tiles/index.ts'
import { learnt, noise } from '../../tiles/maths/support.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const valueBytes = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer)

const [layout] = tileLayouts(
  [
    { offset: 0, rows: 66, columns: 65 },
    { offset: 4290, rows: 128, columns: 12 }
  ],
  5861
)
const delta = noise(layout!.length, 11, 1e-4)
delta.set(learnt({ rows: 66, columns: 65 }, 12))
delta.set(learnt({ rows: 128, columns: 12 }, 13), 4290)
const second = delta.map((value, at) => (at % 3 === 0 ? -value : value * 0.5))

const codecs = codecNames.map(name => {
  const codec = codecNamed(name)
  const first = encodeWithFeedback(codec, delta, layout!, undefined)
  const next = encodeWithFeedback(codec, second, layout!, first.feedback)
  const rounds = [first, next].map(({ bytes, decoded }) => ({
    bytesHex: hex(bytes),
    decodedDigest: hex(digestOfValues(decoded))
  }))
  return { name, id: codec.id, sizeBytesMax: codec.sizeBytesMax(layout!), rounds }
})

const header = {
  network: 'bafyreigenesis',
  model: 'blyan',
  kind: 'update',
  round: 7,
  baseRound: 6,
  codec: 'int8',
  steps: 30,
  tokens: 2 ** 40,
  author: 'account'
} as const
const frames = (['lr8+k32', 'int8'] as const).map((name, at) => {
  const { bytes, decoded } = encodeWithFeedback(codecNamed(name), delta, layout!, undefined)
  const part = `layer${at}.attention`
  return { part, tile: 0, base: 'bafybase', length: delta.length, codec: name, bytes, decodedDigest: digestOfValues(decoded) }
})
const file = { header, parts: frames.map(({ part }) => part), fileHex: hex(packDeltaFile(header, frames)) }

const vectors = { layout, valuesHex: [hex(valueBytes(delta)), hex(valueBytes(second))], codecs, file }
writeFileSync(new URL('./codecs.json', import.meta.url), `${JSON.stringify(vectors, null, 1)}\n`)
