import { type CanonicalValue, CID } from '../codec/index.ts'
import type { RegisteredFile } from '../storage/index.ts'
import { type DataType, isDataType, type Quantisation, quantisationOf } from './data-types.ts'
import type { TensorDescription, TensorLayout } from './tensor-block.ts'
import { leafCount, tileCount } from './tensor-dag.ts'

/** A tensor that is on this machine, with all that is needed to map its data. */
export type TensorInfo = {
  readonly cid: string
  readonly name: string
  readonly dtype: DataType
  readonly shape: readonly number[]
  readonly quantisation: Quantisation
  /** Size of the whole file. */
  readonly sizeBytes: number
  readonly path: string
  readonly dataOffsetBytes: number
  readonly dataLengthBytes: number
  /** Zero where there are no scales. */
  readonly scalesOffsetBytes: number
  readonly scalesLengthBytes: number
  readonly leaves: number
  readonly tiles: number
  readonly local: true
  readonly pinned: boolean
}

/** What one `put` or `fetch` brought: a tensor, or a bundle of those a .safetensors file holds. */
export type StoredObject = {
  readonly cid: string
  readonly kind: 'tensor' | 'bundle'
  /** Of the one tensor there is, else `bundle`. */
  readonly dtype: DataType | 'bundle'
  /** Of the one tensor there is, else empty. */
  readonly shape: readonly number[]
  /** Size of all files together. */
  readonly sizeBytes: number
  readonly tensors: readonly TensorInfo[]
}

export function storedTensor(info: TensorInfo): StoredObject {
  const { cid, dtype, shape, sizeBytes } = info
  return { cid, kind: 'tensor', dtype, shape, sizeBytes, tensors: [info] }
}

export function storedBundle(cid: CID, tensors: readonly TensorInfo[]): StoredObject {
  const only = tensors.length === 1 ? tensors[0] : undefined
  return {
    cid: cid.toString(),
    kind: 'bundle',
    dtype: only?.dtype ?? 'bundle',
    shape: only?.shape ?? [],
    sizeBytes: tensors.reduce((total, tensor) => total + tensor.sizeBytes, 0),
    tensors
  }
}

export function fileNameOf(root: CID): string {
  return `${root.toString()}${fileSuffix}`
}

/** The root a file name stands for, else undefined. */
export function rootOfFileName(fileName: string): CID | undefined {
  if (!fileName.endsWith(fileSuffix)) return undefined
  try {
    return CID.parse(fileName.slice(0, -fileSuffix.length))
  } catch {
    return undefined
  }
}

const fileSuffix = '.tblock'

/** What the blockstore keeps beside a file, so that listing tensors opens none of them. */
export function encodeFileDescription({ name, dtype, shape }: TensorDescription, layout: TensorLayout): CanonicalValue {
  return {
    name,
    dtype,
    shape,
    data: [layout.dataOffsetBytes, layout.dataLengthBytes],
    scales: [layout.scalesOffsetBytes, layout.scalesLengthBytes]
  }
}

/** Undefined for what is not of this version of the program; the file is then looked at again. */
export function tensorInfoOf(file: RegisteredFile, path: string, pinned: boolean): TensorInfo | undefined {
  const { name, dtype, shape, data, scales } = fieldsOf(file.description)
  if (typeof name !== 'string' || !isDataType(dtype) || !isNumbers(shape)) return undefined
  if (!isNumbers(data) || !isNumbers(scales)) return undefined
  const [dataOffsetBytes = 0, dataLengthBytes = 0] = data
  const [scalesOffsetBytes = 0, scalesLengthBytes = 0] = scales
  const size = { dataOffsetBytes, dataLengthBytes }
  return {
    cid: file.root.toString(),
    name,
    dtype,
    shape,
    quantisation: quantisationOf(dtype, scalesLengthBytes > 0),
    sizeBytes: file.sizeBytes,
    path,
    ...size,
    scalesOffsetBytes,
    scalesLengthBytes,
    leaves: leafCount(size),
    tiles: tileCount(size),
    local: true,
    pinned
  }
}

function isNumbers(value: CanonicalValue | undefined): value is readonly number[] {
  return Array.isArray(value) && value.every(item => typeof item === 'number')
}

function fieldsOf(value: CanonicalValue): Record<string, CanonicalValue> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {}
}
