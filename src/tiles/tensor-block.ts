import { bytesEqual, type CanonicalValue, decodeCanonical, encodeCanonical } from '../codec/index.ts'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import {
  type DataType,
  dataSizeBytes,
  dataTypeOfCode,
  dataTypes,
  foldShape,
  inputInvalid,
  isDataType,
  type Quantisation,
  quantisationOf,
  quantisationOfCode,
  quantisations,
  scalesSizeBytes
} from './data-types.ts'

/**
 * TensorBlock version 1: a fixed header of 128 bytes, metadata, scales, zeros up to a multiple of
 * 256 KiB, then the data and nothing else. One tensor has exactly one encoding, so that every machine
 * gives it the same name. Source: docs/protocol.md, "TensorBlock".
 */
export type TensorDescription = {
  readonly name: string
  readonly dtype: DataType
  readonly shape: readonly number[]
  /** What the tensor came from; exporting gives that file back. */
  readonly source: TensorSource
}

export type TensorSource =
  /** All bytes of the .npy file before its data. */
  { readonly format: 'npy'; readonly header: Uint8Array } | { readonly format: 'tblock' }

export type TensorLayout = {
  readonly scalesOffsetBytes: number
  readonly scalesLengthBytes: number
  readonly dataOffsetBytes: number
  readonly dataLengthBytes: number
  readonly fileSizeBytes: number
}

export const fixedHeaderSizeBytes = 128
export const leafSizeBytes = 256 * 1024
/** Header, metadata and scales together: 64 leaves. */
export const headerRegionSizeBytesMax = 16 * 1024 * 1024
export const metadataSizeBytesMax = 64 * 1024
export const sourceHeaderSizeBytesMax = 32 * 1024
export const nameLengthMax = 512

const magic = new TextEncoder().encode('TBLOCK01')
const formatVersion = 1
const rowMajor = 0
const scalesAlignmentBytes = 64
const reservedOffsetBytes = 76

/** The bytes of the file before its data. Throws TENSOR_INPUT_INVALID or TENSOR_TOO_LARGE. */
export function encodeHeaderRegion(
  description: TensorDescription,
  scales: Uint8Array = new Uint8Array()
): { region: Uint8Array; layout: TensorLayout } {
  checkDescription(description)
  const { dtype, shape } = description
  const matrix = foldShape(shape)
  const quantisation = quantisationOf(dtype, scales.length > 0)
  const wanted = scalesSizeBytes(quantisation, matrix)
  if (scales.length !== wanted) throw inputInvalid(`${scales.length} bytes of scales where ${wanted} belong`)
  const metadata = encodeMetadata(description, quantisation)
  const layout = layoutOf(metadata.length, wanted, dataSizeBytes(dtype, matrix))
  const region = new Uint8Array(layout.dataOffsetBytes)
  const view = new DataView(region.buffer)
  region.set(magic)
  view.setUint32(8, formatVersion, true)
  view.setUint32(12, dataTypes[dtype].code, true)
  view.setBigUint64(16, BigInt(matrix.rows), true)
  view.setBigUint64(24, BigInt(matrix.columns), true)
  view.setUint32(32, rowMajor, true)
  view.setUint32(36, quantisations[quantisation], true)
  view.setBigUint64(40, BigInt(layout.scalesOffsetBytes), true)
  view.setBigUint64(48, BigInt(layout.dataOffsetBytes), true)
  // 56: index offset, zero: the IPFS object is the index.
  view.setBigUint64(64, BigInt(layout.dataLengthBytes), true)
  view.setUint32(72, metadata.length, true)
  region.set(metadata, fixedHeaderSizeBytes)
  region.set(scales, layout.scalesOffsetBytes)
  return { region, layout }
}

export type FixedHeader = {
  readonly dtype: DataType
  readonly quantisation: Quantisation
  readonly metadataLengthBytes: number
  readonly dataOffsetBytes: number
  readonly dataLengthBytes: number
}

/** Reads the first 128 bytes: enough to know, within bounds, how much to read next. */
export function decodeFixedHeader(bytes: Uint8Array): FixedHeader {
  if (bytes.length < fixedHeaderSizeBytes) throw invalid('shorter than its header')
  if (!bytesEqual(bytes.subarray(0, magic.length), magic)) throw invalid('it does not start with TBLOCK01')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getUint32(8, true)
  if (version !== formatVersion) throw invalid(`version ${version} is not known here`)
  const dtype = dataTypeOfCode(view.getUint32(12, true))
  if (dtype === undefined) throw invalid(`dtype ${view.getUint32(12, true)} is not known here`)
  if (view.getUint32(32, true) !== rowMajor) throw invalid('its layout is not row by row')
  const quantisation = quantisationOfCode(view.getUint32(36, true))
  if (quantisation === undefined) throw invalid(`quantisation ${view.getUint32(36, true)} is not known here`)
  if (view.getBigUint64(56, true) !== 0n) throw invalid('its index offset is not zero')
  const reserved = bytes.subarray(reservedOffsetBytes, fixedHeaderSizeBytes)
  if (reserved.some(byte => byte !== 0)) throw invalid('reserved bytes are not zero')
  const metadataLengthBytes = view.getUint32(72, true)
  if (metadataLengthBytes > metadataSizeBytesMax) throw invalid(`${metadataLengthBytes} bytes of metadata are too many`)
  const dataOffsetBytes = Number(view.getBigUint64(48, true))
  const misplaced = dataOffsetBytes === 0 || dataOffsetBytes % leafSizeBytes !== 0
  if (misplaced || dataOffsetBytes > headerRegionSizeBytesMax) throw invalid('its data starts at a wrong place')
  const dataLengthBytes = Number(view.getBigUint64(64, true))
  if (!Number.isSafeInteger(dataLengthBytes)) throw invalid('its data is longer than can be counted')
  return { dtype, quantisation, metadataLengthBytes, dataOffsetBytes, dataLengthBytes }
}

/**
 * Reads everything before the data. The strict rule is one line: encoding what was read must give the
 * same bytes. Throws TENSOR_FORMAT_INVALID.
 */
export function decodeHeaderRegion(region: Uint8Array): {
  description: TensorDescription
  layout: TensorLayout
  scales: Uint8Array
} {
  const fixed = decodeFixedHeader(region)
  if (region.length !== fixed.dataOffsetBytes) throw invalid('its header region has another length than it says')
  try {
    const metadata = region.subarray(fixedHeaderSizeBytes, fixedHeaderSizeBytes + fixed.metadataLengthBytes)
    const description = decodeMetadata(metadata)
    const scalesLengthBytes = scalesSizeBytes(fixed.quantisation, foldShape(description.shape))
    const scalesOffsetBytes = scalesOffset(fixed.metadataLengthBytes, scalesLengthBytes)
    if (scalesOffsetBytes + scalesLengthBytes > region.length) throw invalid('its scales do not fit')
    const scales = region.subarray(scalesOffsetBytes, scalesOffsetBytes + scalesLengthBytes)
    const again = encodeHeaderRegion(description, scales)
    if (!bytesEqual(again.region, region)) throw invalid('its header, metadata and padding do not agree')
    return { description, layout: again.layout, scales }
  } catch (error) {
    if (isBlyanError(error, 'TENSOR_FORMAT_INVALID')) throw error
    throw invalid(error instanceof Error ? error.message : 'malformed metadata', error)
  }
}

function layoutOf(metadataLengthBytes: number, scalesLengthBytes: number, dataLengthBytes: number): TensorLayout {
  const start = scalesOffset(metadataLengthBytes, scalesLengthBytes)
  const end = start === 0 ? fixedHeaderSizeBytes + metadataLengthBytes : start + scalesLengthBytes
  const dataOffsetBytes = Math.ceil(end / leafSizeBytes) * leafSizeBytes
  if (dataOffsetBytes > headerRegionSizeBytesMax) {
    throw tooLarge('the header of a tensor', `${end} bytes`, `${headerRegionSizeBytesMax} bytes`)
  }
  const fileSizeBytes = dataOffsetBytes + dataLengthBytes
  return { scalesOffsetBytes: start, scalesLengthBytes, dataOffsetBytes, dataLengthBytes, fileSizeBytes }
}

/** Zero where there are no scales. */
function scalesOffset(metadataLengthBytes: number, scalesLengthBytes: number): number {
  if (scalesLengthBytes === 0) return 0
  return Math.ceil((fixedHeaderSizeBytes + metadataLengthBytes) / scalesAlignmentBytes) * scalesAlignmentBytes
}

function checkDescription({ name, dtype, shape, source }: TensorDescription): void {
  if (name.length > nameLengthMax) throw inputInvalid(`its name is longer than ${nameLengthMax} characters`)
  if (!name.isWellFormed()) throw inputInvalid('its name is not Unicode text')
  if (!isDataType(dtype)) throw new BlyanError('TENSOR_DTYPE_UNSUPPORTED', { name, dtype: String(dtype) })
  foldShape(shape)
  if (source.format === 'npy' && source.header.length > sourceHeaderSizeBytesMax) {
    const size = `${source.header.length} bytes`
    throw tooLarge('the header of the source file', size, `${sourceHeaderSizeBytesMax} bytes`)
  }
}

function encodeMetadata({ name, dtype, shape, source }: TensorDescription, quantisation: Quantisation): Uint8Array {
  const axis = quantisation === 'none' ? null : 1
  const kept: CanonicalValue = source.format === 'npy' ? { format: 'npy', header: source.header } : { format: 'tblock' }
  return encodeCanonical({ name, shape, dtype, axis, source: kept })
}

/** Only the types are looked at; whether nothing else is in there shows when it is encoded again. */
function decodeMetadata(bytes: Uint8Array): TensorDescription {
  const fields = fieldsOf(decodeCanonical(bytes, { sizeBytesMax: metadataSizeBytesMax }))
  const { name, dtype, shape, source } = fields
  if (typeof name !== 'string') throw invalid('its name is not text')
  if (!isDataType(dtype)) throw invalid('its dtype is not known here')
  if (!Array.isArray(shape) || !shape.every(size => typeof size === 'number')) throw invalid('its shape is no list')
  const { format, header } = fieldsOf(source ?? null)
  if (format === 'npy' && header instanceof Uint8Array) return { name, dtype, shape, source: { format, header } }
  if (format !== 'tblock') throw invalid('its source is not known here')
  return { name, dtype, shape, source: { format } }
}

function fieldsOf(value: CanonicalValue): Record<string, CanonicalValue> {
  if (typeof value !== 'object' || value === null) throw invalid('its metadata is no map')
  return Object.fromEntries(Object.entries(value))
}

export function tooLarge(what: string, size: string, limit: string): BlyanError {
  return new BlyanError('TENSOR_TOO_LARGE', { what, size, limit })
}

function invalid(reason: string, cause?: unknown): BlyanError {
  return new BlyanError('TENSOR_FORMAT_INVALID', { format: 'tblock', reason }, { cause })
}
