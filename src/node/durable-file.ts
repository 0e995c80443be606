import { randomBytes } from 'node:crypto'
import { type FileHandle, link, open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Writes a small file so that after a crash it is there whole or not at all: temporary file, fsync, rename, fsync of
 * the folder. `exclusive` never replaces a file that is there; it then throws EEXIST.
 */
export async function writeFileDurably(
  path: string,
  content: string | Uint8Array,
  options: { mode: number; exclusive?: boolean }
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(temporary, 'wx', options.mode)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    // A link fails when the name is taken, a rename does not.
    if (options.exclusive === true) await link(temporary, path)
    else await rename(temporary, path)
  } finally {
    await removeFile(temporary)
  }
  await syncFolder(dirname(path))
}

export async function removeFile(path: string): Promise<void> {
  await unlink(path).catch(ignoreMissing)
}

/** The text of a small file; null when there is none. Reads at most `limitBytes`. */
export async function readSmallFile(path: string, limitBytes = 1 << 20): Promise<string | null> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    const { size } = await file.stat()
    if (size > limitBytes) throw new Error(`${path} has ${size} bytes and must not have more than ${limitBytes}`)
    return await readFile(file, 'utf8')
  } catch (error) {
    ignoreMissing(error as NodeJS.ErrnoException)
    return null
  } finally {
    await file?.close()
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

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
