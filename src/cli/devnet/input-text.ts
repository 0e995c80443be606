import { readdir, readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { BlyanError } from '../../errors/index.ts'
import { unreadable } from '../context.ts'

/** Real text for the model: from one file, from all files of a folder, or from what is installed here anyway. */
export type InputText = {
  /** The beginnings of some of it, to measure a loss on. */
  readonly bytes: Uint8Array
  /** Files that `bytes` were taken from. */
  readonly files: number
  readonly from: string
  readonly isFolder: boolean
  /** All files, and what they hold together. */
  readonly paths: readonly string[]
  readonly sizeBytes: number
}

const textBytesMax = 16 * 1024
const bytesPerFileMax = 2 * 1024
const filesMax = 4096
/** Of installed packages: enough to learn from, and little to read. */
const installedFilesMax = 48

/** Throws FILE_UNREADABLE, INPUT_EMPTY. */
export async function readInputText(path: string | undefined): Promise<InputText> {
  const from = path ?? installedPackages()
  const files = path === undefined ? await installedTexts(from) : await filesOf(path)
  const chunks: Buffer[] = []
  let sizeBytes = 0
  let used = 0
  const perFile = files.length === 1 ? textBytesMax : bytesPerFileMax
  for (const file of files) {
    if (sizeBytes >= textBytesMax) break
    const text = (await readFile(file)).subarray(0, Math.min(perFile, textBytesMax - sizeBytes))
    chunks.push(text)
    sizeBytes += text.length
    used++
  }
  if (sizeBytes < 2) throw new BlyanError('INPUT_EMPTY', { path: from })
  const paths = path === undefined ? files.slice(0, installedFilesMax) : files
  const isFolder = path !== undefined && (await stat(path)).isDirectory()
  return { bytes: Buffer.concat(chunks), files: used, from, isFolder, paths, sizeBytes: await sizeOf(paths) }
}

async function sizeOf(paths: readonly string[]): Promise<number> {
  let sizeBytes = 0
  for (const path of paths) sizeBytes += (await stat(path)).size
  return sizeBytes
}

async function filesOf(path: string): Promise<string[]> {
  try {
    if ((await stat(path)).isFile()) return [path]
    const entries = await readdir(path, { recursive: true, withFileTypes: true })
    return entries
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name))
      .sort()
      .slice(0, filesMax)
  } catch (error) {
    throw unreadable(path, error)
  }
}

export function installedPackages(): string {
  return dirname(dirname(createRequire(import.meta.url).resolve('commander')))
}

/** README and licence texts of the installed packages. */
export async function installedTexts(modules: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of (await readdir(modules, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!entry.isDirectory() || entry.name.startsWith('.') || entry.name.startsWith('@')) continue
    const names = await readdir(join(modules, entry.name)).catch(() => [])
    found.push(
      ...names
        .filter(name => /^(readme|licen[cs]e)(\.md|\.txt)?$/i.test(name))
        .map(name => join(modules, entry.name, name))
    )
    if (found.length >= filesMax) break
  }
  return found
}
