import { BlyanError } from '../errors/index.ts'

/** Names and numbers of data types in a TensorBlock. A number once given never changes its meaning. */
export const dataTypes = {
  fp32: { code: 1, bits: 32 },
  fp16: { code: 2, bits: 16 },
  bf16: { code: 3, bits: 16 },
  int8: { code: 4, bits: 8 },
  /** e4m3 */
  fp8: { code: 5, bits: 8 },
  /** Two values a byte, in blocks of 32 along a row; a row is padded to whole blocks. */
  int4: { code: 6, bits: 4 }
} as const

export type DataType = keyof typeof dataTypes

/** How scales belong to the data. Scales are fp32, little-endian. */
export const quantisations = {
  none: 0,
  /** int8, one scale a column of the folded matrix. */
  'int8-per-column': 1,
  /** int4, one scale a block of 32 values along a row. */
  'int4-blocks-of-32': 2
} as const

export type Quantisation = keyof typeof quantisations

export type Matrix = { readonly rows: number; readonly columns: number }

export const rankMax = 16
const scaleSizeBytes = 4
const int4BlockValues = 32
const int4BlockSizeBytes = 16

export function dataTypeOfCode(code: number): DataType | undefined {
  return dataTypeNames.find(name => dataTypes[name].code === code)
}

export function quantisationOfCode(code: number): Quantisation | undefined {
  return quantisationNames.find(name => quantisations[name] === code)
}

export function isDataType(value: unknown): value is DataType {
  return dataTypeNames.some(name => name === value)
}

const dataTypeNames = Object.keys(dataTypes) as DataType[]
const quantisationNames = Object.keys(quantisations) as Quantisation[]

/** Folds a shape of any rank to a matrix: all but the last dimension are rows. A scalar is 1 x 1. */
export function foldShape(shape: readonly number[]): Matrix {
  if (shape.length > rankMax) throw inputInvalid(`rank ${shape.length} is more than ${rankMax}`)
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) throw inputInvalid(`${size} is no size of a dimension`)
  }
  const columns = shape.at(-1) ?? 1
  return { rows: product(shape.slice(0, -1)), columns }
}

function product(sizes: readonly number[]): number {
  const result = sizes.includes(0) ? 0 : sizes.reduce((total, size) => total * size, 1)
  if (!Number.isSafeInteger(result)) throw inputInvalid('the shape has more values than can be counted')
  return result
}

/** Size of the data region. */
export function dataSizeBytes(dtype: DataType, { rows, columns }: Matrix): number {
  const rowSizeBytes =
    dtype === 'int4' ? Math.ceil(columns / int4BlockValues) * int4BlockSizeBytes : (columns * dataTypes[dtype].bits) / 8
  const sizeBytes = rows * rowSizeBytes
  if (!Number.isSafeInteger(sizeBytes)) throw inputInvalid('the shape has more values than can be counted')
  return sizeBytes
}

/** Size of the scales that belong to the data. */
export function scalesSizeBytes(quantisation: Quantisation, { rows, columns }: Matrix): number {
  if (quantisation === 'none') return 0
  if (quantisation === 'int8-per-column') return columns * scaleSizeBytes
  return rows * Math.ceil(columns / int4BlockValues) * scaleSizeBytes
}

/** int8 comes with or without scales, int4 only with them, the others never. */
export function quantisationOf(dtype: DataType, hasScales: boolean): Quantisation {
  if (dtype === 'int4') return 'int4-blocks-of-32'
  if (!hasScales) return 'none'
  if (dtype === 'int8') return 'int8-per-column'
  throw inputInvalid(`${dtype} has no scales`)
}

export function inputInvalid(reason: string): BlyanError {
  return new BlyanError('TENSOR_INPUT_INVALID', { reason })
}
