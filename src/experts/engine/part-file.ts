import { realpath, stat } from 'node:fs/promises'
import { isAbsolute, relative, sep } from 'node:path'
import type { CanonicalValue } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { TensorLocation } from '../model/graphs.ts'
import type { PartDescription } from '../model/part-layout.ts'
import type { Frame } from './frame-channel.ts'
import { asMap, integerField, listField, textField } from './frame-fields.ts'

/**
 * A part in a file: `dataLengthBytes` of contiguous little-endian data from `dataOffsetBytes` of the file at `path`,
 * which is absolute and lies in the engine's tensor folder. The file must never be written or truncated while loaded.
 */
export type PartFile = {
  readonly name: string
  readonly path: string
  readonly dataOffsetBytes: number
  readonly dataLengthBytes: number
  readonly shape: readonly number[]
  readonly dtype: 'fp32' | 'int8'
  /** The file is the whole part as `writeCompressedPart` wrote it, offset 0. For experts only, which are then streamed. */
  readonly compression?: 'zstd' | undefined
}

export type LocatedPart = PartFile & TensorLocation

export function partFileToFrame(part: PartFile): Frame {
  const { name, path, dataOffsetBytes, dataLengthBytes, shape, dtype, compression = 'none' } = part
  return { name, path, dataOffsetBytes, dataLengthBytes, shape, dtype, compression }
}

export function partFileFromFrame(value: CanonicalValue): PartFile {
  const frame = asMap(value, 'part')
  const name = textField(frame, 'name')
  const dtype = textField(frame, 'dtype')
  if (dtype !== 'fp32' && dtype !== 'int8') throw invalid(name, 'only fp32 and int8 can be computed from')
  return {
    name,
    path: textField(frame, 'path'),
    dataOffsetBytes: integerField(frame, 'dataOffsetBytes'),
    dataLengthBytes: integerField(frame, 'dataLengthBytes'),
    shape: listField(frame, 'shape').map(extent => Number(extent)),
    dtype,
    ...(textField(frame, 'compression') === 'zstd' ? { compression: 'zstd' } : {})
  }
}

/**
 * Checks that the file can hold the part before anything maps it: mapping past the end of a file kills the process.
 * Links are followed first; what they lead to must lie in `tensorFolder`. Throws PART_FILE_INVALID.
 */
export async function locatePart(
  part: PartFile,
  { shape, dtype, dataLengthBytes: wantedBytes }: Pick<PartDescription, 'shape' | 'dtype' | 'dataLengthBytes'>,
  tensorFolder: string
): Promise<LocatedPart> {
  const { name, dataOffsetBytes, dataLengthBytes } = part
  if (part.dtype !== dtype) throw invalid(name, `it is ${part.dtype} and not ${dtype}`)
  if (part.shape.join() !== shape.join()) throw invalid(name, `shape ${part.shape.join('x')} is not ${shape.join('x')}`)
  if (dataLengthBytes !== wantedBytes) {
    throw invalid(name, `${dataLengthBytes} bytes are not shape ${shape.join('x')} in ${dtype}`)
  }
  if (dataOffsetBytes < 0 || !isAbsolute(part.path)) throw invalid(name, 'its place is not an absolute path and offset')
  const path = await realpath(part.path).catch(() => Promise.reject(invalid(name, 'there is no such file')))
  const inside = relative(await realpath(tensorFolder), path)
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) {
    throw invalid(name, 'it lies outside the tensor folder')
  }
  const found = await stat(path)
  if (!found.isFile()) throw invalid(name, 'it is no regular file')
  const location = inside.split(sep).join('/')
  // What is compressed is checked as it is read, and never mapped.
  if (part.compression !== undefined) return { ...part, location }
  if (found.size < dataOffsetBytes + dataLengthBytes) {
    throw invalid(name, `it has ${found.size} bytes and needs ${dataOffsetBytes + dataLengthBytes}`)
  }
  return { ...part, location }
}

function invalid(part: string, reason: string): BlyanError {
  return new BlyanError('PART_FILE_INVALID', { part, reason })
}
