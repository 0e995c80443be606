import type { GraphBuilder, PlacedPart } from './graph-builder.ts'
import { cutsOf, type MatrixCut, sliceOf } from './part-layout.ts'
import { activationMax, activationZero, smallestSize } from './row-rounding.ts'

/**
 * How int8 matrices are multiplied: `integer` in integers with activations rounded row by row (processors), `dequantise` in
 * floats (graphics devices, which have no fast integer kernel here).
 */
export type Int8Kernel = 'integer' | 'dequantise'

/** `input` [T, in] times matrix `name` of `part` -> [T, out], whatever way the matrix is stored. */
export function multiply(
  builder: GraphBuilder,
  input: string,
  part: PlacedPart,
  name: string,
  kernel: Int8Kernel
): string {
  const pieces = cutsOf(part, name).map(cut => multiplyCut(builder, input, part, cut, kernel))
  return pieces.length === 1 ? pieces[0]! : builder.add('Concat', pieces, { axis: 1 })
}

/** Rows `ids` [T] of a table -> [T, width]. */
export function lookUp(builder: GraphBuilder, ids: string, part: PlacedPart, name: string): string {
  const table = sliceOf(part, name)
  const rows = builder.add('Gather', [builder.slice(part, table), ids])
  if (table.dtype === 'fp32') return rows
  const scales = builder.add('Gather', [builder.slice(part, sliceOf(part, `${name}.scales`)), ids])
  const column = builder.add('Unsqueeze', [scales, builder.integers([1])])
  return builder.add('Mul', [builder.add('Cast', [rows], { to: 1 }), column])
}

function multiplyCut(
  builder: GraphBuilder,
  input: string,
  part: PlacedPart,
  { matrix, scales }: MatrixCut,
  kernel: Int8Kernel
): string {
  const weights = builder.slice(part, matrix)
  if (scales !== null) {
    const steps = builder.slice(part, scales)
    return kernel === 'integer'
      ? multiplyIntegers(builder, input, weights, steps)
      : builder.add('MatMul', [input, builder.add('DequantizeLinear', [weights, steps], { axis: 1 })])
  }
  return matrix.orientation === 'outIn'
    ? builder.add('Gemm', [input, weights], { transB: 1 })
    : builder.add('MatMul', [input, weights])
}

/** The integer product is exact on every machine; only rounding of activations and the two scalings are floats. */
function multiplyIntegers(builder: GraphBuilder, input: string, weights: string, steps: string): string {
  const rowSteps = builder.once(`row steps ${input}`, () => {
    const sizes = builder.add('ReduceMax', [builder.add('Abs', [input]), builder.integers([-1])], { keepdims: 1 })
    const safe = builder.add('Max', [sizes, builder.float(smallestSize)])
    return builder.add('Mul', [safe, builder.float(1 / activationMax)])
  })
  const rounded = builder.once(`rounded ${input}`, () => {
    const units = builder.add('Round', [builder.add('Div', [input, rowSteps])])
    return builder.add('Cast', [builder.add('Add', [units, builder.float(activationZero)])], { to: 2 })
  })
  const product = builder.add('MatMulInteger', [rounded, weights, builder.byte(activationZero)])
  const columns = builder.add('Mul', [builder.add('Cast', [product], { to: 1 }), steps])
  return builder.add('Mul', [columns, rowSteps])
}
