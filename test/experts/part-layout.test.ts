import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeCanonical, encodeCanonical } from '../../src/codec/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import {
  type ArchitectureV2,
  cutsOf,
  describeModel,
  packPart,
  parseArchitecture,
  sliceOf,
  unpackSlice
} from '../../src/experts/index.ts'
import { packedArchitecture } from './packed-model.ts'

const everything: ArchitectureV2 = {
  ...packedArchitecture,
  precision: 'int8',
  attentionBias: true,
  queryKeyNorm: 'projection',
  clipQueryKeyValue: '8.5',
  slidingWindow: 4096,
  sharedExpertWidth: 28,
  denseLayers: [1],
  denseWidth: 9000
}

test('an architecture of the second family passes through a chain and is read as it was', () => {
  for (const architecture of [packedArchitecture, everything]) {
    const onChain = decodeCanonical(encodeCanonical(JSON.parse(JSON.stringify(architecture))), { sizeBytesMax: 4096 })
    assert.deepEqual(parseArchitecture(onChain), architecture)
  }
})

test('an architecture of the second family is checked field by field', () => {
  const good = everything
  const bad: [string, unknown][] = [
    ['family', { ...good, family: 'blyan-moe/3' }],
    ['tiedOutput', { ...good, tiedOutput: true }],
    ['vocabulary', { ...good, vocabulary: 1 }],
    ['contextTokens', { ...good, contextTokens: 1_048_577 }],
    ['precision', { ...good, precision: 'int4' }],
    ['attentionBias', { ...good, attentionBias: 1 }],
    ['queryKeyNorm', { ...good, queryKeyNorm: null }],
    ['clipQueryKeyValue', { ...good, clipQueryKeyValue: 8.5 }],
    ['clipQueryKeyValue', { ...good, clipQueryKeyValue: '0' }],
    ['clipQueryKeyValue', { ...good, clipQueryKeyValue: '8.50' }],
    ['slidingWindow', { ...good, slidingWindow: 0 }],
    ['sharedExpertWidth', { ...good, sharedExpertWidth: 4 }],
    ['denseLayers', { ...good, denseLayers: [2] }],
    ['denseLayers', { ...good, denseLayers: [1, 1] }],
    ['denseLayers', { ...good, denseLayers: { 0: 1 } }],
    ['denseWidth', { ...good, denseLayers: [] }],
    ['denseWidth', { ...good, denseWidth: 0 }],
    ['tokenizer', { ...good, tokenizer: 'words' }],
    ['bytes', { ...good, tokenizer: 'bytes', vocabulary: 255 }],
    ['layers x experts', { ...good, layers: 256, experts: 4096 }],
    ['heads', { ...good, keyValueHeads: 4 }],
    ['headWidth', { ...good, headWidth: 7 }],
    ['surprise', { ...good, surprise: 1 }]
  ]
  for (const [name, record] of bad) {
    assert.throws(
      () => parseArchitecture(record),
      error => isBlyanError(error, 'ARCHITECTURE_INVALID') && error.message.includes(name),
      name
    )
  }
})

test('parts come in one order, and a dense layer has no router and no experts', () => {
  const names = describeModel(everything).map(part => part.name)
  assert.deepEqual(names, [
    'embedding',
    'output',
    'layer0.attention',
    'layer0.router',
    ...[0, 1, 2, 3, 4].map(expert => `layer0.expert${expert}`),
    'layer0.shared',
    'layer1.attention',
    'layer1.dense'
  ])
})

test('slices lie one after the other at multiples of 64 bytes, and a router is fp32 in any model', () => {
  for (const architecture of [packedArchitecture, everything]) {
    for (const part of describeModel(architecture)) {
      let endBytes = 0
      for (const slice of part.slices) {
        const values = slice.shape.reduce((product, extent) => product * extent, 1)
        assert.equal(slice.lengthBytes, values * (slice.dtype === 'fp32' ? 4 : 1))
        assert.equal(slice.offsetBytes, Math.ceil(endBytes / 64) * 64)
        endBytes = slice.offsetBytes + slice.lengthBytes
      }
      assert.equal(part.dataLengthBytes, endBytes)
      assert.deepEqual(part.shape, [part.dtype === 'fp32' ? endBytes / 4 : endBytes])
      assert.equal(part.dtype, part.blockType === 'router' ? 'fp32' : architecture.precision)
    }
  }
})

test('an int8 matrix of many outputs is cut, and the layout is the one that is written down', () => {
  const dense = describeModel(everything).at(-1)!
  assert.deepEqual(
    cutsOf(dense, 'gate').map(({ matrix, scales }) => [matrix.name, matrix.shape, scales!.name, scales!.shape]),
    [
      ['gate.0', [24, 8192], 'gate.0.scales', [8192]],
      ['gate.1', [24, 808], 'gate.1.scales', [808]]
    ]
  )
  assert.deepEqual(
    cutsOf(dense, 'down').map(({ matrix }) => [matrix.name, matrix.shape, matrix.orientation]),
    [['down', [9000, 24], 'inOut']]
  )
  const attention = describeModel(everything).find(part => part.name === 'layer0.attention')!
  const offsets = Object.fromEntries(attention.slices.map(slice => [slice.name, slice.offsetBytes]))
  assert.deepEqual(offsets, {
    query: 0,
    'query.scales': 1152,
    key: 1344,
    'key.scales': 1920,
    value: 2048,
    'value.scales': 2624,
    output: 2752,
    'output.scales': 3904,
    queryBias: 4032,
    keyBias: 4224,
    valueBias: 4352,
    queryNorm: 4480,
    keyNorm: 4672,
    attentionNorm: 4800,
    expertsNorm: 4928
  })
  assert.throws(() => cutsOf(dense, 'router'), RangeError)
  assert.throws(() => sliceOf(dense, 'gate'), RangeError)
})

test('what is packed is unpacked, with zeros between', () => {
  const part = describeModel(everything).find(({ name }) => name === 'layer0.shared')!
  fc.assert(
    fc.property(fc.infiniteStream(fc.integer({ min: 1, max: 255 })), stream => {
      const slices = new Map(
        part.slices.map(({ name, lengthBytes }) => [name, new Uint8Array(lengthBytes).fill(stream.next().value!)])
      )
      const data = packPart(part, slices)
      for (const slice of part.slices) assert.deepEqual(unpackSlice(data, slice), slices.get(slice.name))
      const filled = part.slices.reduce((sum, slice) => sum + slice.lengthBytes, 0)
      assert.equal(data.filter(byte => byte !== 0).length, filled)
    })
  )
  const short = new Map(part.slices.map(({ name, lengthBytes }) => [name, new Uint8Array(lengthBytes - 1)]))
  assert.throws(() => packPart(part, short), RangeError)
  assert.throws(() => packPart(part, new Map()), RangeError)
})
