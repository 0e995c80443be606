/** What is made small, and its derivatives. All losses are scalars. */
import type { ModelShape } from '../model/architecture.ts'
import type { CastNumbers } from './operations.ts'
import type { Routing } from './sparse-experts.ts'
import type { Tape, Value } from './tape.ts'

export type TokenLoss = {
  /** Mean over all tokens, in nats. */
  readonly loss: Value
  /** [N]: of each token, in nats. */
  readonly perToken: string
}

/** Cross-entropy of logits [N, V] against `targets` [N]. */
export function crossEntropy(tape: Tape, logits: Value, targets: string, cast: CastNumbers): TokenLoss {
  const { builder } = tape
  const logShares = builder.add('LogSoftmax', [logits.name], { axis: -1 })
  const column = builder.add('Unsqueeze', [targets, builder.integers([-1])])
  const own = builder.add('GatherElements', [logShares, column], { axis: -1 })
  const perToken = builder.add('Neg', [builder.add('Squeeze', [own, builder.integers([-1])])])
  const mean = builder.add('ReduceMean', [perToken], { keepdims: 0 })
  const loss = tape.record(mean, [logits], slope => {
    // softmax - 1 at the target, over the number of tokens
    const shares = builder.add('Exp', [logShares])
    const lessOne = builder.add('Sub', [builder.add('Exp', [own]), builder.float(1)])
    const distance = builder.add('ScatterElements', [shares, column, lessOne], { axis: -1 })
    return [builder.add('Mul', [distance, perRow(tape, slope, targets, cast)])]
  })
  return { loss, perToken }
}

/**
 * experts x sum of (share of the choices an expert got) x (its mean probability): 1 when all are used alike, larger the less so.
 * Only the probabilities have slopes. Source: Fedus et al., Switch Transformers, section 2.2.
 */
export function balanceLoss(tape: Tape, routing: Routing, shape: ModelShape, cast: CastNumbers): Value {
  const { builder } = tape
  const { shares, isChosen } = routing
  const used = builder.add('ReduceMean', [isChosen, builder.integers([0, 1])], { keepdims: 0 })
  // A row has one 1 in every choice, so the mean over both is the share already.
  const wanted = builder.add('Mul', [used, builder.float(shape.experts)])
  const mean = builder.add('ReduceMean', [shares.name, builder.integers([0])], { keepdims: 0 })
  const loss = builder.add('ReduceSum', [builder.add('Mul', [mean, wanted])], { keepdims: 0 })
  return tape.record(loss, [shares], slope => {
    const row = builder.add('Mul', [wanted, perRow(tape, slope, shares.name, cast)])
    return [builder.add('Expand', [row, builder.add('Shape', [shares.name])])]
  })
}

/** Mean of the squared log of the sum of exponentials of logits [N, E]: keeps them small. Source: Zoph et al., ST-MoE, equation 5. */
export function zLoss(tape: Tape, logits: Value, cast: CastNumbers): Value {
  const { builder } = tape
  const size = builder.add('ReduceLogSumExp', [logits.name, builder.integers([-1])], { keepdims: 1 })
  const loss = builder.add('ReduceMean', [builder.add('Mul', [size, size])], { keepdims: 0 })
  return tape.record(loss, [logits], slope => {
    const shares = builder.add('Softmax', [logits.name], { axis: -1 })
    const twice = builder.add('Mul', [size, builder.float(2)])
    const row = builder.add('Mul', [twice, perRow(tape, slope, logits.name, cast)])
    return [builder.add('Mul', [shares, row])]
  })
}

/** The sum of scalars, each times its number. */
export function weightedSum(tape: Tape, terms: readonly (readonly [value: Value, weight: number])[]): Value {
  const { builder } = tape
  const times = (value: string, weight: number): string =>
    weight === 1 ? value : builder.add('Mul', [value, builder.float(weight)])
  const scaled = terms.map(([value, weight]) => times(value.name, weight))
  if (scaled.length === 1 && terms[0]![1] === 1) return terms[0]![0]
  return tape.record(
    scaled.length === 1 ? scaled[0]! : builder.add('Sum', scaled),
    terms.map(([value]) => value),
    slope => terms.map(([, weight]) => times(slope, weight))
  )
}

/** A scalar slope of a mean over the rows of `like`, shared out among them. */
function perRow({ builder }: Tape, slope: string, like: string, cast: CastNumbers): string {
  const count = builder.once(`rows of ${like}`, () => {
    const rows = builder.add('Squeeze', [builder.add('Shape', [like], { start: 0, end: 1 })])
    return builder.add('Cast', [rows], { to: cast.float })
  })
  return builder.add('Div', [slope, count])
}
