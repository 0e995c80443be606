import { concatBytes, sha256 } from '../../codec/index.ts'

/** The three matrices of one SwiGLU expert, as they lie in its TensorBlock. Plain numbers: guardian knows no model. */
export type ExpertWeights = { readonly gate: WeightMatrix; readonly up: WeightMatrix; readonly down: WeightMatrix }

export type WeightMatrix = {
  readonly inputs: number
  readonly outputs: number
  /** Whether the values of one input or those of one output lie side by side. */
  readonly order: 'by-input' | 'by-output'
  readonly values: Float32Array | Int8Array
  /** For int8: what each output is multiplied by. */
  readonly scales?: Float32Array
}

export type Product = {
  /** Before the scales. */
  readonly sums: Float64Array
  /** The same of absolute values: what rounding is measured by. */
  readonly absolutes: Float64Array
}

/** Multiplications after which a long computation lets others have a turn. */
const turnProducts = 2_000_000

/** `vector` times a matrix in float64, without its scales; yields now and then. */
export function* multiply(matrix: WeightMatrix, vector: Float64Array): Generator<void, Product, void> {
  const { inputs, outputs, order, values } = matrix
  const sums = new Float64Array(outputs)
  const absolutes = new Float64Array(outputs)
  const [outer, inner] = order === 'by-input' ? [inputs, outputs] : [outputs, inputs]
  const linesPerTurn = Math.max(1, Math.floor(turnProducts / inner))
  for (let line = 0; line < outer; line++) {
    if (line > 0 && line % linesPerTurn === 0) yield
    if (order === 'by-input') addInput(values, line * outputs, vector[line]!, sums, absolutes)
    else sumOutput(values, line * inputs, vector, line, sums, absolutes)
  }
  return { sums, absolutes }
}

const gainRounds = 24
/** After so many rounds the gain that was found is less than this much too small. */
const gainMargin = 1.5

/** The most that a matrix makes a vector longer, by iteration from a vector drawn from `salt`, and some more. */
export function* gainOf(matrix: WeightMatrix, salt: Uint8Array): Generator<void, number, void> {
  let vector = drawVector(matrix.inputs, salt)
  let gain = 0
  for (let round = 0; round < gainRounds; round++) {
    const { sums } = yield* multiply(matrix, normalised(vector))
    const scaled = sums.map((sum, output) => sum * scaleOf(matrix, output))
    gain = lengthOf(scaled)
    if (gain === 0) return 0
    vector = yield* multiplyTransposed(matrix, scaled)
  }
  return gain * gainMargin
}

/** `vector`, one number for each output, times the transpose. */
function* multiplyTransposed(matrix: WeightMatrix, vector: Float64Array): Generator<void, Float64Array, void> {
  const { inputs, outputs, order, values } = matrix
  const scaled = vector.map((value, output) => value * scaleOf(matrix, output))
  const turned = order === 'by-input' ? 'by-output' : 'by-input'
  return (yield* multiply({ inputs: outputs, outputs: inputs, order: turned, values }, scaled)).sums
}

/** Numbers from -1 to 1 that follow from the salt alone: all who check find the same gain. */
function drawVector(size: number, salt: Uint8Array): Float64Array {
  const vector = new Float64Array(size)
  for (let start = 0, block = 0; start < size; block++) {
    const digest = sha256(concatBytes(salt, new TextEncoder().encode(String(block))))
    const view = new DataView(digest.buffer)
    for (let word = 0; word < 8 && start < size; word++) vector[start++] = view.getInt32(word * 4) / 2 ** 31
  }
  return vector
}

function normalised(vector: Float64Array): Float64Array {
  const length = lengthOf(vector)
  return length === 0 ? vector : vector.map(value => value / length)
}

export function lengthOf(vector: Float64Array): number {
  let sum = 0
  for (const value of vector) sum += value * value
  return Math.sqrt(sum)
}

export function scaleOf({ scales }: WeightMatrix, output: number): number {
  return scales === undefined ? 1 : scales[output]!
}

function addInput(
  values: Float32Array | Int8Array,
  start: number,
  factor: number,
  sums: Float64Array,
  absolutes: Float64Array
): void {
  if (factor === 0) return
  const size = Math.abs(factor)
  for (let output = 0; output < sums.length; output++) {
    const value = values[start + output]!
    sums[output]! += factor * value
    absolutes[output]! += size * Math.abs(value)
  }
}

function sumOutput(
  values: Float32Array | Int8Array,
  start: number,
  vector: Float64Array,
  output: number,
  sums: Float64Array,
  absolutes: Float64Array
): void {
  let sum = 0
  let absolute = 0
  for (let input = 0; input < vector.length; input++) {
    const product = values[start + input]! * vector[input]!
    sum += product
    absolute += Math.abs(product)
  }
  sums[output] = sum
  absolutes[output] = absolute
}
