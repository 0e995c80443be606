import { bytesEqual, bytesToHex, sha256 } from '../../codec/index.ts'
import { BlyanError, isBlyanError } from '../../errors/index.ts'
import { type CodecName, deltaInvalid } from './codecs/codec.ts'
import { codecById, codecNamed } from './codecs/codec-list.ts'
import {
  baseTagBytes,
  type FrameRow,
  frameDigestBytes,
  frameRows,
  joinDeltaFile,
  splitDeltaFile,
  splitHead
} from './delta-file-format.ts'
import type { TileLayout } from './tile-layout.ts'
import { digestOfValues } from './value-digest.ts'

/**
 * What a learner offers (a delta) or a primary and an edge aggregator make of many (an update): one file with one frame for
 * each tile of each part that changed.
 * Source: docs/protocol.md, "Delta files".
 */
export type DeltaFileHeader = {
  /** CID of the genesis. */
  readonly network: string
  readonly model: string
  readonly kind: 'delta' | 'update'
  readonly round: number
  /** The round whose opening base it started from. */
  readonly baseRound: number
  /** What the author chose; each frame says its own. */
  readonly codec: CodecName
  /** Inner steps. */
  readonly steps: number
  readonly tokens: number
  /** Account. */
  readonly author: string
}

export type DeltaFrame = {
  readonly part: string
  readonly tile: number
  /** CID of the tensor that the frame changes. */
  readonly base: string
  /** Elements of the tile. */
  readonly length: number
  readonly codec: CodecName
  readonly bytes: Uint8Array
  /** SHA-256 of the values it decodes to, or at least the first 16 bytes of it, which are in the file. */
  readonly decodedDigest: Uint8Array
}

export type ExpectedDelta = {
  readonly network: string
  readonly model: string
  /** Left out: any round. */
  readonly round?: number
  /** The version a part must start from and its tiles; undefined for a part that does not belong here. */
  partOf(name: string): { readonly tensor: string; readonly layouts: readonly TileLayout[] } | undefined
  readonly sizeBytesMax: number
  /** Reads this part alone; what the file says of others is not looked at. */
  readonly only?: string
}

export interface DeltaFile {
  readonly header: DeltaFileHeader
  /** Names, ascending. */
  readonly parts: readonly string[]
  readonly sizeBytes: number
  /** In the order of the tiles. Throws RangeError for a part that is not in `parts`. */
  framesOf(part: string): readonly DeltaFrame[]
  /** The values of a whole part. Throws DELTA_INVALID, too, when they are not what the file says they are. */
  decode(part: string): Float32Array
}

/** The same parts and values give the same bytes: frames are sorted by part and tile. Throws RangeError for frames that do not fit together. */
export function packDeltaFile(header: DeltaFileHeader, frames: readonly DeltaFrame[]): Uint8Array {
  const sorted = frames.toSorted((first, second) =>
    first.part === second.part ? first.tile - second.tile : first.part < second.part ? -1 : 1
  )
  const rows = sorted.map(
    ({ part, tile, base, length, codec, bytes, decodedDigest }): FrameRow => [
      part,
      tile,
      tagOfBase(base),
      length,
      codecNamed(codec).id,
      bytes.length,
      decodedDigest.slice(0, frameDigestBytes)
    ]
  )
  return joinDeltaFile(
    { ...header, codec: codecNamed(header.codec).id },
    rows,
    sorted.map(frame => frame.bytes)
  )
}

/**
 * Reads what a stranger wrote: the size first, then the head, then whether every frame belongs here. Nothing is decoded yet.
 * Throws DELTA_TOO_LARGE, DELTA_INVALID, DELTA_FOREIGN_NETWORK, DELTA_BASE_WRONG or DELTA_SHAPE_WRONG.
 */
export function openDeltaFile(bytes: Uint8Array, expected: ExpectedDelta): DeltaFile {
  if (bytes.length > expected.sizeBytesMax) {
    throw new BlyanError('DELTA_TOO_LARGE', { sizeBytes: bytes.length, limitBytes: expected.sizeBytesMax })
  }
  const { head, rows, framesAt } = splitDeltaFile(bytes)
  const { network, model, round } = expected
  if (head.network !== network) throw new BlyanError('DELTA_FOREIGN_NETWORK', { network: head.network })
  if (head.model !== model) throw deltaInvalid(`it is for model ${head.model}, not ${model}`)
  if (round !== undefined && head.round !== round) throw deltaInvalid(`it is for round ${head.round}, not ${round}`)
  const header: DeltaFileHeader = { ...head, codec: codecById(head.codec).name }
  const parts = new Map<string, OpenPart>()
  let offset = framesAt
  for (const { name, of } of partsOf(rows)) {
    if (expected.only !== undefined && name !== expected.only) {
      offset += of.reduce((sum, row) => sum + frameRows.read(row).sizeBytes, 0)
      continue
    }
    const known = expected.partOf(name)
    if (known === undefined) throw new BlyanError('DELTA_SHAPE_WRONG', { part: name, reason: 'there is no such part' })
    requireShape(name, of, known.layouts)
    const tag = tagOfBase(known.tensor)
    const frames = of.map((row): DeltaFrame => {
      const { baseTag, codec, sizeBytes, ...rest } = frameRows.read(row)
      if (!bytesEqual(baseTag, tag)) {
        throw new BlyanError('DELTA_BASE_WRONG', { part: name, base: bytesToHex(baseTag), expected: known.tensor })
      }
      const start = offset
      offset += sizeBytes
      const { name: codecName, sizeBytesMax } = describeCodec(codec, known.layouts[rest.tile]!)
      if (sizeBytes > sizeBytesMax) throw deltaInvalid(`a frame of part ${name} has ${sizeBytes} bytes`)
      return { ...rest, base: known.tensor, codec: codecName, bytes: bytes.subarray(start, offset) }
    })
    parts.set(name, { frames, layouts: known.layouts })
  }
  return new OpenDeltaFile(header, parts, bytes.length)
}

/** From the first 4 KiB of a file or all of it. Undefined for what is no delta file. */
export function readDeltaHeader(bytes: Uint8Array): DeltaFileHeader | undefined {
  try {
    const { head } = splitHead(bytes)
    return { ...head, codec: codecById(head.codec).name }
  } catch (error) {
    if (isBlyanError(error, 'DELTA_INVALID')) return undefined
    throw error
  }
}

type OpenPart = { readonly frames: readonly DeltaFrame[]; readonly layouts: readonly TileLayout[] }

class OpenDeltaFile implements DeltaFile {
  readonly header: DeltaFileHeader
  readonly parts: readonly string[]
  readonly sizeBytes: number
  readonly #parts: ReadonlyMap<string, OpenPart>

  constructor(header: DeltaFileHeader, parts: ReadonlyMap<string, OpenPart>, sizeBytes: number) {
    this.header = header
    this.parts = [...parts.keys()]
    this.sizeBytes = sizeBytes
    this.#parts = parts
  }

  framesOf(part: string): readonly DeltaFrame[] {
    return this.#part(part).frames
  }

  decode(part: string): Float32Array {
    const { frames, layouts } = this.#part(part)
    const values = new Float32Array(layouts.reduce((sum, { length }) => sum + length, 0))
    let offset = 0
    for (const { tile, codec, bytes, decodedDigest } of frames) {
      const decoded = codecNamed(codec).decode(bytes, layouts[tile]!)
      if (!bytesEqual(digestOfValues(decoded).subarray(0, frameDigestBytes), decodedDigest)) {
        throw deltaInvalid(`tile ${tile} of part ${part} does not decode to what its frame says`)
      }
      values.set(decoded, offset)
      offset += decoded.length
    }
    return values
  }

  #part(name: string): OpenPart {
    const part = this.#parts.get(name)
    if (part === undefined) throw new RangeError(`part ${name} is not in this file`)
    return part
  }
}

/** The rows are sorted, or `splitDeltaFile` would have thrown. */
function partsOf(rows: readonly FrameRow[]): { name: string; of: FrameRow[] }[] {
  const parts: { name: string; of: FrameRow[] }[] = []
  for (const row of rows) {
    const { part } = frameRows.read(row)
    if (parts.at(-1)?.name === part) parts.at(-1)!.of.push(row)
    else parts.push({ name: part, of: [row] })
  }
  return parts
}

function requireShape(part: string, rows: readonly FrameRow[], layouts: readonly TileLayout[]): void {
  const wrong = (reason: string) => new BlyanError('DELTA_SHAPE_WRONG', { part, reason })
  if (rows.length !== layouts.length) throw wrong(`it has ${rows.length} tiles, not ${layouts.length}`)
  for (const [at, row] of rows.entries()) {
    const { tile, length } = frameRows.read(row)
    if (tile !== at) throw wrong(`tile ${at} is missing`)
    if (length !== layouts[at]!.length) throw wrong(`tile ${at} has ${length} values, not ${layouts[at]!.length}`)
  }
}

/** Names the base in few bytes; a file has many frames, and nobody gains from a base that only looks right. */
function tagOfBase(base: string): Uint8Array {
  return sha256(Buffer.from(base, 'utf8')).slice(0, baseTagBytes)
}

function describeCodec(id: number, layout: TileLayout): { name: CodecName; sizeBytesMax: number } {
  const codec = codecById(id)
  return { name: codec.name, sizeBytesMax: codec.sizeBytesMax(layout) }
}
