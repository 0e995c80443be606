import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { type GraphDescription, writeOnnxModel } from '../../src/experts/model/onnx-writer.ts'

const graph: GraphDescription = {
  name: 'sum-of-products',
  inputs: [{ name: 'x', type: 'float32', dimensions: ['rows', 2] }],
  outputs: [{ name: 'y', type: 'float32', dimensions: ['rows', 3] }],
  constants: [
    { name: 'w', type: 'float32', dimensions: [3, 2], data: new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer) }
  ],
  nodes: [
    { operator: 'Gemm', inputs: ['x', 'w'], outputs: ['z'], attributes: { transB: 1, alpha: { float: 0.5 } } },
    { operator: 'Transpose', inputs: ['z'], outputs: ['t'], attributes: { perm: [1, 0] } },
    { operator: 'Transpose', inputs: ['t'], outputs: ['y'], attributes: { perm: [1, 0] } }
  ]
}

test('a written model decodes field by field with @bufbuild/protobuf', () => {
  const model = fieldsOf(writeOnnxModel(graph))
  assert.deepEqual(model.get(1), [10n])
  assert.deepEqual(fieldsOf(bytesIn(model, 8)).get(2), [21n])
  const written = fieldsOf(bytesIn(model, 7))
  assert.equal(textIn(written, 2), 'sum-of-products')
  const [gemm, transpose] = written.get(1)!.map(node => fieldsOf(node as Uint8Array))
  assert.equal(textIn(gemm!, 4), 'Gemm')
  assert.deepEqual(gemm!.get(1)!.map(decodeText), ['x', 'w'])
  const [transB, alpha] = gemm!.get(5)!.map(attribute => fieldsOf(attribute as Uint8Array))
  assert.deepEqual([textIn(transB!, 1), transB!.get(3), transB!.get(20)], ['transB', [1n], [2n]])
  assert.deepEqual([textIn(alpha!, 1), alpha!.get(2), alpha!.get(20)], ['alpha', [0.5], [1n]])
  const perm = fieldsOf(bytesIn(transpose!, 5))
  assert.deepEqual([textIn(perm, 1), perm.get(8), perm.get(20)], ['perm', [1n, 0n], [7n]])
  const input = fieldsOf(bytesIn(written, 11))
  const tensorType = fieldsOf(bytesIn(fieldsOf(bytesIn(input, 2)), 1))
  assert.deepEqual(tensorType.get(1), [1n])
  const [rows, columns] = fieldsOf(bytesIn(tensorType, 2))
    .get(1)!
    .map(dimension => fieldsOf(dimension as Uint8Array))
  assert.equal(textIn(rows!, 2), 'rows')
  assert.deepEqual(columns!.get(1), [2n])
})

test('an external tensor is written as location, offset and length, without data', () => {
  const external = {
    name: 'w',
    type: 'float32',
    dimensions: [3, 2],
    location: 'a/b',
    offsetBytes: 2 ** 33,
    lengthBytes: 24
  } as const
  const written = fieldsOf(bytesIn(fieldsOf(writeOnnxModel({ ...graph, constants: [external] })), 7))
  const tensor = fieldsOf(bytesIn(written, 5))
  const entries = tensor.get(13)!.map(entry => fieldsOf(entry as Uint8Array))
  assert.deepEqual(
    entries.map(entry => [textIn(entry, 1), textIn(entry, 2)]),
    [
      ['location', 'a/b'],
      ['offset', '8589934592'],
      ['length', '24']
    ]
  )
  assert.deepEqual([tensor.get(1), tensor.get(2), tensor.get(14), tensor.get(9)], [[3n, 2n], [1n], [1n], undefined])
})

test('negative integers take ten bytes, as protobuf has them', () => {
  const node = { operator: 'Softmax', inputs: ['x'], outputs: ['y'], attributes: { axis: -1 } }
  const written = fieldsOf(bytesIn(fieldsOf(writeOnnxModel({ ...graph, nodes: [node] })), 7))
  assert.deepEqual(fieldsOf(bytesIn(fieldsOf(bytesIn(written, 1)), 5)).get(3), [-1n])
})

test('a written model runs', async () => {
  const session = await InferenceSession.create(writeOnnxModel(graph))
  const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(1, 1, 2, 0), [2, 2]) })
  assert.deepEqual([...(y!.data as Float32Array)], [1.5, 3.5, 5.5, 1, 3, 5])
  await session.release()
})

type Value = bigint | number | Uint8Array
type Fields = Map<number, Value[]>

function fieldsOf(bytes: Uint8Array): Fields {
  const reader = new BinaryReader(bytes)
  const fields: Fields = new Map()
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag()
    const value =
      wireType === WireType.LengthDelimited
        ? reader.bytes()
        : wireType === WireType.Bit32
          ? reader.float()
          : BigInt(reader.int64())
    fields.set(field, [...(fields.get(field) ?? []), value])
  }
  return fields
}

function bytesIn(fields: Fields, field: number): Uint8Array {
  return fields.get(field)![0] as Uint8Array
}

function textIn(fields: Fields, field: number): string {
  return decodeText(bytesIn(fields, field))
}

function decodeText(value: Value): string {
  return new TextDecoder().decode(value as Uint8Array)
}
