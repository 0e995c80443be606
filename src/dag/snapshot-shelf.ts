import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesToHex, sha256 } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { diskError } from '../storage/index.ts'
import {
  decodeManifest,
  encodeChunk,
  encodeManifest,
  entrySizeBytes,
  type ManifestInput,
  type SnapshotChunk,
  type SnapshotEntry,
  type SnapshotManifest,
  snapshotLimits
} from './snapshot-format.ts'

/** A snapshot from anywhere: the shelf, a file, peers. */
export type SnapshotSource = {
  readonly manifestBytes: Uint8Array
  /** Chunks in their order. */
  readonly chunks: () => AsyncIterable<Uint8Array>
}

export type ShelvedSnapshot = {
  readonly folder: string
  readonly manifest: SnapshotManifest
  readonly bytes: Uint8Array
}

/**
 * The folder of snapshots: each in a folder named by its checkpoint's sequence, with a file `manifest` and a file for
 * each chunk named by its hash; `incoming` holds the chunks of one that is being fetched. A name that others choose never
 * becomes a path: chunks are looked up by their digest, which has been checked to be one.
 */
export interface SnapshotShelf {
  /** Oldest first. What cannot be read is left out. */
  list(): Promise<ShelvedSnapshot[]>
  newest(): Promise<ShelvedSnapshot | undefined>
  /** Writes chunks as entries come, then the manifest; the snapshot appears whole or not at all. */
  add(input: NewSnapshot, entries: AsyncIterable<SnapshotEntry>): Promise<ShelvedSnapshot>
  /** Removes all but the newest `count`. */
  keepNewest(count: number): Promise<void>
  chunk(snapshot: ShelvedSnapshot, digest: string): Promise<Uint8Array>
  readonly incoming: IncomingChunks
}

/** Chunks that were fetched and checked by their hash; they stay until the snapshot is installed. */
export interface IncomingChunks {
  /** Digests of the chunks of this snapshot that are here. Throws DISK_SPACE_LOW when there is no room for the rest. */
  begin(manifestBytes: Uint8Array, manifest: SnapshotManifest): Promise<ReadonlySet<string>>
  /** The snapshot that was begun; undefined for none. */
  begun(): Promise<ShelvedSnapshot | undefined>
  put(digest: string, bytes: Uint8Array): Promise<void>
  get(digest: string): Promise<Uint8Array>
  /** The chunks of a source as they come; each that went by is kept. */
  keeping(source: SnapshotSource): AsyncIterable<Uint8Array>
  /** The snapshot is installed: from here on it stands with the others. */
  finish(manifestBytes: Uint8Array, manifest: SnapshotManifest): Promise<void>
  clear(): Promise<void>
}

export type NewSnapshot = Omit<ManifestInput, 'chunks' | 'entryCount'> & { readonly sequence: number }

export function openSnapshotShelf(folder: string): SnapshotShelf {
  return new FolderShelf(folder)
}

const manifestFile = 'manifest'
const partSuffix = '.part'
const digestPattern = /^[0-9a-f]{64}$/

class FolderShelf implements SnapshotShelf {
  readonly #folder: string
  readonly incoming: IncomingChunks

  constructor(folder: string) {
    this.#folder = folder
    this.incoming = new IncomingFolder(folder)
  }

  async list(): Promise<ShelvedSnapshot[]> {
    const names = await readdir(this.#folder).catch(() => [])
    const found: ShelvedSnapshot[] = []
    for (const name of names) {
      if (!/^\d{1,15}$/.test(name)) continue
      const folder = join(this.#folder, name)
      const shelved = await readShelved(folder)
      if (shelved !== undefined) found.push(shelved)
    }
    return found.sort((a, b) => a.manifest.checkpoint.sequence - b.manifest.checkpoint.sequence)
  }

  async newest(): Promise<ShelvedSnapshot | undefined> {
    return (await this.list()).at(-1)
  }

  async add({ sequence, ...input }: NewSnapshot, entries: AsyncIterable<SnapshotEntry>): Promise<ShelvedSnapshot> {
    const folder = join(this.#folder, String(sequence))
    const partial = `${folder}${partSuffix}`
    try {
      await rm(partial, { recursive: true, force: true })
      await mkdir(partial, { recursive: true, mode: 0o700 })
      const { chunks, entryCount } = await writeChunks(partial, entries)
      const bytes = encodeManifest({ ...input, chunks, entryCount })
      await writeDurably(join(partial, manifestFile), bytes)
      await rm(folder, { recursive: true, force: true })
      await rename(partial, folder)
      await syncFolder(this.#folder)
      return { folder, bytes, manifest: decodeManifest(bytes) }
    } catch (error) {
      await rm(partial, { recursive: true, force: true }).catch(() => {})
      throw error instanceof BlyanError ? error : diskError(this.#folder, error)
    }
  }

  async keepNewest(count: number): Promise<void> {
    const all = await this.list()
    for (const { folder } of all.slice(0, Math.max(0, all.length - count)))
      await rm(folder, { recursive: true, force: true })
    for (const name of await readdir(this.#folder).catch(() => []))
      if (name.endsWith(partSuffix)) await rm(join(this.#folder, name), { recursive: true, force: true })
  }

  async chunk({ folder, manifest }: ShelvedSnapshot, digest: string): Promise<Uint8Array> {
    const place = manifest.chunks.findIndex(chunk => chunk.digest === digest)
    return readFile(join(folder, digest)).catch(() => {
      throw new BlyanError('SNAPSHOT_TRUNCATED', { part: `chunk ${place + 1} of ${manifest.chunks.length}` })
    })
  }
}

class IncomingFolder implements IncomingChunks {
  readonly #shelf: string
  readonly #folder: string

  constructor(shelf: string) {
    this.#shelf = shelf
    this.#folder = join(shelf, 'incoming')
  }

  begun(): Promise<ShelvedSnapshot | undefined> {
    return readShelved(this.#folder)
  }

  async begin(manifestBytes: Uint8Array, manifest: SnapshotManifest): Promise<ReadonlySet<string>> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const wanted = new Map(manifest.chunks.map(chunk => [chunk.digest, chunk]))
    const here = new Set<string>()
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name)
      const chunk = wanted.get(name)
      const isWhole = chunk !== undefined && (await stat(path)).size === chunk.sizeBytes
      // Read again: a crash can leave a file of the right size with holes.
      if (isWhole && bytesToHex(sha256(await readFile(path))) === name) here.add(name)
      else await rm(path, { recursive: true, force: true })
    }
    const lackingBytes = [...wanted.values()].reduce((sum, one) => sum + (here.has(one.digest) ? 0 : one.sizeBytes), 0)
    const totalBytes = [...wanted.values()].reduce((sum, one) => sum + one.sizeBytes, 0)
    const { bavail, bsize } = await statfs(this.#folder)
    // The chunks that are to come, and the database that is built from all of them.
    const neededBytes = lackingBytes + 2 * totalBytes
    if (bavail * bsize < neededBytes)
      throw new BlyanError('DISK_SPACE_LOW', { path: this.#shelf, freeBytes: bavail * bsize, neededBytes })
    await writeDurably(join(this.#folder, manifestFile), manifestBytes)
    return here
  }

  async put(digest: string, bytes: Uint8Array): Promise<void> {
    const path = this.#pathOf(digest)
    try {
      await writeDurably(`${path}${partSuffix}`, bytes)
      await rename(`${path}${partSuffix}`, path)
    } catch (error) {
      throw diskError(this.#folder, error)
    }
  }

  async get(digest: string): Promise<Uint8Array> {
    return readFile(this.#pathOf(digest)).catch(error => {
      throw diskError(this.#folder, error)
    })
  }

  async *keeping(source: SnapshotSource): AsyncIterable<Uint8Array> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    await writeDurably(join(this.#folder, manifestFile), source.manifestBytes)
    for await (const bytes of source.chunks()) {
      yield bytes
      await this.put(bytesToHex(sha256(bytes)), bytes)
    }
  }

  async finish(manifestBytes: Uint8Array, { checkpoint }: SnapshotManifest): Promise<void> {
    await writeDurably(join(this.#folder, manifestFile), manifestBytes)
    const folder = join(this.#shelf, String(checkpoint.sequence))
    await rm(folder, { recursive: true, force: true })
    await rename(this.#folder, folder)
    await syncFolder(this.#shelf)
  }

  async clear(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  #pathOf(digest: string): string {
    if (!digestPattern.test(digest)) throw new BlyanError('SNAPSHOT_INVALID', { reason: 'the name of a chunk' })
    return join(this.#folder, digest)
  }
}

async function readShelved(folder: string): Promise<ShelvedSnapshot | undefined> {
  try {
    const bytes = await readFile(join(folder, manifestFile))
    return { folder, bytes, manifest: decodeManifest(bytes) }
  } catch {
    return undefined
  }
}

/** Cuts the entries into chunks; every node cuts alike. */
async function writeChunks(
  folder: string,
  entries: AsyncIterable<SnapshotEntry>
): Promise<{ chunks: SnapshotChunk[]; entryCount: number }> {
  const chunks: SnapshotChunk[] = []
  let entryCount = 0
  let waiting: SnapshotEntry[] = []
  let waitingBytes = 0
  const cut = async (): Promise<void> => {
    const bytes = encodeChunk(waiting)
    const digest = bytesToHex(sha256(bytes))
    await writeDurably(join(folder, digest), bytes)
    chunks.push({ digest, sizeBytes: bytes.length })
    entryCount += waiting.length
    waiting = []
    waitingBytes = 0
  }
  for await (const entry of entries) {
    const sizeBytes = entrySizeBytes(entry)
    if (waiting.length > 0 && waitingBytes + sizeBytes > snapshotLimits.chunkBytes) await cut()
    waiting.push(entry)
    waitingBytes += sizeBytes
  }
  if (waiting.length > 0) await cut()
  return { chunks, entryCount }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file: FileHandle = await open(path, 'w', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
