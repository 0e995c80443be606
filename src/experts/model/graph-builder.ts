import {
  type ExternalTensor,
  type GraphAttribute,
  type GraphNode,
  type GraphValue,
  type InlineTensor,
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
  /** A tensor that stays in the part's file and is mapped from there. */
  slice(part: PlacedPart, slice: PartSlice): string
  float(value: number): string
  byte(value: number): string
  integers(values: readonly number[]): string
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

export function createGraphBuilder(): GraphBuilder {
  return new ListGraphBuilder()
}

class ListGraphBuilder implements GraphBuilder {
  readonly #nodes: GraphNode[] = []
  readonly #constants: (InlineTensor | ExternalTensor)[] = []
  readonly #made = new Map<string, string>()
  #values = 0

  add(operator: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.addMany(operator, inputs, 1, attributes)[0]!
  }

  addMany(
    operator: string,
    inputs: readonly string[],
    results: number,
    attributes: Attributes = {}
  ): readonly string[] {
    const outputs = Array.from({ length: results }, () => `value${this.#values++}`)
    this.#nodes.push({ operator, inputs, outputs, attributes })
    return outputs
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
    return this.#constant('float32', `${value}`, [], new Uint8Array(Float32Array.of(value).buffer))
  }

  byte(value: number): string {
    return this.#constant('uint8', `${value}`, [], Uint8Array.of(value))
  }

  integers(values: readonly number[]): string {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
    return this.#constant('int64', values.join(), [values.length], data)
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
    const nodes = this.#nodes.map(node => ({
      ...node,
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename)
    }))
    return writeOnnxModel({ name, inputs, outputs, nodes, constants: this.#constants })
  }

  #constant(type: 'float32' | 'uint8' | 'int64', key: string, dimensions: readonly number[], data: Uint8Array): string {
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
