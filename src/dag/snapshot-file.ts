import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { BlyanError } from '../errors/index.ts'
import { decodeManifest, snapshotLimits, totalBytesOf } from './snapshot-format.ts'
import type { ShelvedSnapshot, SnapshotShelf, SnapshotSource } from './snapshot-shelf.ts'

/*
 * A snapshot in one file: this line, then the manifest with its length before it, then the chunks one after the other,
 * and nothing more.
 */
const head = Buffer.from('blyan-snapshot/1\n')

/** Writes a snapshot of the shelf into one file, which appears whole or not at all. Gives its size in bytes. */
export async function packSnapshot(shelf: SnapshotShelf, snapshot: ShelvedSnapshot, path: string): Promise<number> {
  const partial = `${path}.part`
  try {
    const file = await open(partial, 'w', 0o600)
    let sizeBytes = 0
    try {
      const put = async (bytes: Uint8Array): Promise<void> => {
        await file.writeFile(bytes)
        sizeBytes += bytes.length
      }
      const length = Buffer.alloc(4)
      length.writeUInt32BE(snapshot.bytes.length)
      for (const bytes of [head, length, snapshot.bytes]) await put(bytes)
      for (const { digest } of snapshot.manifest.chunks) await put(await shelf.chunk(snapshot, digest))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(partial, path)
    return sizeBytes
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {})
    if (error instanceof BlyanError) throw error
    throw new BlyanError('FILE_UNWRITABLE', { path, reason: (error as Error).message }, { cause: error })
  }
}

export type SnapshotFile = SnapshotSource & { readonly sizeBytes: number; close(): Promise<void> }

/** Opens a file that `packSnapshot` wrote. Throws FILE_UNREADABLE, SNAPSHOT_INVALID, SNAPSHOT_TRUNCATED. */
export async function openSnapshotFile(path: string): Promise<SnapshotFile> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'there is no such file' : message
    throw new BlyanError('FILE_UNREADABLE', { path, reason }, { cause: error })
  }
  try {
    const start = await readAt(file, 0, head.length + 4, 'the beginning')
    if (!head.equals(start.subarray(0, head.length)))
      throw new BlyanError('SNAPSHOT_INVALID', { reason: 'the file does not begin like one' })
    const manifestSize = start.readUInt32BE(head.length)
    if (manifestSize > snapshotLimits.manifestBytesMax)
      throw new BlyanError('SNAPSHOT_INVALID', { reason: 'the manifest is larger than one can be' })
    const manifestBytes = await readAt(file, start.length, manifestSize, 'the manifest')
    const { chunks } = decodeManifest(manifestBytes)
    const firstChunkAt = start.length + manifestSize
    const sizeBytes = firstChunkAt + totalBytesOf({ chunks })
    const { size } = await file.stat()
    if (size > sizeBytes)
      throw new BlyanError('SNAPSHOT_DAMAGED', {
        part: 'the end of the file',
        reason: 'has bytes that belong to nothing'
      })
    return {
      manifestBytes,
      sizeBytes,
      close: () => file.close(),
      chunks: async function* () {
        let offset = firstChunkAt
        for (const [place, chunk] of chunks.entries()) {
          yield await readAt(file, offset, chunk.sizeBytes, `chunk ${place + 1} of ${chunks.length}`)
          offset += chunk.sizeBytes
        }
      }
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function readAt(file: FileHandle, offset: number, length: number, part: string): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled)
    if (bytesRead === 0) throw new BlyanError('SNAPSHOT_TRUNCATED', { part })
    filled += bytesRead
  }
  return bytes
}
