import { BlyanError } from '../errors/index.ts'
import type { Bundle } from './bundle.ts'
import { dataSizeOfBundle } from './bundle.ts'
import { createByteReader } from './byte-reader.ts'
import { readRange, readTensorHead } from './tensor-file.ts'
import type { TensorInfo } from './tensor-info.ts'

export type ExportFormat = 'npy' | 'safetensors' | 'tblock'

export type TensorExport = {
  readonly format: ExportFormat
  readonly fileName: string
  readonly sizeBytes: number
  readonly bytes: AsyncIterable<Uint8Array>
}

/** A tensor as the file it came from, or as the TensorBlock it is. */
export async function exportTensor(info: TensorInfo, format: ExportFormat | undefined): Promise<TensorExport> {
  const source = await sourceOf(info)
  const { dataOffsetBytes, dataLengthBytes, path, sizeBytes } = info
  const wanted = format ?? source.format
  if (wanted === 'tblock') {
    const bytes = readRange(path, 0, sizeBytes)
    return { format: 'tblock', fileName: fileNameFor(info.name, 'tblock'), sizeBytes, bytes }
  }
  if (wanted !== source.format || source.format !== 'npy') {
    const reason = `it did not come from a .${wanted} file`
    throw new BlyanError('TENSOR_FORMAT_INVALID', { format: wanted, reason })
  }
  return {
    format: 'npy',
    fileName: fileNameFor(info.name, 'npy'),
    sizeBytes: source.header.length + dataLengthBytes,
    bytes: joined(source.header, [readRange(path, dataOffsetBytes, sizeBytes)])
  }
}

/** A .safetensors file, byte for byte as it was imported. */
export function exportBundle({ header }: Bundle, tensors: readonly TensorInfo[], name: string): TensorExport {
  const parts = tensors.map(({ path, dataOffsetBytes, sizeBytes }) => readRange(path, dataOffsetBytes, sizeBytes))
  return {
    format: 'safetensors',
    fileName: fileNameFor(name, 'safetensors'),
    sizeBytes: header.bytes.length + dataSizeOfBundle(header),
    bytes: joined(header.bytes, parts)
  }
}

async function sourceOf(info: TensorInfo) {
  const reader = createByteReader('tblock', readRange(info.path, 0, info.dataOffsetBytes))
  try {
    return (await readTensorHead(reader)).description.source
  } finally {
    await reader.close()
  }
}

async function* joined(header: Uint8Array, parts: AsyncIterable<Uint8Array>[]): AsyncGenerator<Uint8Array> {
  yield header
  for (const part of parts) yield* part
}

/** Names come from files of strangers: nothing in them may leave the folder they are saved to. */
function fileNameFor(name: string, extension: ExportFormat): string {
  const stem = name.replace(/[^\w.-]+/g, '_').replace(/^\.+/, '')
  const base = stem.slice(0, 120) || 'tensor'
  return base.endsWith(`.${extension}`) ? base : `${base}.${extension}`
}
