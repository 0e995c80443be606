import { readdir, readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { BlyanError } from '../../errors/index.ts'
import { unreadable } from '../context.ts'

/** Real text for the model: from one file, from all files of a folder, or from what is installed here anyway. */
export type InputText = { readonly bytes: Uint8Array; readonly files: number; readonly from: string }

const textBytesMax = 32 * 1024
const bytesPerFileMax = 4 * 1024
const filesMax = 4096

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
  return { bytes: Buffer.concat(chunks), files: used, from }
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

function installedPackages(): string {
  return dirname(dirname(createRequire(import.meta.url).resolve('commander')))
}

/** README and licence texts of the installed packages. */
async function installedTexts(modules: string): Promise<string[]> {
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
