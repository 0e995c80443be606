/** Models with drawn parameters, as inputs of training graphs and as rows for the reference. */
import { type Architecture, describeModel, shapeOf } from '../../../src/experts/index.ts'
import { positionTables } from '../../../src/experts/training/position-tables.ts'
import type { Row, Weights } from '../reference-model.ts'
import { createNumbers, type Numbers, type TestFeed, tablesIn64 } from './graph-session.ts'

export type DrawnModel = {
  /** By `<part>/<slice>`. */
  readonly parameters: ReadonlyMap<string, { readonly data: Float64Array; readonly dimensions: readonly number[] }>
  /** As the reference wants them: rows of a matrix are its outputs. */
  readonly weights: Weights
}

export function drawModel(architecture: Architecture, seed = 11): DrawnModel {
  const draw = createNumbers(seed)
  const parameters = new Map<string, { data: Float64Array; dimensions: readonly number[] }>()
  const rows = new Map<string, Row[]>()
  for (const part of describeModel(architecture)) {
    for (const { name, shape, orientation } of part.slices) {
      const length = shape.reduce((product, extent) => product * extent, 1)
      const isNorm = name.endsWith('Norm')
      const data = Float64Array.from({ length }, () => Math.fround(isNorm ? 1 + draw() / 4 : draw() * 0.6))
      parameters.set(`${part.name}/${name}`, { data, dimensions: shape })
      const width = shape.at(-1)!
      const plain = Array.from({ length: length / width }, (_, row) => [
        ...data.subarray(row * width, (row + 1) * width)
      ])
      rows.set(
        `${part.name}/${name}`,
        orientation === 'inOut' ? plain[0]!.map((_, column) => plain.map(row => row[column]!)) : plain
      )
    }
  }
  return { parameters, weights: (part, name) => rows.get(`${part}/${name}`)! }
}

/** `tokens` holds for each sequence its tokens and one more; every feed but the tokens is in the precision asked for. */
export function feedsOf(
  architecture: Architecture,
  { parameters }: DrawnModel,
  tokens: readonly (readonly number[])[],
  precision: 'fp32' | 'fp64' = 'fp64'
): Record<string, TestFeed> {
  const sequenceTokens = tokens[0]!.length - 1
  const convert = (data: Numbers): Numbers => (precision === 'fp64' ? data : Float32Array.from(data))
  const ids = (from: number): TestFeed => ({
    data: BigInt64Array.from(
      tokens.flatMap(row => row.slice(from, from + sequenceTokens)),
      BigInt
    ),
    dimensions: [tokens.length, sequenceTokens]
  })
  const floats = {
    ...tablesIn64(positionTables(shapeOf(architecture), sequenceTokens)),
    ...Object.fromEntries(parameters)
  }
  return {
    tokens: ids(0),
    targets: ids(1),
    ...Object.fromEntries(
      Object.entries(floats).map(([name, { data, dimensions }]) => [
        name,
        // The session keeps what it is fed: finite differences change the drawn numbers in place.
        { data: data instanceof BigInt64Array ? data : convert(data), dimensions }
      ])
    )
  }
}

export function drawTokens(architecture: Architecture, sequences: number, sequenceTokens: number): number[][] {
  const draw = createNumbers(5)
  const one = (): number => Math.floor(Math.abs(draw()) * 1e6) % Math.min(architecture.vocabulary, 40)
  return Array.from({ length: sequences }, () => Array.from({ length: sequenceTokens + 1 }, one))
}
