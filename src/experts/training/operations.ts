/** Operations on rows with their derivatives: what a transformer needs besides attention, experts and losses. */
import type { Tape, Value } from './tape.ts'

/** What a cast to the graph's float type is told. */
export type CastNumbers = { readonly float: number }

/** Element by element, of the same shape. */
export function sum(tape: Tape, first: Value, second: Value): Value {
  return tape.record(tape.builder.add('Add', [first.name, second.name]), [first, second], slope => [slope, slope])
}

export function scale(tape: Tape, input: Value, factor: number): Value {
  if (factor === 1) return input
  const { builder } = tape
  const times = (value: string): string => builder.add('Mul', [value, builder.float(factor)])
  return tape.record(times(input.name), [input], slope => [times(slope)])
}

/** Rows [N, in] times a matrix [out, in] or [in, out] -> [N, out]. */
export function linear(tape: Tape, input: Value, matrix: Value, orientation: 'outIn' | 'inOut'): Value {
  const { builder } = tape
  const isOutIn = orientation === 'outIn'
  const output = builder.add('Gemm', [input.name, matrix.name], isOutIn ? { transB: 1 } : {})
  return tape.record(output, [input, matrix], slope => [
    input.tracked ? builder.add('Gemm', [slope, matrix.name], isOutIn ? {} : { transB: 1 }) : null,
    matrix.tracked ? builder.add('Gemm', isOutIn ? [slope, input.name] : [input.name, slope], { transA: 1 }) : null
  ])
}

/** Adds a vector [D] to every row of [N, D]. */
export function addVector(tape: Tape, input: Value, vector: Value): Value {
  const { builder } = tape
  const output = builder.add('Add', [input.name, vector.name])
  return tape.record(output, [input, vector], slope => [
    slope,
    vector.tracked ? builder.add('ReduceSum', [slope, builder.integers([0])], { keepdims: 0 }) : null
  ])
}

/** Tables with more rows than this have no product with a choice among all of them: it would be larger than the rest of the model. */
const chosenRowsMax = 1024

/**
 * Rows `ids` [N] of a table [V, D]. A row that is asked for several times gets the sum of its slopes, made by a product: adding by
 * scattering gives other bits in every run with several threads.
 */
export function lookUpRows(tape: Tape, table: Value, tableRows: number, ids: string, cast: CastNumbers): Value {
  const { builder } = tape
  const column = (): string => builder.add('Unsqueeze', [ids, builder.integers([-1])])
  const equals = (others: string): string =>
    builder.add('Cast', [builder.add('Equal', [column(), others])], { to: cast.float })
  return tape.record(builder.add('Gather', [table.name, ids]), [table], slope => {
    if (tableRows <= chosenRowsMax) {
      const numbers = builder.integers(Array.from({ length: tableRows }, (_, row) => row))
      return [builder.add('Gemm', [equals(numbers), slope], { transA: 1 })]
    }
    // Every row gets the total of its id, so it does not matter which of them is written last.
    const totals = builder.add('MatMul', [equals(ids), slope])
    return [builder.add('ScatterND', [zerosLike(tape, table.name), column(), totals])]
  })
}

export function zerosLike({ builder }: Tape, value: string): string {
  return builder.add('Expand', [builder.float(0), builder.add('Shape', [value])])
}

/** Rows of `from` values cut or joined to rows of `to` values. */
export function regroupRows(tape: Tape, rows: Value, from: number, to: number): Value {
  const { builder } = tape
  const reshape = (value: string, columns: number): string =>
    builder.add('Reshape', [value, builder.integers([-1, columns])])
  return tape.record(reshape(rows.name, to), [rows], slope => [reshape(slope, from)])
}

/** x / sqrt(mean(x^2) + epsilon) * weight, row by row of [N, width]. */
export function rootMeanSquareNorm(tape: Tape, input: Value, weight: Value, epsilon: number, width: number): Value {
  const { builder } = tape
  const squares = builder.add('ReduceSumSquare', [input.name, builder.integers([-1])], { keepdims: 1 })
  const mean = builder.add('Mul', [squares, builder.float(1 / width)])
  const inverse = builder.add('Reciprocal', [builder.add('Sqrt', [builder.add('Add', [mean, builder.float(epsilon)])])])
  const output = builder.add('Mul', [builder.add('Mul', [input.name, inverse]), weight.name])
  return tape.record(output, [input, weight], slope => {
    const products = builder.add('Mul', [slope, input.name])
    const weightSlope = weight.tracked
      ? builder.add('Reshape', [builder.add('Gemm', [inverse, products], { transA: 1 }), builder.integers([width])])
      : null
    if (!input.tracked) return [null, weightSlope]
    // dx = r (w dy - x r^2 mean(w dy x)) with r = 1 / sqrt(...), row by row
    const column = builder.add('Reshape', [weight.name, builder.integers([width, 1])])
    const along = builder.add('Gemm', [products, column], { alpha: { float: 1 / width } })
    const square = builder.add('Mul', [inverse, inverse])
    const back = builder.add('Mul', [builder.add('Mul', [along, inverse]), square])
    const plain = builder.add('Mul', [builder.add('Mul', [slope, weight.name]), inverse])
    return [builder.add('Sub', [plain, builder.add('Mul', [input.name, back])]), weightSlope]
  })
}

/** Cuts every value to -size..size; what is cut has no slope. */
export function clip(tape: Tape, input: Value, size: number): Value {
  const { builder } = tape
  const output = builder.add('Clip', [input.name, builder.float(-size), builder.float(size)])
  return tape.record(output, [input], slope => {
    const isCut = builder.add('Greater', [builder.add('Abs', [input.name]), builder.float(size)])
    return [builder.add('Where', [isCut, builder.float(0), slope])]
  })
}

/** silu(gate) * up, element by element. */
export function gatedUnit(tape: Tape, gate: Value, up: Value): Value {
  const { builder } = tape
  const opening = builder.add('Sigmoid', [gate.name])
  const activated = builder.add('Mul', [gate.name, opening])
  return tape.record(builder.add('Mul', [activated, up.name]), [gate, up], slope => {
    // d silu(x) = s + silu(x) (1 - s)
    const rest = builder.add('Mul', [activated, builder.add('Sub', [builder.float(1), opening])])
    const steepness = builder.add('Add', [opening, rest])
    return [
      gate.tracked ? builder.add('Mul', [builder.add('Mul', [slope, up.name]), steepness]) : null,
      up.tracked ? builder.add('Mul', [slope, activated]) : null
    ]
  })
}

/** Rows [N, D] times sigmoid of their own number in [N, 1]. */
export function openRows(tape: Tape, rows: Value, logits: Value): Value {
  const { builder } = tape
  const opening = builder.add('Sigmoid', [logits.name])
  return tape.record(builder.add('Mul', [rows.name, opening]), [rows, logits], slope => {
    const own = builder.add('ReduceSum', [builder.add('Mul', [slope, rows.name]), builder.integers([-1])], {
      keepdims: 1
    })
    const closing = builder.add('Sub', [builder.float(1), opening])
    return [builder.add('Mul', [slope, opening]), builder.add('Mul', [own, builder.add('Mul', [opening, closing])])]
  })
}

/** Over the last axis. */
export function softmax(tape: Tape, input: Value): Value {
  const { builder } = tape
  const shares = builder.add('Softmax', [input.name], { axis: -1 })
  return tape.record(shares, [input], slope => [softmaxSlope(tape, shares, slope)])
}

export function softmaxSlope({ builder }: Tape, shares: string, slope: string): string {
  const weighted = builder.add('Mul', [slope, shares])
  const total = builder.add('ReduceSum', [weighted, builder.integers([-1])], { keepdims: 1 })
  return builder.add('Sub', [weighted, builder.add('Mul', [shares, total])])
}
