import { BlyanError } from '../errors/index.ts'
import type { ByteReader } from './byte-reader.ts'
import type { DataType } from './data-types.ts'
import { sourceHeaderSizeBytesMax, tooLarge } from './tensor-block.ts'

/** What the bytes before the data of a .npy file say. */
export type NpyHeader = {
  readonly dtype: DataType
  readonly shape: readonly number[]
  /** All of them, so that exporting gives the same file. */
  readonly bytes: Uint8Array
}

const magic = '\x93NUMPY'
const prefixSizeBytes = 8
/** Single bytes have no byte order; NumPy writes them as `|i1`. */
const dataTypesOfNumpy = new Map<string, DataType>([
  ['<f4', 'fp32'],
  ['<f2', 'fp16'],
  ['|i1', 'int8']
])

/** Reads the header of versions 1 to 3. Throws TENSOR_FORMAT_INVALID, TENSOR_DTYPE_UNSUPPORTED or TENSOR_FORTRAN_ORDER. */
export async function readNpyHeader(name: string, reader: ByteReader): Promise<NpyHeader> {
  const prefix = await reader.take(prefixSizeBytes)
  if (Buffer.from(prefix.subarray(0, 6)).toString('latin1') !== magic)
    throw invalid('it does not start with \\x93NUMPY')
  const [major, minor] = prefix.subarray(6)
  if (major === undefined || major < 1 || major > 3 || minor !== 0)
    throw invalid(`version ${major}.${minor} is unknown`)
  const lengthField = await reader.take(major === 1 ? 2 : 4)
  const lengthBytes = Buffer.from(lengthField).readUIntLE(0, lengthField.length)
  const sizeBytes = prefixSizeBytes + lengthField.length + lengthBytes
  if (sizeBytes > sourceHeaderSizeBytesMax) {
    throw tooLarge('the header of the .npy file', `${sizeBytes} bytes`, `${sourceHeaderSizeBytesMax} bytes`)
  }
  const text = await reader.take(lengthBytes)
  const bytes = new Uint8Array(Buffer.concat([prefix, lengthField, text]))
  return { ...parseNpyDictionary(name, Buffer.from(text).toString(major === 3 ? 'utf8' : 'latin1')), bytes }
}

/** Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`: the one dictionary NumPy writes. */
export function parseNpyDictionary(name: string, text: string): { dtype: DataType; shape: number[] } {
  const body = /^\{(.*)\}\s*$/s.exec(text)?.[1]
  if (body === undefined) throw invalid('its header is no dictionary')
  const fields = new Map<string, string>()
  let rest = body.trim()
  while (rest !== '') {
    const entry = /^'(descr|fortran_order|shape)'\s*:\s*('[^']*'|True|False|\([\d,\s]*\)|\[.*\])\s*(?:,\s*|$)/s.exec(
      rest
    )
    if (entry === null) throw invalid('its header has an entry that is not descr, fortran_order or shape')
    const [whole, key, value] = entry
    if (fields.has(key!)) throw invalid(`its header has ${key} twice`)
    fields.set(key!, value!)
    rest = rest.slice(whole.length)
  }
  const shape = parseShape(fields.get('shape'))
  const dtype = parseDataType(name, fields.get('descr'))
  const order = fields.get('fortran_order')
  if (order === 'True') throw new BlyanError('TENSOR_FORTRAN_ORDER')
  if (order !== 'False') throw invalid('its header does not say its order')
  return { dtype, shape }
}

function parseDataType(name: string, text: string | undefined): DataType {
  if (text === undefined) throw invalid('its header has no descr')
  const numpyName = text.startsWith("'") ? text.slice(1, -1) : 'structured'
  const dtype = dataTypesOfNumpy.get(numpyName)
  if (dtype === undefined) throw new BlyanError('TENSOR_DTYPE_UNSUPPORTED', { name, dtype: numpyName.slice(0, 40) })
  return dtype
}

function parseShape(text: string | undefined): number[] {
  const body = /^\(\s*((?:\d+\s*,\s*)*\d*)\s*\)$/.exec(text ?? '')?.[1]
  // "(3)" is a number in Python, "(3,)" a tuple.
  if (body === undefined || /^\d+$/.test(body)) throw invalid('its header has no shape')
  const sizes = body
    .split(',')
    .map(size => size.trim())
    .filter(size => size !== '')
    .map(Number)
  if (!sizes.every(Number.isSafeInteger)) throw invalid('its shape is beyond counting')
  return sizes
}

function invalid(reason: string): BlyanError {
  return new BlyanError('TENSOR_FORMAT_INVALID', { format: 'npy', reason })
}
