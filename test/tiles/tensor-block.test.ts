import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { CID } from '../../src/codec/index.ts'
import { BlyanError } from '../../src/errors/index.ts'
import { cidOfTensor, type DataType } from '../../src/tiles/index.ts'
import { decodeHeaderRegion, encodeHeaderRegion } from '../../src/tiles/tensor-block.ts'
import { buildTensorDag, decodeRoot, decodeTile } from '../../src/tiles/tensor-dag.ts'
import { collect, noiseBytes, openStore } from './support.ts'

type Vector = {
  name: string
  dtype: DataType
  shape: number[]
  dataHex: string
  fileSha256: string
  headerHex: string
  root: string
  nodes: { cid: string; hex: string }[]
}

const vectors: Vector[] = JSON.parse(await readFile(new URL('../vectors/tensor-block.json', import.meta.url), 'utf8'))

for (const vector of vectors) {
  test(`vector ${vector.name} has the same name and the same bytes on every machine`, async t => {
    const data = new Uint8Array(Buffer.from(vector.dataHex, 'hex'))
    const { name, dtype, shape, root } = vector
    assert.equal(cidOfTensor({ name, dtype, shape, data }), root)
    const { tensors, blockstore } = await openStore(t)
    const info = await tensors.putTensor({ name, dtype, shape, data })
    assert.equal(info.cid, root)
    const file = await readFile(info.path)
    assert.equal(createHash('sha256').update(file).digest('hex'), vector.fileSha256)
    assert.equal(file.subarray(0, vector.headerHex.length / 2).toString('hex'), vector.headerHex)
    for (const node of vector.nodes) {
      const bytes = await blockstore.read(CID.parse(node.cid))
      assert.equal(Buffer.from(bytes!).toString('hex'), node.hex)
    }
    assert.deepEqual(readIndependently(file), { dtype, shape, name, data: Buffer.from(data) })
  })
}

/** Reads a TensorBlock from its description in docs/protocol.md alone, without the code under test. */
function readIndependently(file: Buffer) {
  assert.equal(file.toString('latin1', 0, 8), 'TBLOCK01')
  assert.equal(file.readUInt32LE(8), 1)
  const dtype = [undefined, 'fp32', 'fp16', 'bf16', 'int8', 'fp8', 'int4'][file.readUInt32LE(12)]
  const [rows, columns] = [Number(file.readBigUInt64LE(16)), Number(file.readBigUInt64LE(24))]
  const dataOffset = Number(file.readBigUInt64LE(48))
  assert.equal(dataOffset % 262144, 0)
  assert.ok(file.subarray(76, 128).every(byte => byte === 0))
  const metadata = readCbor(file.subarray(128, 128 + file.readUInt32LE(72))) as Record<string, unknown>
  const shape = metadata.shape as number[]
  assert.equal(
    rows * columns,
    shape.reduce((a, b) => a * b, 1)
  )
  const data = file.subarray(dataOffset)
  assert.equal(data.length, Number(file.readBigUInt64LE(64)))
  return { dtype, shape, name: metadata.name, data: Buffer.from(data) }
}

/** As much CBOR as metadata needs: maps, lists, text, bytes, small integers, null. */
function readCbor(bytes: Buffer): unknown {
  let at = 0
  const item = (): unknown => {
    const first = bytes[at++]!
    if (first === 0xf6) return null
    const extra = first & 31
    let length = extra
    if (extra >= 24) {
      const size = 1 << (extra - 24)
      length = bytes.readUIntBE(at, Math.min(size, 6))
      at += size
    }
    const major = first >> 5
    if (major === 0) return length
    if (major === 4) return Array.from({ length }, item)
    if (major === 5) return Object.fromEntries(Array.from({ length }, () => [item(), item()]))
    at += length
    return major === 3 ? bytes.toString('utf8', at - length, at) : bytes.subarray(at - length, at)
  }
  return item()
}

const header = () =>
  encodeHeaderRegion({ name: 'w', dtype: 'fp32', shape: [3, 5], source: { format: 'tblock' } }).region

test('a header reads back as what was written, for every shape and dtype', () => {
  const shape = fc.array(fc.nat(40), { maxLength: 5 })
  const dtype = fc.constantFrom<DataType>('fp32', 'fp16', 'bf16', 'int8', 'fp8')
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), shape, dtype, (name, sizes, type) => {
      const description = { name, dtype: type, shape: sizes, source: { format: 'tblock' as const } }
      const { region, layout } = encodeHeaderRegion(description)
      const read = decodeHeaderRegion(region)
      assert.deepEqual(read.description, description)
      assert.deepEqual(read.layout, layout)
    }),
    { numRuns: 40 }
  )
})

test('scales of int8 columns and int4 blocks are part of the file and come before its data', async t => {
  const { tensors } = await openStore(t)
  const scales = noiseBytes(7 * 4, 3)
  const int8 = await tensors.putTensor({ name: 'q', dtype: 'int8', shape: [3, 7], data: noiseBytes(21), scales })
  assert.equal(int8.quantisation, 'int8-per-column')
  const file = await readFile(int8.path)
  assert.deepEqual(new Uint8Array(file.subarray(int8.scalesOffsetBytes).subarray(0, 28)), scales)
  const blocks = { name: 'q4', dtype: 'int4' as const, shape: [2, 33], data: noiseBytes(2 * 32) }
  const int4 = await tensors.putTensor({ ...blocks, scales: noiseBytes(2 * 2 * 4) })
  assert.equal(int4.quantisation, 'int4-blocks-of-32')
  await assert.rejects(tensors.putTensor(blocks), { code: 'TENSOR_INPUT_INVALID' })
})

test('a changed byte anywhere in the header is refused, and only with a named error', () => {
  const region = header()
  const places = fc.oneof({ weight: 9, arbitrary: fc.nat(400) }, { weight: 1, arbitrary: fc.nat(region.length - 1) })
  fc.assert(
    fc.property(places, fc.integer({ min: 1, max: 255 }), (at, change) => {
      const wrong = region.slice()
      wrong[at]! ^= change
      try {
        const { description } = decodeHeaderRegion(wrong)
        // A changed name or shape of equal size can be valid: then it must be the encoding of just that.
        assert.deepEqual(encodeHeaderRegion(description).region, wrong)
      } catch (error) {
        assert.ok(error instanceof BlyanError, String(error))
      }
    }),
    { numRuns: 300 }
  )
})

test('bytes at random are refused with a named error', () => {
  const start = Buffer.from('TBLOCK01\u0001\0\0\0', 'latin1')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, withMagic) => {
      const input = withMagic ? new Uint8Array(Buffer.concat([start, bytes])) : bytes
      assert.throws(() => decodeHeaderRegion(input), BlyanError)
    }),
    { numRuns: 500 }
  )
})

test('a root or tile node with a changed byte is refused', () => {
  const size = { dataOffsetBytes: 262144, dataLengthBytes: 5 * 1024 * 1024 + 17 }
  const digests = Array.from({ length: 22 }, (_, index) => noiseBytes(32, index + 1))
  const { root, nodes } = buildTensorDag(digests, size)
  const rootBytes = nodes.at(-1)!.bytes
  assert.deepEqual(decodeRoot(root, rootBytes).size, size)
  assert.deepEqual(decodeTile(root, nodes[0]!.bytes, size, 0), digests.slice(1, 17))
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (place, change, inTile) => {
      const wrong = (inTile ? nodes[0]!.bytes : rootBytes).slice()
      wrong[place % wrong.length]! ^= change
      try {
        // Another digest in a link is well-formed; its CID is another one, which the fetch notices.
        const read = inTile ? decodeTile(root, wrong, size, 0) : decodeRoot(root, wrong)
        assert.ok(read !== undefined)
      } catch (error) {
        assert.ok(error instanceof BlyanError, String(error))
      }
    }),
    { numRuns: 500 }
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
      assert.throws(() => decodeRoot(root, bytes), BlyanError)
    })
  )
})

test('a sub-tile that did not change keeps its CID in every version of the tensor', async t => {
  const { tensors, blockstore } = await openStore(t)
  const data = noiseBytes(9 * 1024 * 1024)
  const first = await tensors.putTensor({ name: 'w', dtype: 'int8', shape: [data.length], data })
  const changed = data.slice()
  changed[5 * 1024 * 1024]! ^= 1
  const second = await tensors.putTensor({ name: 'w', dtype: 'int8', shape: [data.length], data: changed })
  const tilesOf = async (cid: string) => decodeRoot(CID.parse(cid), (await blockstore.read(CID.parse(cid)))!).tiles
  const [before, after] = [await tilesOf(first.cid), await tilesOf(second.cid)]
  assert.deepEqual(
    before.map((cid, tile) => cid.equals(after[tile])),
    [true, false, true]
  )
  const size = decodeRoot(CID.parse(first.cid), (await blockstore.read(CID.parse(first.cid)))!).size
  const leaves = async (cid: CID) => decodeTile(cid, (await blockstore.read(cid))!, size, 1)
  const [old, now] = [await leaves(before[1]!), await leaves(after[1]!)]
  assert.equal(old.filter((digest, leaf) => Buffer.compare(digest, now[leaf]!) !== 0).length, 1)
  await tensors.remove(first.cid)
  assert.deepEqual(await tensors.verify(second.cid), { valid: true, leavesChecked: 37 })
  const exported = await tensors.export(second.cid)
  assert.deepEqual((await collect(exported.bytes)).subarray(second.dataOffsetBytes), changed)
})
