import type { Arithmetic } from './commitment.ts'
import { type ExpertWeights, gainOf, lengthOf, multiply, scaleOf, type WeightMatrix } from './expert-weights.ts'

/**
 * What one expert makes of one row, in float64, and how far an honest machine can be from that whatever it is, in the
 * arithmetic that it named: any order of sums, any kernel, any number of threads, and any row, also one that was chosen so
 * that rounding errors grow. Who is further away did not compute with these weights. Nothing here comes from ONNX.
 * Source: docs/design.md, "Why nobody can be framed".
 */
export type ExpertTruth = {
  readonly output: Float64Array
  /** Length of the vector by which an honest output may differ; infinite where fp32 may have run over. */
  readonly doubt: number
}

/** Rounding of fp32 to nearest. */
const unit = 2 ** -24
/** Roundings beside those of a sum: of a weight that was scaled, of a product, of what comes after. */
const otherRoundings = 6
/** How far the sigmoid of a library may be from the sigmoid, and the steepest slope of x sigmoid(x). */
const sigmoidDoubt = 2 ** -20
const siluSlopeMax = 1.1
/** Beyond the first, fp32 may run over; below the second, some machines know only zero. */
const overflowing = 1e37
const vanishing = 2 ** -120
/** Rows are made whole numbers of at most this size (docs/protocol.md, "What is computed"). */
const wholeMax = 63
const smallestSize = 1e-30

/** A row with what an honest machine may have instead, number by number. */
type Doubted = { readonly values: Float64Array; readonly doubts: Float64Array }
/** What enters a product: `values` x `scale`. */
type Entered = Doubted & { readonly scale: number; readonly scaleDoubt: number }
/** `rounding` arises in the product, `carried` comes from the doubts of what entered. */
type Left = { readonly values: Float64Array; readonly rounding: Float64Array; readonly carried: Float64Array }

/** `salt`: bytes nobody knew when the weights were made. Yields now and then, so that others have a turn. */
export function* expertTruth(
  weights: ExpertWeights,
  row: Float32Array,
  arithmetic: Arithmetic,
  salt: Uint8Array
): Generator<void, ExpertTruth, void> {
  const { gated, raised, inner, last } = yield* compute(weights, row, arithmetic)
  // What is doubtful before a matrix grows at most by its gain, and at most by the sum of what each number can do.
  const carried = lengthOf(last.carried)
  const doubtBefore = lengthOf(inner.doubts)
  const isGainNeeded = doubtBefore > 0 && carried > 0
  const bounded = isGainNeeded ? Math.min(carried, doubtBefore * (yield* gainOf(weights.down, salt))) : carried
  const isInRange = [gated, raised, inner, doubted(last)].every(isFarFromOverflow)
  const doubt = bounded + lengthOf(last.rounding)
  return { output: last.values, doubt: isInRange ? doubt : Number.POSITIVE_INFINITY }
}

/** The output alone, which takes a fraction of the time. */
export function* expertOutput(
  weights: ExpertWeights,
  row: Float32Array,
  arithmetic: Arithmetic
): Generator<void, Float64Array, void> {
  return (yield* compute(weights, row, arithmetic)).last.values
}

function* compute({ gate, up, down }: ExpertWeights, row: Float32Array, arithmetic: Arithmetic) {
  const entered = enter({ values: Float64Array.from(row), doubts: new Float64Array(row.length) }, arithmetic)
  const gated = doubted(yield* leave(gate, entered, arithmetic))
  const raised = doubted(yield* leave(up, entered, arithmetic))
  const inner = enter(swiglu(gated, raised), arithmetic)
  return { gated, raised, inner, last: yield* leave(down, inner, arithmetic) }
}

function enter({ values, doubts }: Doubted, arithmetic: Arithmetic): Entered {
  if (arithmetic === 'float') return { values, doubts, scale: 1, scaleDoubt: 0 }
  let largest = 0
  let largestDoubt = 0
  for (let place = 0; place < values.length; place++) {
    largest = Math.max(largest, Math.abs(values[place]!))
    largestDoubt = Math.max(largestDoubt, doubts[place]!)
  }
  const size = Math.max(largest, smallestSize)
  const scale = size / wholeMax
  const scaleDoubt = largestDoubt / size + otherRoundings * unit
  const whole = new Float64Array(values.length)
  const steps = new Float64Array(values.length)
  for (let place = 0; place < values.length; place++) {
    const exact = values[place]! / scale
    const reach = doubts[place]! / scale + Math.abs(exact) * scaleDoubt
    whole[place] = clampWhole(Math.round(exact))
    // Where rounding could go another way, an honest machine may have another whole number.
    const [low, high] = [clampWhole(Math.round(exact - reach)), clampWhole(Math.round(exact + reach))]
    steps[place] = Math.max(high - whole[place]!, whole[place]! - low) * scale
    const isTie = Math.abs(exact - Math.floor(exact) - 0.5) <= reach + unit
    if (isTie) steps[place] = Math.max(steps[place]!, scale)
  }
  return { values: whole, doubts: steps, scale, scaleDoubt }
}

function* leave(matrix: WeightMatrix, entered: Entered, arithmetic: Arithmetic): Generator<void, Left, void> {
  const { sums, absolutes } = yield* multiply(matrix, entered.values)
  const isDoubted = entered.doubts.some(doubt => doubt > 0)
  const carriedSums = isDoubted ? (yield* multiply(matrix, entered.doubts)).absolutes : new Float64Array(sums.length)
  const roundings = arithmetic === 'float' ? matrix.inputs + otherRoundings : otherRoundings
  const values = new Float64Array(sums.length)
  const rounding = new Float64Array(sums.length)
  const carried = new Float64Array(sums.length)
  for (let place = 0; place < sums.length; place++) {
    const scale = Math.abs(scaleOf(matrix, place))
    values[place] = sums[place]! * entered.scale * scaleOf(matrix, place)
    carried[place] = carriedSums[place]! * scale
    // Whole numbers are summed exactly: only what the sum is multiplied by is rounded.
    const rounded = arithmetic === 'float' ? absolutes[place]! * scale + carried[place]! : Math.abs(values[place]!)
    rounding[place] = rounded * (roundings * unit + entered.scaleDoubt) + vanishing
  }
  return { values, rounding, carried }
}

function doubted({ values, rounding, carried }: Left): Doubted {
  return { values, doubts: rounding.map((value, place) => value + carried[place]!) }
}

/** silu(gated) x raised. */
function swiglu(gated: Doubted, raised: Doubted): Doubted {
  const values = new Float64Array(gated.values.length)
  const doubts = new Float64Array(gated.values.length)
  for (let place = 0; place < values.length; place++) {
    const opening = gated.values[place]!
    const silu = opening / (1 + Math.exp(-opening))
    const siluDoubt =
      siluSlopeMax * gated.doubts[place]! + Math.abs(opening) * sigmoidDoubt + 2 * unit * Math.abs(silu) + vanishing
    const factor = raised.values[place]!
    const factorDoubt = raised.doubts[place]!
    values[place] = silu * factor
    doubts[place] =
      Math.abs(silu) * factorDoubt + (Math.abs(factor) + factorDoubt) * siluDoubt + 2 * unit * Math.abs(silu * factor)
  }
  return { values, doubts }
}

function clampWhole(value: number): number {
  return Math.max(-wholeMax, Math.min(wholeMax, value))
}

function isFarFromOverflow({ values, doubts }: Doubted): boolean {
  return values.every((value, place) => Math.abs(value) + doubts[place]! < overflowing)
}
