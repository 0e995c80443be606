import { type FileHandle, open } from 'node:fs/promises'
import { BlyanError } from '../../errors/index.ts'
import type { TileSource } from '../model/tile-streaming.ts'

/** Reads the data of a part where it lies in its file. A file that is too short is found out as it is read. */
export async function openFileSource(part: {
  readonly name: string
  readonly path: string
  readonly dataOffsetBytes: number
}): Promise<TileSource> {
  return new FileSource(await open(part.path, 'r'), part.name, part.dataOffsetBytes)
}

class FileSource implements TileSource {
  readonly scratchBytes = 0
  readonly #file: FileHandle
  readonly #part: string
  readonly #dataOffsetBytes: number

  constructor(file: FileHandle, part: string, dataOffsetBytes: number) {
    this.#file = file
    this.#part = part
    this.#dataOffsetBytes = dataOffsetBytes
  }

  read(offsetBytes: number, into: Uint8Array): Promise<void> {
    return readFully(this.#file, this.#part, this.#dataOffsetBytes + offsetBytes, into)
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** Throws PART_FILE_INVALID when the file ends before `into` is full. */
export async function readFully(file: FileHandle, part: string, offsetBytes: number, into: Uint8Array): Promise<void> {
  for (let filled = 0; filled < into.length; ) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, offsetBytes + filled)
    if (bytesRead === 0)
      throw new BlyanError('PART_FILE_INVALID', { part, reason: `it ends at ${offsetBytes + filled} bytes` })
    filled += bytesRead
  }
}
