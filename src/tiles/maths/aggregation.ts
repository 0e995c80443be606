import { BlyanError } from '../../errors/index.ts'
import { type OuterRule, type OuterState, outerStep } from './outer-step.ts'

/**
 * What many learners' deltas of one part become. Anybody can compute it again and must get the same bits: inputs are taken
 * in the order given, sums are doubles in index order, results are rounded to fp32, and the only function beside
 * + - * / is the square root, which IEEE 754 rounds in one way.
 * Source: docs/design.md, "How deltas become an update".
 */
export type AggregationInput = {
  readonly values: Float32Array
  /** Relative to the others; 0 counts for nothing, not even for the median. */
  readonly weight: number
}

export type AggregationRules = {
  /** `median`: nobody's delta is longer than the median one. */
  readonly clip: 'median' | 'none'
  /** Centred clipping: how often the centre moves (0: the weighted mean), and how far one input may pull it, in medians of the lengths. */
  readonly centre: { readonly iterations: number; readonly radius: number }
  readonly outer: OuterRule
}

export type Aggregation = {
  /** To be added to the part. */
  readonly update: Float32Array
  /** Euclidean lengths of the inputs as they came. */
  readonly norms: readonly number[]
  /** Whether an input was longer than the rules let it count. */
  readonly clipped: readonly boolean[]
  /** What the next outer step needs; undefined for rules without memory. */
  readonly state: OuterState | undefined
}

export const defaultAggregationRules: AggregationRules = {
  clip: 'median',
  centre: { iterations: 3, radius: 1 },
  outer: { kind: 'sgd', rate: 1 }
}

/** More inputs than this are aggregated in regions first. */
export const aggregationInputsMax = 1024

/** Throws DELTA_INVALID for what is not finite or not of one length, and where there is nothing to aggregate. */
export function aggregate(
  inputs: readonly AggregationInput[],
  rules: AggregationRules = defaultAggregationRules,
  state?: OuterState
): Aggregation {
  const lengths = inputs.map(({ values }) => lengthOf(values))
  requireUsable(inputs, lengths)
  const counted = lengths.filter((norm, index) => norm > 0 && inputs[index]!.weight > 0)
  const median = medianOf(counted)
  const factors = lengths.map(norm => (rules.clip === 'median' && norm > median ? median / norm : 1))
  const centre = centreOf(inputs, factors, rules, median)
  const stepped = outerStep(centre, rules.outer, state)
  return { update: stepped.update, norms: lengths, clipped: factors.map(factor => factor < 1), state: stepped.state }
}

/** Euclidean length. */
export function lengthOf(values: Float32Array): number {
  let squares = 0
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!
    squares += value * value
  }
  return Math.sqrt(squares)
}

/** The lower of the two middle ones where their number is even, so that two inputs do not lend length to the longer one. */
export function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
}

function requireUsable(inputs: readonly AggregationInput[], lengths: readonly number[]): void {
  if (inputs.length === 0) throw invalid('there is none')
  if (inputs.length > aggregationInputsMax) throw invalid(`${inputs.length} are more than ${aggregationInputsMax}`)
  for (const [index, { values, weight }] of inputs.entries()) {
    if (values.length !== inputs[0]!.values.length) {
      throw invalid(`number ${index} has ${values.length} values where ${inputs[0]!.values.length} belong`)
    }
    // A sum of squares of finite fp32 values stays finite in doubles, so this finds every NaN and infinity.
    if (!Number.isFinite(lengths[index])) throw invalid(`number ${index} has values that are not finite`)
    if (!Number.isFinite(weight) || weight < 0) throw invalid(`number ${index} has the weight ${weight}`)
  }
  if (!inputs.some(({ weight }) => weight > 0)) throw invalid('all weights are zero')
}

/**
 * Starting at zero, the centre moves by the weighted mean of what each input differs from it, each difference no longer than
 * the radius (BTARD, Karimireddy et al.). Without iterations it is the weighted mean.
 */
function centreOf(
  inputs: readonly AggregationInput[],
  factors: readonly number[],
  { centre: { iterations, radius } }: AggregationRules,
  median: number
): Float64Array {
  const length = inputs[0]!.values.length
  const totalWeight = inputs.reduce((sum, { weight }) => sum + weight, 0)
  const reach = radius * median
  let centre = new Float64Array(length)
  const passes = Math.max(1, iterations)
  for (let pass = 0; pass < passes; pass++) {
    const next = centre.slice()
    for (const [index, { values, weight }] of inputs.entries()) {
      if (weight === 0) continue
      const factor = factors[index]!
      const distance = iterations === 0 ? 0 : distanceOf(values, factor, centre)
      const share = (weight / totalWeight) * (distance > reach ? reach / distance : 1)
      addShare(next, values, factor, centre, share)
    }
    centre = next
  }
  return centre
}

function addShare(next: Float64Array, values: Float32Array, factor: number, centre: Float64Array, share: number): void {
  for (let at = 0; at < values.length; at++) next[at]! += share * (values[at]! * factor - centre[at]!)
}

function distanceOf(values: Float32Array, factor: number, centre: Float64Array): number {
  let squares = 0
  for (let at = 0; at < values.length; at++) {
    const difference = values[at]! * factor - centre[at]!
    squares += difference * difference
  }
  return Math.sqrt(squares)
}

function invalid(reason: string): BlyanError {
  return new BlyanError('DELTA_INVALID', { reason: `deltas to aggregate: ${reason}` })
}
