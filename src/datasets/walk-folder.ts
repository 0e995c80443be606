import { open, opendir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { BlyanError } from '../errors/index.ts'
import type { SourceFile } from './read-texts.ts'

const folderEntriesMax = 100_000
const depthMax = 64
const chunkBytes = 256 * 1024

/**
 * All files below a folder in the order of their names, one at a time. Hidden files and folders, links and what is no
 * file are named, not read. A path that is a file stands for itself. Throws CORPUS_UNREADABLE.
 */
export async function* walkFolder(folder: string): AsyncGenerator<SourceFile> {
  const kind = await stat(folder).catch((error: Error) => {
    throw new BlyanError('CORPUS_UNREADABLE', { folder, reason: error.message }, { cause: error })
  })
  if (kind.isFile()) yield { path: basename(folder), chunks: chunksOf(folder) }
  else yield* filesBelow(folder, '', 0)
}

async function* filesBelow(root: string, path: string, depth: number): AsyncGenerator<SourceFile> {
  const names = await namesIn(join(root, path)).catch((error: Error) => {
    if (depth > 0) return undefined
    throw new BlyanError('CORPUS_UNREADABLE', { folder: root, reason: error.message }, { cause: error })
  })
  if (names === undefined) yield { path, skipped: 'unreadable' }
  for (const { name, kind } of names ?? []) {
    const below = join(path, name)
    if (kind === 'folder' && depth < depthMax) yield* filesBelow(root, below, depth + 1)
    else if (kind === 'folder') yield { path: below, skipped: 'too-deep' }
    else if (kind === 'file') yield { path: below, chunks: chunksOf(join(root, below)) }
    else yield { path: below, skipped: kind }
  }
}

type Entry = { readonly name: string; readonly kind: 'file' | 'folder' | 'hidden' | 'link' | 'special' | 'too-many' }

async function namesIn(folder: string): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const entry of await opendir(folder)) {
    if (entries.length === folderEntriesMax) {
      entries.push({ name: entry.name, kind: 'too-many' })
      break
    }
    const isHidden = entry.name.startsWith('.')
    const kind = entry.isSymbolicLink() ? 'link' : entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : 'special'
    entries.push({ name: entry.name, kind: isHidden ? 'hidden' : kind })
  }
  return entries.sort((one, other) => (one.name < other.name ? -1 : 1))
}

/** Each chunk is a buffer of its own. */
async function* chunksOf(path: string): AsyncGenerator<Uint8Array> {
  const handle = await open(path, 'r')
  try {
    for (;;) {
      const { bytesRead, buffer } = await handle.read(new Uint8Array(chunkBytes), 0, chunkBytes)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}
