/** Causal attention with grouped queries, and its derivative. Heads are [B, heads, S, headWidth]. */
import { rotate as rotateHeads } from '../model/graph-builder.ts'
import type { Tape, Value } from './tape.ts'

/** Names of int64 lists in the graph. */
export type BatchShape = {
  /** [B, S] */
  readonly rows: string
  /** [B], [S] */
  readonly sequences: string
  readonly sequenceTokens: string
}

export function batchShapeOf({ builder }: Tape, tokens: string): BatchShape {
  const rows = builder.add('Shape', [tokens])
  const sequences = builder.add('Shape', [tokens], { start: 0, end: 1 })
  return { rows, sequences, sequenceTokens: builder.add('Shape', [tokens], { start: 1, end: 2 }) }
}

/** Rows [B S, heads x headWidth] -> [B, heads, S, headWidth]. */
export function toHeads(tape: Tape, input: Value, batch: BatchShape, heads: number, headWidth: number): Value {
  const { builder } = tape
  const shape = builder.once(`heads ${heads}`, () =>
    builder.add('Concat', [batch.rows, builder.integers([heads, headWidth])], { axis: 0 })
  )
  const split = builder.sized(builder.add('Reshape', [input.name, shape]), ['B', 'S', heads, headWidth])
  const output = builder.add('Transpose', [split], { perm: [0, 2, 1, 3] })
  return tape.record(output, [input], slope => [joinHeads(tape, slope, heads * headWidth)])
}

/** The way back: [B, heads, S, headWidth] -> [B S, heads x headWidth]. */
export function fromHeads(tape: Tape, input: Value, batch: BatchShape, heads: number, headWidth: number): Value {
  const { builder } = tape
  const output = joinHeads(tape, input.name, heads * headWidth)
  return tape.record(output, [input], slope => {
    const shape = builder.once(`heads ${heads}`, () =>
      builder.add('Concat', [batch.rows, builder.integers([heads, headWidth])], { axis: 0 })
    )
    const split = builder.sized(builder.add('Reshape', [slope, shape]), ['B', 'S', heads, headWidth])
    return [builder.add('Transpose', [split], { perm: [0, 2, 1, 3] })]
  })
}

/** Rotary positions; `cosines` and `sines` are [S, headWidth] with equal halves, so turning back is turning by -sines. */
export function rotate(tape: Tape, input: Value, cosines: string, sines: string): Value {
  const { builder } = tape
  return tape.record(rotateHeads(builder, input.name, cosines, sines), [input], slope => {
    const back = builder.once('sines back', () => builder.add('Neg', [sines]))
    return [rotateHeads(builder, slope, cosines, back)]
  })
}

/**
 * softmax(queries keys^T / sqrt(headWidth) + mask) values. Queries [B, heads, S, headWidth], keys and values
 * [B, keyValueHeads, S, headWidth]; heads that share keys lie one after the other, so that they are rows of one product
 * and the slopes of keys and values need no extra sum.
 */
export function attend(
  tape: Tape,
  { queries, keys, values }: { readonly queries: Value; readonly keys: Value; readonly values: Value },
  mask: string,
  batch: BatchShape,
  shape: { readonly heads: number; readonly keyValueHeads: number; readonly headWidth: number }
): Value {
  const { builder } = tape
  const { heads, keyValueHeads, headWidth } = shape
  const factor = builder.float(1 / Math.sqrt(headWidth))
  const flip = (value: string): string => builder.add('Transpose', [value], { perm: [0, 1, 3, 2] })
  const rows = heads === keyValueHeads ? 'S' : 'S of a group'
  const group = (value: string): string =>
    builder.sized(builder.add('Reshape', [value, builder.integers([0, keyValueHeads, -1, headWidth])]), [
      'B',
      keyValueHeads,
      rows,
      headWidth
    ])
  const ungroup = (value: string): string =>
    builder.sized(builder.add('Reshape', [value, builder.integers([0, heads, -1, headWidth])]), [
      'B',
      heads,
      'S',
      headWidth
    ])
  const scoreShape = builder.once('score shape', () =>
    builder.add('Concat', [batch.sequences, builder.integers([heads]), batch.sequenceTokens, batch.sequenceTokens], {
      axis: 0
    })
  )
  const groupedScoreShape = builder.once('grouped score shape', () =>
    builder.add('Concat', [batch.sequences, builder.integers([keyValueHeads, -1]), batch.sequenceTokens], { axis: 0 })
  )
  const scaled = builder.add('Mul', [group(queries.name), factor])
  const products = builder.add('MatMul', [scaled, flip(keys.name)])
  const scores = builder.sized(builder.add('Reshape', [products, scoreShape]), ['B', heads, 'S', 'S'])
  const masked = builder.add('Softmax', [builder.add('Add', [scores, mask])], { axis: -1 })
  const shares = builder.sized(builder.add('Reshape', [masked, groupedScoreShape]), ['B', keyValueHeads, rows, 'S'])
  const mixed = builder.add('MatMul', [shares, values.name])
  return tape.record(ungroup(mixed), [queries, keys, values], slope => {
    const own = group(slope)
    const valuesSlope = values.tracked ? builder.add('MatMul', [flip(shares), own]) : null
    if (!queries.tracked && !keys.tracked) return [null, null, valuesSlope]
    // The row sums of softmax's derivative are those of slope x result, which is a much smaller product.
    const along = builder.add('ReduceSum', [builder.add('Mul', [own, mixed]), builder.integers([-1])], { keepdims: 1 })
    const sharesSlope = builder.add('MatMul', [own, flip(values.name)])
    const scoresSlope = builder.add('Mul', [shares, builder.add('Sub', [sharesSlope, along])])
    return [
      queries.tracked ? ungroup(builder.add('Mul', [builder.add('MatMul', [scoresSlope, keys.name]), factor])) : null,
      keys.tracked ? builder.add('MatMul', [flip(scoresSlope), scaled]) : null,
      valuesSlope
    ]
  })
}

function joinHeads({ builder }: Tape, value: string, width: number): string {
  const byRow = builder.add('Transpose', [value], { perm: [0, 2, 1, 3] })
  return builder.sized(builder.add('Reshape', [byRow, builder.integers([-1, width])]), ['N', width])
}
