import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import { parseSafetensorsHeader, type SafetensorsEntry, safetensorsHeaderSizeBytesMax } from '../tiles/index.ts'
import { readTextFile, unreadable } from './text-file.ts'
import type { WeightType } from './weights.ts'

/** Where a tensor of a checkpoint is. */
export type TensorPlace = {
  readonly name: string
  readonly file: string
  readonly type: WeightType
  readonly shape: readonly number[]
  readonly offsetBytes: number
}

export type CheckpointTensors = {
  readonly places: ReadonlyMap<string, TensorPlace>
  readonly files: readonly { readonly name: string; readonly sizeBytes: number; readonly changedMs: number }[]
}

const indexName = 'model.safetensors.index.json'
const singleName = 'model.safetensors'
const indexSizeBytesMax = 64 * 1024 * 1024
const filesMax = 4096
/** The largest published ones have about 100 thousand. */
const tensorsMax = 1_048_576
const lengthFieldBytes = 8
const typesOfWeights: Readonly<Record<string, WeightType>> = { fp32: 'fp32', fp16: 'fp16', bf16: 'bf16' }

/** Reads the headers of all files of a folder; no weight is looked at. */
export async function readCheckpointTensors(folder: string): Promise<CheckpointTensors> {
  const index = await readIndex(folder)
  const names = index === undefined ? [singleName] : [...new Set(index.values())].sort()
  const missing = await missingOf(folder, names)
  if (missing.length > 0)
    throw new BlyanError('CHECKPOINT_SHARD_MISSING', {
      missing: missing.length,
      files: names.length,
      first: missing[0]!
    })
  const places = new Map<string, TensorPlace>()
  const files = []
  for (const name of names) {
    const { entries, dataOffsetBytes, ...file } = await readHeader(join(folder, name), name)
    files.push({ name, ...file })
    for (const entry of entries) {
      if (index !== undefined && index.get(entry.name) !== name) continue
      places.set(entry.name, placeOf(entry, name, dataOffsetBytes))
      if (places.size > tensorsMax) throw fileInvalid(name, `the checkpoint has more than ${tensorsMax} tensors`)
    }
  }
  const lost = index === undefined ? undefined : [...index.keys()].find(name => !places.has(name))
  if (lost !== undefined)
    throw indexInvalid(`${index!.get(lost)} does not have the tensor ${lost.slice(0, 120)} it names`)
  return { places, files }
}

/** File of each tensor; undefined where the whole checkpoint is one file. */
async function readIndex(folder: string): Promise<ReadonlyMap<string, string> | undefined> {
  const text = await readTextFile(join(folder, indexName), indexSizeBytesMax)
  if (text === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw indexInvalid('it is not JSON; it may be cut off')
  }
  const map = (value as { weight_map?: unknown } | null)?.weight_map
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw indexInvalid('it has no weight_map')
  const entries = Object.entries(map)
  if (entries.length === 0) throw indexInvalid('its weight_map is empty')
  const files = new Set(entries.map(([, file]) => file))
  if (files.size > filesMax) throw indexInvalid(`it names more than ${filesMax} files`)
  // A name with a folder in it could lead anywhere on this machine.
  for (const file of files)
    if (typeof file !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.safetensors$/.test(file))
      throw indexInvalid(`"${String(file).slice(0, 80)}" is no name of a .safetensors file`)
  return new Map(entries as [string, string][])
}

async function missingOf(folder: string, names: readonly string[]): Promise<string[]> {
  const found = await Promise.all(names.map(name => stat(join(folder, name)).catch(() => undefined)))
  return names.filter((_, i) => found[i]?.isFile() !== true)
}

type Header = {
  readonly entries: readonly SafetensorsEntry[]
  readonly dataOffsetBytes: number
  readonly sizeBytes: number
  readonly changedMs: number
}

async function readHeader(path: string, name: string): Promise<Header> {
  const file = await open(path).catch(error => Promise.reject(unreadable(path, error)))
  try {
    const { size: sizeBytes, mtimeMs } = await file.stat()
    if (sizeBytes < lengthFieldBytes) throw fileInvalid(name, `it has ${sizeBytes} bytes`)
    const lengthField = Buffer.alloc(lengthFieldBytes)
    await file.read(lengthField, 0, lengthFieldBytes, 0)
    const length = lengthField.readBigUInt64LE()
    if (length > BigInt(safetensorsHeaderSizeBytesMax)) throw fileInvalid(name, `its header has ${length} bytes`)
    const dataOffsetBytes = lengthFieldBytes + Number(length)
    if (dataOffsetBytes > sizeBytes) throw fileInvalid(name, 'it ends inside its header')
    const header = Buffer.alloc(Number(length))
    await file.read(header, 0, header.length, lengthFieldBytes)
    const entries = parsedHeader(header, name)
    const neededBytes = dataOffsetBytes + (entries.at(-1)?.endBytes ?? 0)
    if (sizeBytes !== neededBytes)
      throw fileInvalid(name, `it has ${sizeBytes} bytes and its header asks for ${neededBytes}`)
    return { entries, dataOffsetBytes, sizeBytes, changedMs: Math.round(mtimeMs) }
  } finally {
    await file.close()
  }
}

function parsedHeader(header: Uint8Array, name: string): readonly SafetensorsEntry[] {
  try {
    return parseSafetensorsHeader(header)
  } catch (error) {
    if (isBlyanError(error, 'TENSOR_FORMAT_INVALID')) throw fileInvalid(name, String(error.payload.reason))
    if (isBlyanError(error, 'TENSOR_DTYPE_UNSUPPORTED'))
      throw dtypeUnsupported(String(error.payload.name), String(error.payload.dtype))
    throw error
  }
}

function placeOf(entry: SafetensorsEntry, file: string, dataOffsetBytes: number): TensorPlace {
  const type = typesOfWeights[entry.dtype]
  if (type === undefined) throw dtypeUnsupported(entry.name, entry.dtype)
  return { name: entry.name, file, type, shape: entry.shape, offsetBytes: dataOffsetBytes + entry.beginBytes }
}

function indexInvalid(reason: string): BlyanError {
  return new BlyanError('CHECKPOINT_INDEX_INVALID', { file: indexName, reason })
}

function fileInvalid(file: string, reason: string): BlyanError {
  return new BlyanError('CHECKPOINT_FILE_INVALID', { file, reason })
}

function dtypeUnsupported(tensor: string, dtype: string): BlyanError {
  return new BlyanError('CHECKPOINT_DTYPE_UNSUPPORTED', { tensor, dtype })
}
