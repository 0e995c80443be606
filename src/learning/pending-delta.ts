import { open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Lineage } from '../datasets/index.ts'
import { onDisk } from '../storage/index.ts'

/** A delta on its way: what revealing it takes. */
export type PendingDelta = {
  /** In which it was committed; of one that was not, in which it was made. */
  readonly round: number
  readonly baseRound: number
  readonly cid: string
  /** Hex. */
  readonly salt: string
  readonly sizeBytes: number
  readonly lineage: Lineage
}

/** The committed delta on disk, so that a node that was killed can still reveal it. */
export interface PendingDeltaFile {
  /** Undefined where there is none that can be read. */
  read(): Promise<PendingDelta | undefined>
  write(delta: PendingDelta): Promise<void>
  clear(): Promise<void>
}

const natural = z.int().min(0)
const schema = z.strictObject({
  round: natural,
  baseRound: natural,
  cid: z.string().max(128),
  salt: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: natural,
  lineage: z.strictObject({
    shards: z.array(z.strictObject({ shard: z.string().max(128), samples: natural })).max(16),
    seed: z.string().max(64),
    batchesDigest: z.string().max(64),
    steps: natural,
    tokens: natural
  })
})

export function createPendingDelta(folder: string, model: string): PendingDeltaFile {
  const path = join(folder, `${model}.committed.json`)
  return {
    async read() {
      try {
        return schema.parse(JSON.parse(await readFile(path, 'utf8')))
      } catch {
        return undefined
      }
    },
    write: delta => onDisk(path, () => replace(path, JSON.stringify(delta))),
    clear: () => onDisk(path, () => rm(path, { force: true }))
  }
}

async function replace(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
}
