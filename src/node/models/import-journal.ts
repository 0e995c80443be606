import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Which parts of a folder this node has made already, so that an import that was stopped goes on where it was. */
export interface ImportJournal {
  /** CID of a part's tensor. */
  get(part: string): string | undefined
  add(part: string, tensor: string): Promise<void>
  remove(): Promise<void>
}

/** Forgets what was written for another folder, or for this one before it changed. */
export async function openImportJournal(path: string, fingerprint: string): Promise<ImportJournal> {
  const [first, ...lines] = (await readFile(path, 'utf8').catch(() => '')).split('\n')
  const isSame = first === JSON.stringify({ fingerprint })
  const made = new Map(isSame ? lines.flatMap(entryOf) : [])
  if (!isSame) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, `${JSON.stringify({ fingerprint })}\n`)
  } else if (lines.at(-1) !== '') {
    // Killed while it wrote: what is added must begin a line of its own.
    await appendFile(path, '\n')
  }
  return {
    get: part => made.get(part),
    add: async (part, tensor) => {
      made.set(part, tensor)
      await appendFile(path, `${JSON.stringify({ part, tensor })}\n`)
    },
    remove: () => rm(path, { force: true })
  }
}

function entryOf(line: string): [string, string][] {
  try {
    const { part, tensor } = JSON.parse(line)
    return typeof part === 'string' && typeof tensor === 'string' ? [[part, tensor]] : []
  } catch {
    return []
  }
}
