import {
  type ElementType,
  type ExternalTensor,
  type GraphAttribute,
  type GraphNode,
  type GraphValue,
  type InlineTensor,
  type InnerValue,
  writeOnnxModel
} from './onnx-writer.ts'
import type { PartDescription, PartSlice } from './part-layout.ts'

/** Where the data of a part lies: `location` is relative to the tensor folder, with forward slashes. */
export type TensorLocation = { readonly location: string; readonly dataOffsetBytes: number }

/** A part whose tensors a graph maps. */
export type PlacedPart = Pick<PartDescription, 'name' | 'slices'> & TensorLocation

/** Collects the nodes of one graph. A method that adds nodes returns the name of the value they make. */
export interface GraphBuilder {
  add(operator: string, inputs: readonly string[], attributes?: Attributes): string
  /** The same for an operator with several results. */
  addMany(operator: string, inputs: readonly string[], results: number, attributes?: Attributes): readonly string[]
  /**
   * Says what is known of the extents of a value where ONNX Runtime cannot see it, and returns the value. Buffers are shared
   * among values of known extents, and planning that takes time that grows with the square of the number of others.
   */
  sized(value: string, dimensions: readonly (number | string | null)[], type?: 'float' | 'int64'): string
  /** A tensor that stays in the part's file and is mapped from there. */
  slice(part: PlacedPart, slice: PartSlice): string
  /** A scalar of the builder's float type. */
  float(value: number): string
  byte(value: number): string
  integers(values: readonly number[]): string
  /** A scalar, where `integers` makes a list. */
  integer(value: number): string
  /** What was made from the same inputs before, or what `make` makes now. */
  once(key: string, make: () => string): string
  /** The finished ONNX model; `outputs` gives for each output the value that it is. */
  write(
    name: string,
    inputs: readonly GraphValue[],
    outputs: readonly (GraphValue & { readonly value: string })[]
  ): Uint8Array
}

type Attributes = Readonly<Record<string, GraphAttribute>>

/** `float64` is for checking gradients: not every operator has a kernel for it. */
export type FloatType = 'float32' | 'float64'

export function createGraphBuilder(floatType: FloatType = 'float32'): GraphBuilder {
  return new ListGraphBuilder(floatType)
}

class ListGraphBuilder implements GraphBuilder {
  readonly #nodes: GraphNode[] = []
  readonly #constants: (InlineTensor | ExternalTensor)[] = []
  readonly #made = new Map<string, string>()
  readonly #floatType: FloatType
  readonly #values: InnerValue[] = []
  #valueCount = 0

  constructor(floatType: FloatType) {
    this.#floatType = floatType
  }

  add(operator: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.addMany(operator, inputs, 1, attributes)[0]!
  }

  addMany(
    operator: string,
    inputs: readonly string[],
    results: number,
    attributes: Attributes = {}
  ): readonly string[] {
    const outputs = Array.from({ length: results }, () => `value${this.#valueCount++}`)
    this.#nodes.push({ operator, inputs, outputs, attributes })
    return outputs
  }

  sized(value: string, dimensions: readonly (number | string | null)[], type: 'float' | 'int64' = 'float'): string {
    this.#values.push({ name: value, type: type === 'float' ? this.#floatType : type, dimensions })
    return value
  }

  slice(part: PlacedPart, slice: PartSlice): string {
    return this.once(`slice ${part.name} ${slice.name}`, () => {
      const name = `${part.name}/${slice.name}`
      const type = slice.dtype === 'fp32' ? 'float32' : 'int8'
      const offsetBytes = part.dataOffsetBytes + slice.offsetBytes
      const { location } = part
      this.#constants.push({
        name,
        type,
        dimensions: slice.shape,
        location,
        offsetBytes,
        lengthBytes: slice.lengthBytes
      })
      return name
    })
  }

  float(value: number): string {
    const data = this.#floatType === 'float32' ? Float32Array.of(value) : Float64Array.of(value)
    return this.#constant(this.#floatType, `${value}`, [], new Uint8Array(data.buffer))
  }

  byte(value: number): string {
    return this.#constant('uint8', `${value}`, [], Uint8Array.of(value))
  }

  integers(values: readonly number[]): string {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
    return this.#constant('int64', `[${values.join()}]`, [values.length], data)
  }

  integer(value: number): string {
    return this.#constant('int64', `${value}`, [], new Uint8Array(BigInt64Array.of(BigInt(value)).buffer))
  }

  once(key: string, make: () => string): string {
    const before = this.#made.get(key)
    if (before !== undefined) return before
    const made = make()
    this.#made.set(key, made)
    return made
  }

  write(
    name: string,
    inputs: readonly GraphValue[],
    outputs: readonly (GraphValue & { readonly value: string })[]
  ): Uint8Array {
    const final = new Map(outputs.map(output => [output.value, output.name]))
    const rename = (value: string): string => final.get(value) ?? value
    const nodes = this.#nodesFor(outputs.map(output => output.value)).map(node => ({
      ...node,
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename)
    }))
    const values = this.#values.filter(value => !final.has(value.name))
    return writeOnnxModel({ name, inputs, outputs, nodes, constants: this.#constants, values })
  }

  /** Nodes that these values come from; ONNX Runtime would compute the others, too. */
  #nodesFor(values: readonly string[]): readonly GraphNode[] {
    const wanted = new Set(values)
    const kept = this.#nodes.toReversed().filter(({ inputs, outputs }) => {
      const isUsed = outputs.some(output => wanted.has(output))
      if (isUsed) for (const input of inputs) wanted.add(input)
      return isUsed
    })
    return kept.toReversed()
  }

  #constant(type: ElementType, key: string, dimensions: readonly number[], data: Uint8Array): string {
    return this.once(`constant ${type} ${key}`, () => {
      const name = `constant${this.#constants.length}`
      this.#constants.push({ name, type, dimensions, data })
      return name
    })
  }
}

export function floats(name: string, ...dimensions: (number | string)[]): GraphValue {
  return { name, type: 'float32', dimensions }
}

/** x / sqrt(mean(x^2) + epsilon) * weight, over the last axis. */
export function rootMeanSquareNorm(builder: GraphBuilder, input: string, weight: string, epsilon: number): string {
  const squares = builder.add('Mul', [input, input])
  const mean = builder.add('ReduceMean', [squares, builder.integers([-1])], { keepdims: 1 })
  const root = builder.add('Sqrt', [builder.add('Add', [mean, builder.float(epsilon)])])
  return builder.add('Mul', [builder.add('Div', [input, root]), weight])
}

/** Rotary positions on [T, heads, headWidth]: x cos + (-second half, first half) sin. */
export function rotate(builder: GraphBuilder, input: string, cosines: string, sines: string): string {
  const [first, second] = builder.addMany('Split', [input], 2, { axis: -1, num_outputs: 2 })
  const turned = builder.add('Concat', [builder.add('Neg', [second!]), first!], { axis: -1 })
  return builder.add('Add', [builder.add('Mul', [input, cosines]), builder.add('Mul', [turned, sines])])
}
