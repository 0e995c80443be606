import { access, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { onDisk } from './disk-errors.ts'

/**
 * A whole database takes the place of another by renames: it is built in `db.new`, becomes `db.ready` once every byte is
 * durable, then the one before goes to `db.before` and it becomes `db`. Whoever opens the folder after a crash finds
 * `db.ready` and goes on from there, or finds only `db.new`, which was not complete and is thrown away.
 */
export const databaseFolders = {
  staging: (folder: string) => `${folder}.new`,
  ready: (folder: string) => `${folder}.ready`,
  before: (folder: string) => `${folder}.before`
} as const

/** What a crash interrupted is finished, or undone. */
export async function settleDatabaseFolder(folder: string): Promise<void> {
  await onDisk(folder, async () => {
    if (await exists(databaseFolders.ready(folder))) await putReadyInPlace(folder)
    await rm(databaseFolders.staging(folder), { recursive: true, force: true })
  })
}

/** The staging database is complete and closed: from here on it will be the database, whatever happens. */
export async function declareReady(folder: string): Promise<void> {
  await onDisk(folder, async () => {
    await syncFolder(databaseFolders.staging(folder))
    await rename(databaseFolders.staging(folder), databaseFolders.ready(folder))
    await syncFolder(dirname(folder))
  })
}

/**
 * Both databases are closed. Gives where the one before is now; what lay there earlier goes. With `keepOld` false the one
 * before goes, and what lies aside stays.
 */
export async function putReadyInPlace(folder: string, keepOld = true): Promise<string | undefined> {
  const before = keepOld ? await moveAside(folder) : undefined
  await onDisk(folder, async () => {
    // Under the name of what is not complete: a crash does not keep it.
    if (!keepOld) await rename(folder, databaseFolders.staging(folder))
    await rename(databaseFolders.ready(folder), folder)
    await syncFolder(dirname(folder))
    if (!keepOld) await rm(databaseFolders.staging(folder), { recursive: true, force: true })
  })
  return before
}

/** Moves a closed database out of the way and gives the path it has now; undefined when there is none. */
export async function moveAside(folder: string): Promise<string | undefined> {
  return onDisk(folder, async () => {
    if (!(await exists(folder))) return undefined
    const before = databaseFolders.before(folder)
    await rm(before, { recursive: true, force: true })
    await rename(folder, before)
    await syncFolder(dirname(folder))
    return before
  })
}

/** An empty place to build a database in. */
export async function emptyStaging(folder: string): Promise<string> {
  const staging = databaseFolders.staging(folder)
  await onDisk(folder, async () => {
    await rm(staging, { recursive: true, force: true })
    await mkdir(staging, { recursive: true })
  })
  return staging
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  )
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
