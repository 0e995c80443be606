import { type CanonicalValue, decodeCanonical, encodeCanonical } from '../../codec/index.ts'
import { deltaInvalid } from './codecs/codec.ts'
import { tileElements } from './tile-layout.ts'

/**
 * The bytes of a delta file: "BLYDELTA", version, length of the head, length of the list of frames (u32 each, little-endian), the
 * head and the list in DAG-CBOR, then the bytes of all frames in the order of the list, and nothing behind.
 */
const magic = 'BLYDELTA'
const version = 1
const prefixBytes = 20
/** So much of a file is enough to read its head. */
export const deltaHeadBytesMax = 4096
const headBytesMax = deltaHeadBytesMax - prefixBytes
const rowsBytesMax = 32 * 1024 * 1024
/** 256 GiB of fp32. */
export const deltaFramesMax = 65_536
const textCharactersMax = 256
const partCharactersMax = 200
/** Of SHA-256 of the base's CID as text. */
export const baseTagBytes = 8
/** Of SHA-256 of the decoded values. */
export const frameDigestBytes = 16

export type FileHead = {
  readonly network: string
  readonly model: string
  readonly kind: 'delta' | 'update'
  readonly round: number
  readonly baseRound: number
  /** Id. */
  readonly codec: number
  readonly steps: number
  readonly tokens: number
  readonly author: string
}

/** Part, tile, tag of the base, elements, id of the codec, bytes, digest of what it decodes to. */
export type FrameRow = readonly [string, number, Uint8Array, number, number, number, Uint8Array]

export const frameRows = {
  read([part, tile, baseTag, length, codec, sizeBytes, decodedDigest]: FrameRow) {
    return { part, tile, baseTag, length, codec, sizeBytes, decodedDigest }
  }
}

/** Throws RangeError for rows that `splitDeltaFile` would refuse. */
export function joinDeltaFile(head: FileHead, rows: readonly FrameRow[], frames: readonly Uint8Array[]): Uint8Array {
  const fault = faultOfRows(rows)
  if (fault !== undefined) throw new RangeError(fault)
  const encodedHead = encodeCanonical(head)
  if (encodedHead.length > headBytesMax) throw new RangeError('the head of a delta file is too long')
  const encodedRows = encodeCanonical(rows)
  const framesAt = prefixBytes + encodedHead.length + encodedRows.length
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, framesAt))
  const view = new DataView(bytes.buffer)
  bytes.set(Buffer.from(magic, 'latin1'))
  view.setUint32(8, version, true)
  view.setUint32(12, encodedHead.length, true)
  view.setUint32(16, encodedRows.length, true)
  bytes.set(encodedHead, prefixBytes)
  bytes.set(encodedRows, prefixBytes + encodedHead.length)
  let offset = framesAt
  for (const frame of frames) {
    bytes.set(frame, offset)
    offset += frame.length
  }
  return bytes
}

/** Throws DELTA_INVALID for anything that `joinDeltaFile` does not write. */
export function splitDeltaFile(bytes: Uint8Array): { head: FileHead; rows: readonly FrameRow[]; framesAt: number } {
  const { head, rowsAt, rowsBytes } = splitHead(bytes)
  const framesAt = rowsAt + rowsBytes
  if (rowsBytes > rowsBytesMax || framesAt > bytes.length) throw deltaInvalid('its list of frames is too long')
  const rows = decodePart(bytes.subarray(rowsAt, framesAt), rowsBytesMax)
  if (!Array.isArray(rows) || !rows.every(isRow)) throw deltaInvalid('its list of frames is malformed')
  const fault = faultOfRows(rows)
  if (fault !== undefined) throw deltaInvalid(fault)
  const sizeBytes = rows.reduce((sum, row) => sum + frameRows.read(row).sizeBytes, framesAt)
  if (sizeBytes !== bytes.length) throw deltaInvalid(`its frames end at ${sizeBytes}, the file at ${bytes.length}`)
  return { head, rows, framesAt }
}

/** The head alone, out of at least the first `deltaHeadBytesMax` bytes of a file. Throws DELTA_INVALID. */
export function splitHead(bytes: Uint8Array): { head: FileHead; rowsAt: number; rowsBytes: number } {
  if (bytes.length < prefixBytes) throw deltaInvalid('it is too short for a delta file')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (Buffer.from(bytes.subarray(0, 8)).toString('latin1') !== magic) throw deltaInvalid('it is no delta file')
  if (view.getUint32(8, true) !== version) throw deltaInvalid(`its format ${view.getUint32(8, true)} is unknown`)
  const headBytes = view.getUint32(12, true)
  const rowsAt = prefixBytes + headBytes
  if (headBytes > headBytesMax || rowsAt > bytes.length) throw deltaInvalid('its head is too long')
  return { head: readHead(bytes.subarray(prefixBytes, rowsAt)), rowsAt, rowsBytes: view.getUint32(16, true) }
}

function readHead(bytes: Uint8Array): FileHead {
  const value = decodePart(bytes, headBytesMax)
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw deltaInvalid('its head is no map')
  }
  const head = value as Record<string, CanonicalValue>
  const text = (name: string): string => {
    const found = head[name]
    if (typeof found !== 'string' || found.length > textCharactersMax)
      throw deltaInvalid(`its ${name} is no short text`)
    return found
  }
  const count = (name: string): number => {
    const found = head[name]
    if (!isCount(found)) throw deltaInvalid(`its ${name} is no natural number`)
    return found
  }
  const kind = text('kind')
  if (kind !== 'delta' && kind !== 'update') throw deltaInvalid('it is neither a delta nor an update')
  if (Object.keys(head).length !== 9) throw deltaInvalid('its head has unknown fields')
  return {
    network: text('network'),
    model: text('model'),
    kind,
    round: count('round'),
    baseRound: count('baseRound'),
    codec: count('codec'),
    steps: count('steps'),
    tokens: count('tokens'),
    author: text('author')
  }
}

function decodePart(bytes: Uint8Array, sizeBytesMax: number): CanonicalValue {
  try {
    return decodeCanonical(bytes, { sizeBytesMax, itemsMax: 10 * deltaFramesMax })
  } catch (error) {
    throw deltaInvalid(`it is malformed: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function isRow(value: unknown): value is FrameRow {
  if (!Array.isArray(value) || value.length !== 7) return false
  const [part, tile, baseTag, length, codec, sizeBytes, digest] = value as unknown[]
  const isName = typeof part === 'string' && part.length <= partCharactersMax
  const isBytes = (bytes: unknown, count: number): boolean => bytes instanceof Uint8Array && bytes.length === count
  const areBytes = isBytes(baseTag, baseTagBytes) && isBytes(digest, frameDigestBytes)
  return isName && areBytes && [tile, length, codec, sizeBytes].every(isCount)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function faultOfRows(rows: readonly FrameRow[]): string | undefined {
  if (rows.length === 0) return 'it has no frame'
  if (rows.length > deltaFramesMax) return `it has more than ${deltaFramesMax} frames`
  for (const [at, row] of rows.entries()) {
    const { part, tile, length } = frameRows.read(row)
    if (length === 0 || length > tileElements) return `a tile has ${length} values`
    if (at === 0) continue
    const before = frameRows.read(rows[at - 1]!)
    const isSorted = part === before.part ? tile > before.tile : part > before.part
    if (!isSorted) return 'its frames are not sorted by part and tile'
  }
  return undefined
}
