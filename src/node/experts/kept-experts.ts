import { join } from 'node:path'
import { z } from 'zod'
import { readSmallFile, writeFileDurably } from '../durable-file.ts'

/** Tensors that this node fetched by itself, and so may drop by itself: remembered over a restart. */
export interface KeptExperts {
  has(tensor: string): boolean
  add(tensors: readonly string[]): Promise<void>
  remove(tensors: readonly string[]): Promise<void>
}

const fileName = 'kept-experts.json'
export const keptExpertsMax = 65_536
const fileBytesMax = 8 * 1024 * 1024
const schema = z.strictObject({
  schema: z.literal('blyan.kept-experts/1'),
  tensors: z.array(z.string().max(128)).max(keptExpertsMax)
})

/** A file that is damaged counts as empty: nothing is dropped that this node is not sure to have fetched itself. */
export async function openKeptExperts(folder: string): Promise<KeptExperts> {
  const path = join(folder, fileName)
  const text = await readSmallFile(path, fileBytesMax).catch(() => null)
  return new FileKeptExperts(path, text === null ? [] : tensorsIn(text))
}

function tensorsIn(text: string): readonly string[] {
  try {
    return schema.parse(JSON.parse(text)).tensors
  } catch {
    return []
  }
}

class FileKeptExperts implements KeptExperts {
  readonly #path: string
  readonly #tensors: Set<string>
  #writing: Promise<void> = Promise.resolve()

  constructor(path: string, tensors: readonly string[]) {
    this.#path = path
    this.#tensors = new Set(tensors)
  }

  has(tensor: string): boolean {
    return this.#tensors.has(tensor)
  }

  add(tensors: readonly string[]): Promise<void> {
    for (const tensor of tensors) if (this.#tensors.size < keptExpertsMax) this.#tensors.add(tensor)
    return this.#write()
  }

  remove(tensors: readonly string[]): Promise<void> {
    for (const tensor of tensors) this.#tensors.delete(tensor)
    return this.#write()
  }

  #write(): Promise<void> {
    const write = async (): Promise<void> => {
      const record = { schema: 'blyan.kept-experts/1', tensors: [...this.#tensors].sort() }
      await writeFileDurably(this.#path, `${JSON.stringify(record)}\n`, { mode: 0o644 })
    }
    this.#writing = this.#writing.then(write, write)
    return this.#writing
  }
}
