import { createVertexStore } from '../consensus/index.ts'
import { BlyanError } from '../errors/index.ts'
import type { Database } from '../storage/index.ts'
import type { Genesis } from './core/genesis.ts'
import type { HandlerRegistry } from './core/handlers.ts'
import { readHistory, requireSameGenesis } from './database-notes.ts'
import { openEpochBook } from './epoch-records.ts'
import { executedState, snapshotEntries } from './snapshot-entries.ts'
import { newestCertified, replayTo } from './snapshot-replay.ts'
import { openSnapshotShelf, type ShelvedSnapshot } from './snapshot-shelf.ts'

/**
 * A snapshot of the newest certified checkpoint of a node that is not running: executes what is stored from the newest
 * snapshot on, or from genesis. Throws SNAPSHOT_NOT_YET, GENESIS_CHANGED, CHAIN_DAMAGED.
 */
export async function createSnapshotOffline(needs: {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly database: Database
  readonly snapshotsFolder: string
}): Promise<ShelvedSnapshot> {
  const { genesis, handlers, database, snapshotsFolder } = needs
  await requireSameGenesis(database, genesis)
  const shelf = openSnapshotShelf(snapshotsFolder)
  const newest = await newestCertified(database)
  if (newest === undefined)
    throw new BlyanError('SNAPSHOT_NOT_YET', { reason: 'no checkpoint here has been certified' })
  const { checkpoint, bytes, votes } = newest
  const shelved = (await shelf.list()).find(one => one.manifest.checkpoint.sequence === checkpoint.sequence)
  if (shelved !== undefined) return shelved
  const epochs = await openEpochBook(genesis, database, checkpoint.sequence)
  const sets = await epochs.links(checkpoint.epoch)
  if (sets === undefined)
    throw new BlyanError('SNAPSHOT_NOT_YET', { reason: 'the certificate of an earlier epoch is missing here' })
  const executor = await replayTo(
    { genesis, handlers, vertices: createVertexStore(database), shelf, history: await readHistory(database) },
    checkpoint
  )
  return shelf.add(
    { sequence: checkpoint.sequence, genesis: genesis.digest, checkpointBytes: bytes, votes, sets },
    snapshotEntries(
      database,
      checkpoint,
      genesis.parameters.gcDepthRounds,
      executedState(executor),
      executor.chain('B').height
    )
  )
}
