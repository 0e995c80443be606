import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, onDisk } from './disk-errors.ts'

/**
 * A folder of files that never change once they have their name, because other processes map them:
 * writing to or truncating a mapped file kills the process that maps it.
 * Source: docs/design.md, "A tensor is on disk once".
 */
export interface ImmutableFiles {
  readonly folder: string
  pathOf(fileName: string): string
  names(): Promise<string[]>
  sizeBytesOf(fileName: string): Promise<number | undefined>
  /** A file without its final name yet. */
  create(): Promise<TemporaryFile>
  /** Removing a file that is gone already is no failure. */
  remove(fileName: string): Promise<void>
}

export interface TemporaryFile {
  /** Writes at an offset. Parts never written read as zeros and take no space on disk. */
  write(bytes: Uint8Array, offsetBytes: number): Promise<void>
  /** Makes the file durable and gives it its name; it is read-only from here on. */
  commit(fileName: string, sizeBytes: number): Promise<void>
  /** Removes it. Safe at any time, also after a commit, which it leaves alone. */
  discard(): Promise<void>
}

const temporarySuffix = '.part'
const readOnlyMode = 0o444
/** Lets the disk work while the rest still comes, instead of all at the end. */
const flushEveryBytes = 32 * 1024 * 1024

/** Opens the folder and removes what a crash left half-written. */
export async function openImmutableFiles(folder: string): Promise<ImmutableFiles> {
  await onDisk(folder, async () => {
    await mkdir(folder, { recursive: true })
    for (const name of await readdir(folder)) {
      if (name.endsWith(temporarySuffix)) await unlink(join(folder, name))
    }
  })
  return new FolderOfImmutableFiles(folder)
}

class FolderOfImmutableFiles implements ImmutableFiles {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  pathOf(fileName: string): string {
    return join(this.folder, fileName)
  }

  async names(): Promise<string[]> {
    const names = await onDisk(this.folder, () => readdir(this.folder))
    return names.filter(name => !name.endsWith(temporarySuffix)).sort()
  }

  async sizeBytesOf(fileName: string): Promise<number | undefined> {
    try {
      return (await stat(this.pathOf(fileName))).size
    } catch {
      return undefined
    }
  }

  async create(): Promise<TemporaryFile> {
    const path = this.pathOf(`${randomUUID()}${temporarySuffix}`)
    const handle = await onDisk(this.folder, () => open(path, 'wx+', 0o600))
    return new FileWithoutName(this.folder, path, handle)
  }

  async remove(fileName: string): Promise<void> {
    await onDisk(this.folder, () => unlinkIfThere(this.pathOf(fileName)))
    await onDisk(this.folder, () => syncFolder(this.folder))
  }
}

class FileWithoutName implements TemporaryFile {
  readonly #folder: string
  readonly #path: string
  readonly #handle: FileHandle
  #state: 'open' | 'closed' = 'open'
  #unflushedBytes = 0
  #flush: Promise<void> | undefined

  constructor(folder: string, path: string, handle: FileHandle) {
    this.#folder = folder
    this.#path = path
    this.#handle = handle
  }

  async write(bytes: Uint8Array, offsetBytes: number): Promise<void> {
    await onDisk(this.#folder, async () => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, offsetBytes + done)
        done += bytesWritten
      }
    })
    this.#unflushedBytes += bytes.length
    if (this.#unflushedBytes >= flushEveryBytes && this.#flush === undefined) this.#flushInBackground()
  }

  async commit(fileName: string, sizeBytes: number): Promise<void> {
    try {
      await this.#flush
      await onDisk(this.#folder, async () => {
        await this.#handle.truncate(sizeBytes)
        await this.#handle.chmod(readOnlyMode)
        await this.#handle.sync()
        this.#state = 'closed'
        await this.#handle.close()
        await rename(this.#path, join(this.#folder, fileName))
        await syncFolder(this.#folder)
      })
    } catch (error) {
      await this.discard()
      throw error
    }
  }

  async discard(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closed'
      await this.#flush
      await this.#handle.close().catch(() => {})
    }
    await onDisk(this.#folder, () => unlinkIfThere(this.#path))
  }

  /** Its failure is not lost: the sync of the commit reports it again. */
  #flushInBackground(): void {
    this.#unflushedBytes = 0
    this.#flush = this.#handle
      .datasync()
      .catch(() => {})
      .finally(() => {
        this.#flush = undefined
      })
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** A rename is durable only once its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
