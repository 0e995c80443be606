import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { BlyanError } from '../../src/errors/index.ts'
import { createByteReader } from '../../src/tiles/byte-reader.ts'
import { parseNpyDictionary, readNpyHeader } from '../../src/tiles/npy.ts'
import { parseSafetensorsHeader } from '../../src/tiles/safetensors.ts'
import { collect, noiseBytes, npyFile, openStore, safetensorsFile, streamOf } from './support.ts'

const vector = (name: string) =>
  readFile(new URL(`../vectors/${name}`, import.meta.url)).then(file => new Uint8Array(file))

test('a .npy file comes back byte for byte, in whatever chunks it came', async t => {
  const { tensors } = await openStore(t)
  const files = [
    await vector('sample.npy'),
    npyFile([300, 1000], noiseBytes(1_200_000)),
    npyFile([7], noiseBytes(14), '<f2'),
    npyFile([0, 4], new Uint8Array())
  ]
  for (const [index, file] of files.entries()) {
    for (const chunkSizeBytes of [1000 + index, 262144, 5_000_000]) {
      const stored = await tensors.putStream({
        format: 'npy',
        name: `t${index}`,
        bytes: streamOf(file, chunkSizeBytes)
      })
      const exported = await tensors.export(stored.cid)
      assert.equal(exported.sizeBytes, file.length)
      assert.equal(exported.format, 'npy')
      assert.deepEqual(await collect(exported.bytes), file)
    }
  }
  assert.equal(tensors.list().length, files.length)
})

test('a .safetensors file becomes one tensor for each of its own and comes back byte for byte', async t => {
  const { tensors } = await openStore(t)
  const file = await vector('sample.safetensors')
  const stored = await tensors.putStream({ format: 'safetensors', name: 'tiny', bytes: streamOf(file, 13) })
  assert.equal(stored.kind, 'bundle')
  assert.equal(stored.dtype, 'bundle')
  assert.deepEqual(
    stored.tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    [
      { name: 'a', dtype: 'fp32', shape: [2, 3] },
      { name: 'b', dtype: 'bf16', shape: [4] },
      { name: 'empty', dtype: 'fp16', shape: [0] },
      { name: 'c', dtype: 'fp8', shape: [] }
    ]
  )
  const exported = await tensors.export(stored.cid)
  assert.equal(exported.fileName, 'tiny.safetensors')
  assert.deepEqual(await collect(exported.bytes), file)
  assert.deepEqual(await tensors.verify(stored.cid), { valid: true, leavesChecked: 7 })
})

test('a TensorBlock can be taken to another machine as a file', async t => {
  const [here, there] = [await openStore(t), await openStore(t)]
  const file = npyFile([100], noiseBytes(400))
  const { cid } = await here.tensors.putStream({ format: 'npy', name: 'x', bytes: streamOf(file) })
  const taken = await collect((await here.tensors.export(cid, { format: 'tblock' })).bytes)
  const arrived = await there.tensors.putStream({ format: 'tblock', name: '', bytes: streamOf(taken, 999) })
  assert.equal(arrived.cid, cid)
  assert.deepEqual(await collect((await there.tensors.export(cid)).bytes), file)
  const longer = new Uint8Array([...taken, 0])
  const refused = there.tensors.putStream({ format: 'tblock', name: '', bytes: streamOf(longer) })
  await assert.rejects(refused, { code: 'TENSOR_FORMAT_INVALID' })
})

test('random arrays survive import and export, as .npy and as .safetensors', async t => {
  const { tensors } = await openStore(t)
  const shapes = fc.array(fc.nat(9), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(fc.array(shapes, { maxLength: 4 }), fc.integer({ min: 1, max: 700 }), async (list, chunk) => {
      const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
      let position = 0
      for (const [index, shape] of list.entries()) {
        const end = position + shape.reduce((a, b) => a * b, 2)
        header[`t${index}`] = { dtype: 'F16', shape, data_offsets: [position, end] }
        position = end
      }
      const file = safetensorsFile(header, noiseBytes(position, chunk))
      const stored = await tensors.putStream({ format: 'safetensors', name: 'm', bytes: streamOf(file, chunk) })
      assert.deepEqual(await collect((await tensors.export(stored.cid)).bytes), file)
    }),
    { numRuns: 15 }
  )
})

const liars: Record<string, { header: unknown; data?: number; code?: string }> = {
  'two tensors overlap': {
    header: { a: entry('I8', [4], 0, 4), b: entry('I8', [4], 2, 6) },
    data: 6
  },
  'there is a hole': { header: { a: entry('I8', [4], 0, 4), b: entry('I8', [4], 6, 10) }, data: 10 },
  'the first tensor does not start at zero': { header: { a: entry('I8', [4], 4, 8) }, data: 8 },
  'offsets lie beyond the file': { header: { a: entry('I8', [4000], 0, 4000) }, data: 4 },
  'something follows the data': { header: { a: entry('I8', [4], 0, 4) }, data: 5 },
  'size and shape disagree': { header: { a: entry('F32', [4], 0, 4) }, data: 4 },
  'a tensor ends before it begins': { header: { a: entry('I8', [4], 4, 0) }, data: 4 },
  'a dimension is negative': { header: { a: entry('I8', [-4], 0, 4) }, data: 4 },
  'a dimension is no integer': { header: { a: entry('I8', [0.5, 8], 0, 4) }, data: 4 },
  'a shape overflows': { header: { a: entry('I8', [2 ** 40, 2 ** 40], 0, 4) }, data: 4 },
  'a dtype is unknown': { header: { a: entry('F64', [1], 0, 8) }, data: 8, code: 'TENSOR_DTYPE_UNSUPPORTED' },
  'a name is given twice': {
    header:
      '{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}',
    data: 1
  },
  'a field is unknown': { header: { a: { ...entry('I8', [1], 0, 1), extra: 1 } }, data: 1 },
  'metadata is no text': { header: { __metadata__: { a: 1 } } },
  'the header is no JSON': { header: '{"a":' },
  'the header is a list': { header: '[]' },
  'the header starts with a space': { header: ' {}' },
  'the header is nested a thousand times': { header: `{"a":${'['.repeat(5000)}` }
}

function entry(dtype: string, shape: number[], begin: number, end: number) {
  return { dtype, shape, data_offsets: [begin, end] }
}

for (const [what, { header, data = 0, code = 'TENSOR_FORMAT_INVALID' }] of Object.entries(liars)) {
  test(`a .safetensors file is refused where ${what}, and leaves nothing behind`, async t => {
    const { tensors, blockstore } = await openStore(t)
    const bytes = streamOf(safetensorsFile(header, new Uint8Array(data)))
    await assert.rejects(tensors.putStream({ format: 'safetensors', name: 'x', bytes }), { code })
    assert.deepEqual(await blockstore.files.names(), [])
    assert.deepEqual(tensors.listBundles(), [])
  })
}

test('a .safetensors file that claims a huge header is refused before it is read', async t => {
  const { tensors } = await openStore(t)
  const bytes = streamOf(new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x7b]))
  const refused = tensors.putStream({ format: 'safetensors', name: 'x', bytes })
  await assert.rejects(refused, { code: 'TENSOR_TOO_LARGE' })
})

test('every truncation of a .safetensors or .npy file is refused', async t => {
  const { tensors } = await openStore(t)
  for (const format of ['npy', 'safetensors'] as const) {
    const file = await vector(`sample.${format}`)
    for (let length = 0; length < file.length; length += 7) {
      const bytes = streamOf(file.subarray(0, length))
      await assert.rejects(tensors.putStream({ format, name: 'x', bytes }), BlyanError)
    }
  }
  assert.deepEqual(tensors.list(), [])
})

test('an array NumPy wrote in Fortran order or in an unknown dtype is refused by name', () => {
  const header = (descr: string, order: string) => `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': (2, 3), }`
  assert.throws(() => parseNpyDictionary('x', header("'<f4'", 'True')), { code: 'TENSOR_FORTRAN_ORDER' })
  for (const descr of ["'>f4'", "'<f8'", "'|b1'", "[('a', '<f4')]"]) {
    assert.throws(() => parseNpyDictionary('x', header(descr, 'False')), { code: 'TENSOR_DTYPE_UNSUPPORTED' })
  }
  assert.deepEqual(parseNpyDictionary('x', header("'<f4'", 'False')), { dtype: 'fp32', shape: [2, 3] })
})

test('headers at random only ever fail with a named error', async () => {
  const words = fc.constantFrom(
    '{',
    '}',
    "'descr'",
    ':',
    "'<f4'",
    ',',
    '(',
    ')',
    '3',
    "'shape'",
    'False',
    '"a"',
    '[',
    ']'
  )
  const texts = fc.oneof(
    fc.array(words, { maxLength: 30 }).map(list => list.join('')),
    fc.string({ maxLength: 200 })
  )
  await fc.assert(
    fc.asyncProperty(texts, async text => {
      const bytes = new Uint8Array(Buffer.from(text))
      onlyNamedErrors(() => parseNpyDictionary('x', text))
      onlyNamedErrors(() => parseSafetensorsHeader(bytes))
      const file = new Uint8Array(Buffer.concat([Buffer.from('\x93NUMPY\x01\0', 'latin1'), bytes]))
      await assert.rejects(readNpyHeader('x', createByteReader('npy', streamOf(file))), BlyanError)
    }),
    { numRuns: 500 }
  )
})

function onlyNamedErrors(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    assert.ok(error instanceof BlyanError, String(error))
  }
}
