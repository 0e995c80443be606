/** Models of the second family with drawn weights, as rows for the reference and as part files. */
import {
  type ArchitectureV2,
  cutsOf,
  describeModel,
  littleEndianBytes,
  type MatrixCut,
  type PartDescription,
  type PartFile,
  packPart
} from '../../src/experts/index.ts'
import { createIntegerGenerator } from '../../src/experts/model/integer-generator.ts'
import { writePartBytes } from './model-folder.ts'
import type { Row, Weights } from './reference-model.ts'

/** Every extent differs from every other, so that a mix-up shows. */
export const packedArchitecture: ArchitectureV2 = {
  family: 'blyan-moe/2',
  vocabulary: 300,
  width: 24,
  layers: 2,
  heads: 6,
  keyValueHeads: 3,
  headWidth: 8,
  experts: 5,
  expertsPerToken: 2,
  expertWidth: 20,
  contextTokens: 64,
  ropeBase: 10_000,
  normEpsilon: '1e-6',
  router: { softmaxFirst: true, normalise: true },
  embeddingScale: 'one',
  precision: 'fp32',
  attentionBias: false,
  queryKeyNorm: 'none',
  clipQueryKeyValue: null,
  slidingWindow: null,
  sharedExpertWidth: 0,
  denseLayers: [],
  denseWidth: 0,
  tokenizer: 'tokenizer.json'
}

export type PackedModel = {
  readonly parts: readonly PartFile[]
  /** As the parts hold them: int8 matrices times their scales. */
  readonly weights: Weights
}

/** Where the numbers come from: all rows of a matrix [out][in], of a table, or the one row of a vector. */
export type RowSource = (part: PartDescription, name: string, rows: number, columns: number) => Row[]

export function writePackedModel(folder: string, architecture: ArchitectureV2, source: RowSource = drawn): PackedModel {
  const rows = new Map<string, Row[]>()
  const parts = describeModel(architecture).map(part => {
    const bytes = new Map<string, Uint8Array>()
    for (const name of new Set(part.slices.map(slice => slice.name.replace(/(\.\d+)?(\.scales)?$/, '')))) {
      rows.set(`${part.name}/${name}`, fill(bytes, part, name, source))
    }
    return writePartBytes(folder, part, packPart(part, bytes))
  })
  return { parts, weights: (part, name) => rows.get(`${part}/${name}`)! }
}

/** Puts the bytes of a matrix, table or vector into `bytes`, and returns its rows as they are stored. */
function fill(bytes: Map<string, Uint8Array>, part: PartDescription, name: string, source: RowSource): Row[] {
  const slice = part.slices.find(slice => slice.name === name)
  if (slice?.orientation === null) {
    const rows = source(part, name, slice.shape.length === 1 ? 1 : slice.shape[0]!, slice.shape.at(-1)!)
    if (slice.dtype === 'fp32') {
      bytes.set(name, floatBytes(rows.flat()))
      return rows
    }
    const { values, scales } = quantise(rows)
    bytes.set(name, Uint8Array.from(values.flat()))
    bytes.set(`${name}.scales`, floatBytes(scales))
    return values.map((row, i) => row.map(value => value * scales[i]!))
  }
  const cuts = cutsOf(part, name)
  const extents = cuts.map(({ matrix }) => (matrix.orientation === 'outIn' ? matrix.shape : matrix.shape.toReversed()))
  const outputs = extents.reduce((sum, extent) => sum + extent[0]!, 0)
  const rows = source(part, name, outputs, extents[0]![1]!)
  return cuts.flatMap((cut, i) => {
    const first = extents.slice(0, i).reduce((sum, extent) => sum + extent[0]!, 0)
    return fillCut(bytes, cut, rows.slice(first, first + extents[i]![0]!))
  })
}

function fillCut(bytes: Map<string, Uint8Array>, { matrix, scales }: MatrixCut, rows: Row[]): Row[] {
  if (scales === null) {
    bytes.set(matrix.name, floatBytes(rows.flat()))
    return rows
  }
  const rounded = quantise(rows)
  const columns = rows[0]!.map((_, i) => rounded.values.map(row => row[i]!))
  bytes.set(matrix.name, Uint8Array.from(columns.flat()))
  bytes.set(scales.name, floatBytes(rounded.scales))
  return rounded.values.map((row, i) => row.map(value => value * rounded.scales[i]!))
}

function drawn(part: PartDescription, name: string, rows: number, columns: number): Row[] {
  const next = createIntegerGenerator(`${part.name}/${name}`)
  const draw = (): number => {
    const value = (next() / 2 ** 32 - 0.5) * 1.4
    return Math.fround(name.endsWith('Norm') ? 1 + value / 4 : value)
  }
  return Array.from({ length: rows }, () => Array.from({ length: columns }, draw))
}

function quantise(rows: Row[]): { values: Row[]; scales: Row } {
  const scales = rows.map(row => Math.fround(Math.max(...row.map(Math.abs)) / 127))
  return { scales, values: rows.map((row, i) => row.map(value => Math.round(value / scales[i]!))) }
}

function floatBytes(values: Row): Uint8Array {
  return littleEndianBytes(Float32Array.from(values))
}
