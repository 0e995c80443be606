import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { BlyanError } from '../../errors/index.ts'
import type { TileSource } from '../model/tile-streaming.ts'
import { readFully } from './tile-source.ts'

/**
 * The data of a part in zstd frames that can be read one by one. Little-endian: `BLYZSTD1`, bytes in a frame (u32), number of frames (u32),
 * bytes of the data (u64), where each frame begins and the last one ends (u64 each), the frames. Made here from a part that
 * was verified; it never travels.
 */
const magic = Buffer.from('BLYZSTD1')
const headerBytes = 24
const frameBytesDefault = 256 * 1024
const frameBytesMax = 4 * 1024 * 1024
/** Beyond its data; zstd needs far less. */
const frameOverheadBytesMax = 1024

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Writes the data that `source` gives to a new file at `path`, whole or not at all. The source stays open. */
export async function writeCompressedPart(
  source: TileSource,
  dataLengthBytes: number,
  path: string,
  frameBytes = frameBytesDefault
): Promise<void> {
  const frames = Math.ceil(dataLengthBytes / frameBytes)
  const head = Buffer.alloc(headerBytes + 8 * (frames + 1))
  magic.copy(head)
  head.writeUInt32LE(frameBytes, 8)
  head.writeUInt32LE(frames, 12)
  head.writeBigUInt64LE(BigInt(dataLengthBytes), 16)
  const temporary = `${path}.partial`
  const file = await open(temporary, 'w', 0o444)
  try {
    let endBytes = head.length
    for (let frame = 0; frame < frames; frame++) {
      const raw = new Uint8Array(Math.min(frameBytes, dataLengthBytes - frame * frameBytes))
      await source.read(frame * frameBytes, raw)
      const packed = await compress(raw, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })
      head.writeBigUInt64LE(BigInt(endBytes), headerBytes + 8 * frame)
      await file.writev([packed], endBytes)
      endBytes += packed.length
    }
    head.writeBigUInt64LE(BigInt(endBytes), headerBytes + 8 * frames)
    await file.writev([head], 0)
    await file.sync()
  } catch (error) {
    await file.close()
    await rm(temporary, { force: true })
    throw error
  }
  await file.close()
  await rename(temporary, path)
}

/** Opens what `writeCompressedPart` wrote. Throws PART_FILE_INVALID for anything else, now or when a frame is read. */
export async function openCompressedSource(part: {
  readonly name: string
  readonly path: string
  readonly dataLengthBytes: number
}): Promise<TileSource> {
  const file = await open(part.path, 'r')
  try {
    return await readHead(file, part.name, part.dataLengthBytes)
  } catch (error) {
    await file.close()
    throw error
  }
}

async function readHead(file: FileHandle, part: string, dataLengthBytes: number): Promise<TileSource> {
  const head = Buffer.alloc(headerBytes)
  await readFully(file, part, 0, head)
  const frameBytes = head.readUInt32LE(8)
  const frames = head.readUInt32LE(12)
  const isKnown = head.subarray(0, 8).equals(magic) && frameBytes > 0 && frameBytes <= frameBytesMax
  if (
    !isKnown ||
    head.readBigUInt64LE(16) !== BigInt(dataLengthBytes) ||
    frames !== Math.ceil(dataLengthBytes / frameBytes)
  ) {
    throw invalid(part, 'it is no compressed form of this part')
  }
  const index = Buffer.alloc(8 * (frames + 1))
  await readFully(file, part, headerBytes, index)
  const starts = Float64Array.from({ length: frames + 1 }, (_, i) => Number(index.readBigUInt64LE(8 * i)))
  const packedBytesMax = frameBytes + frameOverheadBytesMax
  const isInOrder = starts.every(
    (start, i) => i === 0 || (start > starts[i - 1]! && start - starts[i - 1]! <= packedBytesMax)
  )
  if (!isInOrder || starts[0] !== headerBytes + index.length) throw invalid(part, 'its list of frames is not in order')
  return new CompressedSource(file, part, { frameBytes, dataLengthBytes, starts })
}

type FrameIndex = { readonly frameBytes: number; readonly dataLengthBytes: number; readonly starts: Float64Array }

class CompressedSource implements TileSource {
  readonly #file: FileHandle
  readonly #part: string
  readonly #index: FrameIndex
  /** Tiles seldom end where frames do, so the last frame is often the next one's first. */
  #newest: { readonly frame: number; readonly bytes: Uint8Array } | undefined

  constructor(file: FileHandle, part: string, index: FrameIndex) {
    this.#file = file
    this.#part = part
    this.#index = index
  }

  get scratchBytes(): number {
    const { frameBytes, starts } = this.#index
    // A tile and the scales of the one before may be read at the same time.
    return 2 * (2 * frameBytes + frameOverheadBytesMax) + frameBytes + starts.byteLength
  }

  async read(offsetBytes: number, into: Uint8Array): Promise<void> {
    const { frameBytes, dataLengthBytes } = this.#index
    if (offsetBytes + into.length > dataLengthBytes) throw invalid(this.#part, `it ends at ${dataLengthBytes} bytes`)
    for (let filled = 0; filled < into.length; ) {
      const at = offsetBytes + filled
      const frame = Math.floor(at / frameBytes)
      const bytes = (await this.#frame(frame)).subarray(at - frame * frameBytes)
      const piece = bytes.subarray(0, into.length - filled)
      into.set(piece, filled)
      filled += piece.length
    }
  }

  close(): Promise<void> {
    this.#newest = undefined
    return this.#file.close()
  }

  async #frame(frame: number): Promise<Uint8Array> {
    if (this.#newest?.frame === frame) return this.#newest.bytes
    const { frameBytes, dataLengthBytes, starts } = this.#index
    const lengthBytes = Math.min(frameBytes, dataLengthBytes - frame * frameBytes)
    const packed = new Uint8Array(starts[frame + 1]! - starts[frame]!)
    await readFully(this.#file, this.#part, starts[frame]!, packed)
    const bytes = await decompress(packed, { maxOutputLength: lengthBytes }).catch(() => undefined)
    if (bytes?.length !== lengthBytes) throw invalid(this.#part, `frame ${frame} is damaged`)
    this.#newest = { frame, bytes }
    return bytes
  }
}

function invalid(part: string, reason: string): BlyanError {
  return new BlyanError('PART_FILE_INVALID', { part, reason })
}
