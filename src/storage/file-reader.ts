import { type FileHandle, open } from 'node:fs/promises'
import { codeOf, diskError } from './disk-errors.ts'

/** Reads ranges of files by path, keeping a bounded number of them open. */
export interface FileReader {
  /** The bytes of the range, or undefined where the file is gone or too short. */
  read(path: string, offsetBytes: number, lengthBytes: number): Promise<Uint8Array | undefined>
  /** Lets go of a file that is about to be removed. */
  forget(path: string): void
  close(): Promise<void>
}

type OpenFile = { readonly handle: Promise<FileHandle>; users: number; retired: boolean }

export function createFileReader(options: { openFilesMax: number }): FileReader {
  return new CachingFileReader(options.openFilesMax)
}

class CachingFileReader implements FileReader {
  readonly #openFilesMax: number
  /** In order of use: the first entry is the one used longest ago. */
  readonly #files = new Map<string, OpenFile>()
  readonly #closing = new Set<Promise<void>>()

  constructor(openFilesMax: number) {
    this.#openFilesMax = openFilesMax
  }

  async read(path: string, offsetBytes: number, lengthBytes: number): Promise<Uint8Array | undefined> {
    const file = this.#take(path)
    try {
      const handle = await file.handle
      const bytes = new Uint8Array(lengthBytes)
      for (let done = 0; done < lengthBytes; ) {
        const { bytesRead } = await handle.read(bytes, done, lengthBytes - done, offsetBytes + done)
        if (bytesRead === 0) return undefined
        done += bytesRead
      }
      return bytes
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw diskError(path, error)
    } finally {
      file.users--
      this.#closeIfIdle(file)
    }
  }

  forget(path: string): void {
    const file = this.#files.get(path)
    if (file === undefined) return
    this.#files.delete(path)
    file.retired = true
    this.#closeIfIdle(file)
  }

  async close(): Promise<void> {
    for (const path of [...this.#files.keys()]) this.forget(path)
    await Promise.all(this.#closing)
  }

  #take(path: string): OpenFile {
    const known = this.#files.get(path)
    const file = known ?? { handle: open(path, 'r'), users: 0, retired: false }
    file.users++
    this.#files.delete(path)
    this.#files.set(path, file)
    if (known === undefined) {
      file.handle.catch(() => this.forget(path))
      this.#evict()
    }
    return file
  }

  #evict(): void {
    for (const path of this.#files.keys()) {
      if (this.#files.size <= this.#openFilesMax) return
      this.forget(path)
    }
  }

  #closeIfIdle(file: OpenFile): void {
    if (!file.retired || file.users > 0) return
    const closing: Promise<void> = file.handle
      .then(handle => handle.close())
      .catch(() => {})
      .finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }
}
