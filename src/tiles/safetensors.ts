import { BlyanError, isBlyanError } from '../errors/index.ts'
import type { ByteReader } from './byte-reader.ts'
import { type DataType, dataSizeBytes, foldShape } from './data-types.ts'
import { tooLarge } from './tensor-block.ts'

/** One tensor as the header of a .safetensors file describes it; offsets count from the end of the header. */
export type SafetensorsEntry = {
  readonly name: string
  readonly dtype: DataType
  readonly shape: readonly number[]
  readonly beginBytes: number
  readonly endBytes: number
}

export type SafetensorsHeader = {
  /** All bytes before the data, with the eight of the length. */
  readonly bytes: Uint8Array
  /** In the order of their data, without holes. */
  readonly entries: readonly SafetensorsEntry[]
}

/** The reference reader allows 100 MB; the largest published checkpoints stay far below one. */
export const safetensorsHeaderSizeBytesMax = 16 * 1024 * 1024
const lengthFieldSizeBytes = 8

const dataTypesOfSafetensors = new Map<string, DataType>([
  ['F32', 'fp32'],
  ['F16', 'fp16'],
  ['BF16', 'bf16'],
  ['I8', 'int8'],
  ['F8_E4M3', 'fp8']
])

/** Reads and checks the whole header before any data is looked at. */
export async function readSafetensorsHeader(reader: ByteReader): Promise<SafetensorsHeader> {
  const lengthField = await reader.take(lengthFieldSizeBytes)
  const lengthBytes = Number(Buffer.from(lengthField).readBigUInt64LE())
  if (lengthBytes > safetensorsHeaderSizeBytesMax) {
    throw tooLarge(
      'the header of the .safetensors file',
      `${lengthBytes} bytes`,
      `${safetensorsHeaderSizeBytesMax} bytes`
    )
  }
  const text = await reader.take(lengthBytes)
  return { bytes: new Uint8Array(Buffer.concat([lengthField, text])), entries: parseSafetensorsHeader(text) }
}

/** Checks every rule of the format: known dtypes, sizes equal to shape x dtype, no overlap, no hole. */
export function parseSafetensorsHeader(bytes: Uint8Array): SafetensorsEntry[] {
  const entries: SafetensorsEntry[] = []
  for (const [name, value] of Object.entries(parseStrictJson(bytes))) {
    if (name === '__metadata__') checkMetadata(value)
    else entries.push(parseEntry(name, value))
  }
  entries.sort((a, b) => a.beginBytes - b.beginBytes || a.endBytes - b.endBytes)
  let position = 0
  for (const { name, beginBytes, endBytes } of entries) {
    if (beginBytes < position) throw invalid(`tensor "${short(name)}" overlaps the one before it`)
    if (beginBytes > position) throw invalid(`there is a hole before tensor "${short(name)}"`)
    position = endBytes
  }
  return entries
}

function parseEntry(name: string, value: unknown): SafetensorsEntry {
  const { dtype, shape, data_offsets: offsets, ...others } = fieldsOf(name, value)
  if (Object.keys(others).length > 0) throw invalid(`tensor "${short(name)}" has fields that are not of the format`)
  if (!name.isWellFormed()) throw invalid(`"${short(name)}" is not Unicode text`)
  if (typeof dtype !== 'string') throw invalid(`tensor "${short(name)}" has no dtype`)
  const known = dataTypesOfSafetensors.get(dtype)
  if (known === undefined) {
    throw new BlyanError('TENSOR_DTYPE_UNSUPPORTED', { name: short(name), dtype: short(dtype) })
  }
  if (!isListOfSizes(shape)) throw invalid(`tensor "${short(name)}" has no valid shape`)
  if (!isListOfSizes(offsets) || offsets.length !== 2) throw invalid(`tensor "${short(name)}" has no valid offsets`)
  const [beginBytes, endBytes] = offsets as [number, number]
  if (endBytes < beginBytes) throw invalid(`tensor "${short(name)}" ends before it begins`)
  if (endBytes - beginBytes !== sizeOf(name, known, shape)) {
    throw invalid(`tensor "${short(name)}" has another size than its shape and dtype`)
  }
  return { name, dtype: known, shape, beginBytes, endBytes }
}

function sizeOf(name: string, dtype: DataType, shape: readonly number[]): number {
  try {
    return dataSizeBytes(dtype, foldShape(shape))
  } catch (error) {
    if (isBlyanError(error)) throw invalid(`tensor "${short(name)}": ${error.message}`)
    throw error
  }
}

function checkMetadata(value: unknown): void {
  if (!Object.values(fieldsOf('__metadata__', value)).every(text => typeof text === 'string')) {
    throw invalid('its __metadata__ is not a map of texts')
  }
}

function isListOfSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(size => Number.isSafeInteger(size) && size >= 0 && !Object.is(size, -0))
}

function fieldsOf(name: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`"${short(name)}" is no map`)
  return Object.fromEntries(Object.entries(value))
}

/** JSON in UTF-8 that starts with a brace and names nothing twice. */
function parseStrictJson(bytes: Uint8Array): object {
  if (bytes[0] !== 0x7b) throw invalid('its header does not start with {')
  let value: unknown
  let twice: string | undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    value = JSON.parse(text)
    twice = findNameGivenTwice(text)
  } catch (error) {
    throw invalid(error instanceof Error ? short(error.message) : 'malformed')
  }
  if (typeof value !== 'object' || value === null) throw invalid('its header is no map')
  if (twice !== undefined) throw invalid(`its header names "${short(twice)}" twice`)
  return value
}

/**
 * JSON.parse keeps the last of two equal names, other readers the first: a file that two programs read
 * differently is refused. The text is valid JSON already, so a string before a colon is a name.
 */
function findNameGivenTwice(text: string): string | undefined {
  const open: Set<string>[] = []
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/g
  for (const [match, colon] of text.matchAll(token)) {
    if (match === '{') open.push(new Set())
    else if (match === '}') open.pop()
    else if (colon !== undefined) {
      const name = String(JSON.parse(match.slice(0, match.length - colon.length)))
      const names = open.at(-1)
      if (names?.has(name)) return name
      names?.add(name)
    }
  }
  return undefined
}

function short(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}

function invalid(reason: string): BlyanError {
  return new BlyanError('TENSOR_FORMAT_INVALID', { format: 'safetensors', reason })
}
