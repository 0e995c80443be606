import { BlyanError } from '../../errors/index.ts'

/** How a part moves along what its learners agree on. */
export type OuterRule =
  /** The default: no memory, so that anybody can replay a round from its deltas alone. */
  | { readonly kind: 'sgd'; readonly rate: number }
  /** For short runs: 0.7 and 0.9. */
  | { readonly kind: 'nesterov'; readonly rate: number; readonly momentum: number }
  /** For dense codecs on request; very sensitive to its rate. */
  | {
      readonly kind: 'adamw'
      readonly rate: number
      readonly betas: readonly [number, number]
      readonly epsilon: number
    }

/** The memory of a rule. Whoever replays a round needs the same. */
export type OuterState = { readonly steps: number; readonly moments: readonly Float32Array[] }

/** Turns the direction into what is added to the part. Leaves the given state as it is. */
export function outerStep(
  direction: Float64Array,
  rule: OuterRule,
  state?: OuterState
): { readonly update: Float32Array; readonly state: OuterState | undefined } {
  const update = new Float32Array(direction.length)
  if (rule.kind === 'sgd') {
    for (let at = 0; at < direction.length; at++) update[at] = direction[at]! * rule.rate
    return { update, state: undefined }
  }
  const steps = (state?.steps ?? 0) + 1
  const [first, second] = momentsFor(direction.length, rule.kind === 'adamw' ? 2 : 1, state)
  if (rule.kind === 'nesterov') {
    for (let at = 0; at < direction.length; at++) {
      first![at] = rule.momentum * first![at]! + direction[at]!
      update[at] = rule.rate * (direction[at]! + rule.momentum * first![at]!)
    }
    return { update, state: { steps, moments: [first!] } }
  }
  const [beta, betaOfSquares] = rule.betas
  const bias = 1 - powerOf(beta, steps)
  const biasOfSquares = 1 - powerOf(betaOfSquares, steps)
  for (let at = 0; at < direction.length; at++) {
    const value = direction[at]!
    first![at] = beta * first![at]! + (1 - beta) * value
    second![at] = betaOfSquares * second![at]! + (1 - betaOfSquares) * value * value
    update[at] = (rule.rate * (first![at]! / bias)) / (Math.sqrt(second![at]! / biasOfSquares) + rule.epsilon)
  }
  return { update, state: { steps, moments: [first!, second!] } }
}

function momentsFor(length: number, count: number, state: OuterState | undefined): Float32Array[] {
  const known = state?.moments ?? []
  if (state !== undefined && (known.length !== count || known.some(moment => moment.length !== length)))
    throw new BlyanError('DELTA_INVALID', { reason: 'the memory of the outer step is of another rule or part' })
  return Array.from({ length: count }, (_, at) => known[at]?.slice() ?? new Float32Array(length))
}

/** Not Math.pow, whose last bit is free to differ between machines. */
function powerOf(base: number, exponent: number): number {
  let result = 1
  let factor = base
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result *= factor
    factor *= factor
  }
  return result
}
