import { createHash, type Hash, randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type CanonicalValue, decodeCanonical, encodeCanonical } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'

/**
 * A training on disk, for the machine that wrote it: `BLYTRN1` and a line feed, length of the head (u32, little-endian),
 * the head in canonical DAG-CBOR, the fp32 values of all sections one after the other, SHA-256 of all before. It never travels.
 */
export type CheckpointHead = {
  /** What must be the same for the values to fit: a digest of architecture, settings, trained parts. */
  readonly identity: string
  readonly step: number
  readonly sequencesPerRun: number
}

/** Values by their place in the file. */
export type CheckpointSection = { readonly name: string; readonly values: Float32Array }

const magic = Buffer.from('BLYTRN1\n')
const digestBytes = 32
const headBytesMax = 16 * 1024 * 1024
const pieceBytes = 4 * 1024 * 1024

/** Whole or not at all; a file that stood at `path` stands until then. Throws DISK_FULL or DISK_FAILED. */
export async function writeCheckpoint(
  path: string,
  head: CheckpointHead,
  sections: readonly CheckpointSection[]
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await writeAll(file, head, sections)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw diskFailure(dirname(path), error)
  }
}

/**
 * Fills the values of `sections`, which must be those that were written, in their order, and returns the rest of the head.
 * Throws TRAINING_CHECKPOINT_INVALID for a file that is missing, torn, damaged or of something else; the values are
 * of no use then.
 */
export async function readCheckpoint(
  path: string,
  identity: string,
  sections: readonly CheckpointSection[]
): Promise<CheckpointHead> {
  const file = await open(path, 'r').catch(error => Promise.reject(invalid(path, reasonOf(error))))
  try {
    return await readAll(file, path, identity, sections)
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, head: CheckpointHead, sections: readonly CheckpointSection[]): Promise<void> {
  const lengths = sections.map(({ name, values }) => [name, values.length])
  const bytes = encodeCanonical({ ...head, sections: lengths })
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  const hash = createHash('sha256')
  const write = async (piece: Uint8Array): Promise<void> => {
    hash.update(piece)
    await writeFully(file, piece)
  }
  for (const piece of [magic, length, bytes]) await write(piece)
  for (const { values } of sections) for (const piece of piecesOf(values)) await write(piece)
  await writeFully(file, hash.digest())
}

async function readAll(
  file: FileHandle,
  path: string,
  identity: string,
  sections: readonly CheckpointSection[]
): Promise<CheckpointHead> {
  const hash = createHash('sha256')
  const start = await readInto(file, path, hash, Buffer.alloc(magic.length + 4))
  if (!start.subarray(0, magic.length).equals(magic)) throw invalid(path, 'it is no checkpoint')
  const headBytes = start.readUInt32LE(magic.length)
  if (headBytes > headBytesMax) throw invalid(path, 'its head is too long')
  const head = readHead(path, await readInto(file, path, hash, Buffer.alloc(headBytes)))
  if (head.identity !== identity) throw invalid(path, 'it is of another model, other parts or other settings')
  const lengths = sections.map(({ name, values }) => `${name} ${values.length}`)
  if (head.lengths.join() !== lengths.join()) throw invalid(path, 'it holds other values')
  for (const { values } of sections) for (const piece of piecesOf(values)) await readInto(file, path, hash, piece)
  const found = hash.digest()
  const end = await readInto(file, path, createHash('sha256'), Buffer.alloc(digestBytes))
  if (!end.equals(found)) throw invalid(path, 'its bytes are damaged')
  if ((await file.read(Buffer.alloc(1))).bytesRead > 0) throw invalid(path, 'there is more than its end')
  return { identity, step: head.step, sequencesPerRun: head.sequencesPerRun }
}

function readHead(path: string, bytes: Uint8Array): CheckpointHead & { readonly lengths: readonly string[] } {
  const head = decodeHead(path, bytes)
  if (typeof head !== 'object' || head === null || !('sections' in head)) throw invalid(path, 'its head is no map')
  const { identity, step, sequencesPerRun, sections } = head as Readonly<Record<string, CanonicalValue>>
  const isWhole = Array.isArray(sections) && sections.every(entry => Array.isArray(entry))
  if (typeof identity !== 'string' || !isCount(step) || !isCount(sequencesPerRun) || !isWhole) {
    throw invalid(path, 'its head lacks something')
  }
  return { identity, step, sequencesPerRun, lengths: sections.map(entry => (entry as unknown[]).join(' ')) }
}

function decodeHead(path: string, bytes: Uint8Array): CanonicalValue {
  try {
    return decodeCanonical(bytes, { sizeBytesMax: headBytesMax })
  } catch {
    throw invalid(path, 'its head cannot be read')
  }
}

function isCount(value: CanonicalValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Views of the values' own bytes. The machine that writes is the machine that reads, so their order does not matter. */
function* piecesOf(values: Float32Array): Generator<Uint8Array> {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

async function readInto<Bytes extends Uint8Array>(
  file: FileHandle,
  path: string,
  hash: Hash,
  into: Bytes
): Promise<Bytes> {
  for (let filled = 0; filled < into.length; ) {
    const { bytesRead } = await file.read(into, filled, into.length - filled)
    if (bytesRead === 0) throw invalid(path, 'it ends too early')
    filled += bytesRead
  }
  hash.update(into)
  return into
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await file.write(bytes, written, bytes.length - written)).bytesWritten
  }
}

/** Windows has no folders to sync; there rename is all one gets. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function diskFailure(folder: string, error: unknown): BlyanError {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  if (code === 'ENOSPC' || code === 'EDQUOT') return new BlyanError('DISK_FULL', { folder }, { cause: error })
  return new BlyanError('DISK_FAILED', { folder, reason: reasonOf(error) }, { cause: error })
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function invalid(path: string, reason: string): BlyanError {
  return new BlyanError('TRAINING_CHECKPOINT_INVALID', { path, reason })
}
