import { rm } from 'node:fs/promises'
import {
  createSnapshotOffline,
  openSnapshotFile,
  openSnapshotShelf,
  packSnapshot,
  type SnapshotManifest,
  stageSnapshot,
  totalBytesOf,
  verifySnapshot
} from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { databaseFolders, moveAside, openDatabase, putReadyInPlace } from '../storage/index.ts'
import type { SnapshotView } from './blyan-node.ts'
import { type DataFolderPaths, openDataFolder } from './data-folder.ts'
import { createHandlers } from './event-handlers.ts'
import { readGenesis } from './read-genesis.ts'
import { snapshotView } from './views.ts'

/*
 * Snapshots of a node that does not run. Each of these holds the lock of the data folder while it works on it; keys,
 * settings, tensors and the signer's floor are never touched.
 */

type Place = { readonly paths: DataFolderPaths; readonly genesisFile: string }

/** Throws DATA_FOLDER_IN_USE, SNAPSHOT_NOT_YET, DATABASE_*, CHAIN_DAMAGED. */
export async function createOffline({ paths, genesisFile }: Place): Promise<SnapshotView> {
  const genesis = await readGenesis(paths.root, genesisFile)
  const folder = await openDataFolder(paths.root)
  try {
    const database = await openDatabase(paths.databaseFolder)
    try {
      const made = await createSnapshotOffline({
        genesis,
        handlers: createHandlers(genesis),
        database,
        snapshotsFolder: paths.snapshotsFolder
      })
      return snapshotView(made)
    } finally {
      await database.close()
    }
  } finally {
    await folder.release()
  }
}

export async function listOffline(paths: DataFolderPaths): Promise<SnapshotView[]> {
  return (await openSnapshotShelf(paths.snapshotsFolder).list()).map(snapshotView)
}

/** Writes one of the snapshots on this machine into one file. Gives its size. Throws SNAPSHOT_NONE, FILE_UNWRITABLE. */
export async function exportSnapshot(paths: DataFolderPaths, sequence: number, file: string): Promise<number> {
  const shelf = openSnapshotShelf(paths.snapshotsFolder)
  const found = (await shelf.list()).find(({ manifest }) => manifest.checkpoint.sequence === sequence)
  if (found === undefined) throw new BlyanError('SNAPSHOT_NONE', { what: `of checkpoint ${sequence}` })
  return packSnapshot(shelf, found, file)
}

export type SnapshotVerdict = {
  readonly id: string
  readonly sequence: number
  readonly commit: number
  readonly epoch: number
  readonly stateRoot: string
  readonly time: string
  readonly entries: number
  readonly sizeBytes: number
}

/** Checks every byte of a file against the genesis of this data folder. Throws SNAPSHOT_*. */
export async function verifyFile({ paths, genesisFile }: Place, file: string): Promise<SnapshotVerdict> {
  const genesis = await readGenesis(paths.root, genesisFile)
  const source = await openSnapshotFile(file)
  try {
    return verdictOf(await verifySnapshot(genesis, source))
  } finally {
    await source.close()
  }
}

export type RestoreReport = SnapshotVerdict & {
  /** Where the database that was here is now; null when there was none. */
  readonly before: string | null
  readonly elapsedMs: number
}

/**
 * Puts a snapshot in the place of the database. The old one is moved aside once the new one is whole; until then nothing
 * has changed. Throws DATA_FOLDER_IN_USE, SNAPSHOT_*, DISK_*.
 */
export async function restoreFile({ paths, genesisFile }: Place, file: string): Promise<RestoreReport> {
  const startedAtMs = performance.now()
  const genesis = await readGenesis(paths.root, genesisFile)
  const folder = await openDataFolder(paths.root)
  const { incoming } = openSnapshotShelf(paths.snapshotsFolder)
  try {
    const source = await openSnapshotFile(file)
    try {
      // The snapshot stays with the node: what it keeps from here on is verified from there.
      await incoming.clear()
      const manifest = await stageSnapshot(genesis, paths.databaseFolder, {
        manifestBytes: source.manifestBytes,
        chunks: () => incoming.keeping(source)
      })
      const before = await putReadyInPlace(paths.databaseFolder)
      await incoming.finish(source.manifestBytes, manifest)
      return { ...verdictOf(manifest), before: before ?? null, elapsedMs: performance.now() - startedAtMs }
    } catch (error) {
      await incoming.clear()
      throw error
    } finally {
      await source.close()
    }
  } finally {
    await folder.release()
  }
}

/** Moves the database aside, so that the node fetches everything anew. Gives where it is now. The folder must be locked. */
export async function moveDatabaseAside(paths: DataFolderPaths): Promise<string | undefined> {
  await rm(databaseFolders.staging(paths.databaseFolder), { recursive: true, force: true })
  await rm(databaseFolders.ready(paths.databaseFolder), { recursive: true, force: true })
  return moveAside(paths.databaseFolder)
}

function verdictOf(manifest: SnapshotManifest): SnapshotVerdict {
  const { id, checkpoint, entryCount } = manifest
  const { sequence, commitIndex, epoch, stateRoot, timestampMs } = checkpoint
  return {
    id,
    sequence,
    commit: commitIndex,
    epoch,
    stateRoot,
    time: new Date(timestampMs).toISOString(),
    entries: entryCount,
    sizeBytes: totalBytesOf(manifest)
  }
}
