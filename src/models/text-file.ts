import { readFile, stat } from 'node:fs/promises'
import { BlyanError } from '../errors/index.ts'

/** Undefined where there is no such file. */
export async function readTextFile(path: string, sizeBytesMax: number): Promise<string | undefined> {
  try {
    const { size } = await stat(path)
    if (size > sizeBytesMax) throw unreadable(path, { message: `it has more than ${sizeBytesMax} bytes` })
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error instanceof BlyanError ? error : unreadable(path, error)
  }
}

export function unreadable(path: string, error: unknown): BlyanError {
  return new BlyanError('CHECKPOINT_UNREADABLE', { path, reason: (error as Error).message })
}
