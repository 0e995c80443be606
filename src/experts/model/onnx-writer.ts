import { concatBytes } from '../../codec/index.ts'

/** Element types by their number in onnx.proto, `TensorProto.DataType`. */
export const elementTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float64: 11 } as const
export type ElementType = keyof typeof elementTypes

/** A graph input or output; a text is a dimension known only when the graph runs. */
export type GraphValue = {
  readonly name: string
  readonly type: ElementType
  readonly dimensions: readonly (number | string)[]
}

/** What is known of a value between: the same text stands for the same extent, null for one that is not known. */
export type InnerValue = Omit<GraphValue, 'dimensions'> & { readonly dimensions: readonly (number | string | null)[] }

export type GraphAttribute = number | string | readonly number[] | { readonly float: number }

export type GraphNode = {
  readonly operator: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Plain numbers are integers; floats are given as `{ float }`. */
  readonly attributes?: Readonly<Record<string, GraphAttribute>>
}

/** A small constant inside the model. `data` is little-endian. */
export type InlineTensor = {
  readonly name: string
  readonly type: ElementType
  readonly dimensions: readonly number[]
  readonly data: Uint8Array
}

/** A constant that stays in a file and is mapped from there. */
export type ExternalTensor = {
  readonly name: string
  readonly type: ElementType
  readonly dimensions: readonly number[]
  /** Path relative to the tensor folder, with forward slashes. */
  readonly location: string
  readonly offsetBytes: number
  readonly lengthBytes: number
}

export type GraphDescription = {
  readonly name: string
  readonly inputs: readonly GraphValue[]
  readonly outputs: readonly GraphValue[]
  readonly nodes: readonly GraphNode[]
  readonly constants: readonly (InlineTensor | ExternalTensor)[]
  readonly values?: readonly InnerValue[]
}

/**
 * Writes an ONNX model (IR 10, default domain, opset 21). Returns bytes the caller owns.
 * Numbers below are the field numbers of onnx.proto; nothing more of protobuf is needed.
 * Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export function writeOnnxModel(graph: GraphDescription): Uint8Array {
  const operatorSet = [text(1, ''), integer(2, 21)]
  return concatBytes(integer(1, 10), text(2, 'blyan-node'), message(7, writeGraph(graph)), message(8, operatorSet))
}

type Field = Uint8Array

function writeGraph(graph: GraphDescription): Field[] {
  return [
    ...graph.nodes.map((node, index) => message(1, writeNode(node, index))),
    text(2, graph.name),
    ...graph.constants.map(constant => message(5, writeTensor(constant))),
    ...graph.inputs.map(value => message(11, writeValue(value))),
    ...graph.outputs.map(value => message(12, writeValue(value))),
    ...(graph.values ?? []).map(value => message(13, writeValue(value)))
  ]
}

function writeNode(node: GraphNode, index: number): Field[] {
  return [
    ...node.inputs.map(name => text(1, name)),
    ...node.outputs.map(name => text(2, name)),
    text(3, `${node.operator}${index}`),
    text(4, node.operator),
    ...Object.entries(node.attributes ?? {}).map(([name, value]) => message(5, writeAttribute(name, value)))
  ]
}

/** The last number of each row is `AttributeProto.AttributeType`. */
function writeAttribute(name: string, value: GraphAttribute): Field[] {
  if (typeof value === 'number') return [text(1, name), integer(3, value), integer(20, 2)]
  if (typeof value === 'string') return [text(1, name), text(4, value), integer(20, 3)]
  if ('float' in value) return [text(1, name), float(2, value.float), integer(20, 1)]
  return [text(1, name), ...value.map(item => integer(8, item)), integer(20, 7)]
}

function writeValue(value: InnerValue): Field[] {
  const dimensions = value.dimensions.map(size =>
    message(1, size === null ? [] : [typeof size === 'number' ? integer(1, size) : text(2, size)])
  )
  const tensorType = [integer(1, elementTypes[value.type]), message(2, dimensions)]
  return [text(1, value.name), message(2, [message(1, tensorType)])]
}

function writeTensor(tensor: InlineTensor | ExternalTensor): Field[] {
  const head = [
    ...tensor.dimensions.map(size => integer(1, size)),
    integer(2, elementTypes[tensor.type]),
    text(8, tensor.name)
  ]
  if ('data' in tensor) return [...head, delimited(9, tensor.data)]
  const where = { location: tensor.location, offset: `${tensor.offsetBytes}`, length: `${tensor.lengthBytes}` }
  const entries = Object.entries(where).map(([key, value]) => message(13, [text(1, key), text(2, value)]))
  return [...head, ...entries, integer(14, 1)]
}

function message(field: number, fields: readonly Field[]): Field {
  return delimited(field, concatBytes(...fields))
}

const encoder = new TextEncoder()

function text(field: number, value: string): Field {
  return delimited(field, encoder.encode(value))
}

function delimited(field: number, bytes: Uint8Array): Field {
  return concatBytes(variableLength(field * 8 + 2), variableLength(bytes.length), bytes)
}

function integer(field: number, value: number): Field {
  return concatBytes(variableLength(field * 8), variableLength(value))
}

function float(field: number, value: number): Field {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setFloat32(0, value, true)
  return concatBytes(variableLength(field * 8 + 5), bytes)
}

/** Negative numbers as 64 bits, as protobuf has them. */
function variableLength(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  if (value < 0 || value > 0x7fffffff) {
    let wide = BigInt.asUintN(64, BigInt(value))
    for (; wide > 127n; wide >>= 7n) bytes.push(Number(wide & 127n) | 128)
    rest = Number(wide)
  }
  for (; rest > 127; rest >>= 7) bytes.push((rest & 127) | 128)
  bytes.push(rest)
  return Uint8Array.from(bytes)
}
