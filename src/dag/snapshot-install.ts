import { rm } from 'node:fs/promises'
import { encodeCanonical } from '../codec/index.ts'
import type { Vote } from '../consensus/index.ts'
import { databaseFolders, declareReady, emptyStaging, openDatabase, tableKey, type Write } from '../storage/index.ts'
import { blockWrites } from './chain-records.ts'
import { decodeCheckpoint } from './core/checkpoint.ts'
import type { Genesis } from './core/genesis.ts'
import { genesisWrite, historyWrite } from './database-notes.ts'
import { epochRecordOf, epochWrite } from './epoch-records.ts'
import { type CheckedEntry, checkManifest, SnapshotChecker } from './snapshot-checker.ts'
import { decodeManifest, type SnapshotManifest } from './snapshot-format.ts'
import type { SnapshotSource } from './snapshot-shelf.ts'

/**
 * Checks a whole snapshot, entry by entry, without keeping it. Throws SNAPSHOT_FOREIGN, SNAPSHOT_UNSIGNED,
 * SNAPSHOT_DAMAGED, SNAPSHOT_TRUNCATED, SNAPSHOT_INVALID.
 */
export async function verifySnapshot(
  genesis: Genesis,
  source: SnapshotSource,
  onEntry: (entry: CheckedEntry) => void = () => {}
): Promise<SnapshotManifest> {
  const manifest = decodeManifest(source.manifestBytes)
  checkManifest(manifest, genesis)
  const checker = new SnapshotChecker(manifest, genesis.parameters.gcDepthRounds)
  for await (const chunk of source.chunks()) for (const entry of checker.take(chunk)) onEntry(entry)
  checker.finish()
  return manifest
}

/**
 * Builds a database from a snapshot beside the one at `folder`, checks everything on the way, and declares it ready once
 * it is whole and durable. Until then nothing of the old one is touched, and a crash leaves only what is thrown away.
 */
export async function stageSnapshot(
  genesis: Genesis,
  folder: string,
  source: SnapshotSource
): Promise<SnapshotManifest> {
  const staging = await emptyStaging(folder)
  try {
    const database = await openDatabase(staging, { isBulkLoad: true })
    let manifest: SnapshotManifest
    try {
      let writes: Write[] = []
      manifest = await verifySnapshot(
        genesis,
        flushing(source, async () => {
          const batch = writes
          writes = []
          await database.write(batch, { durable: false })
        }),
        entry => writes.push(...writesOf(entry))
      )
      await database.write([...writes, ...closingWrites(genesis, manifest)], { durable: true })
    } finally {
      await database.close()
    }
    await declareReady(folder)
    return manifest
  } catch (error) {
    await rm(databaseFolders.staging(folder), { recursive: true, force: true }).catch(() => {})
    throw error
  }
}

/** What the chunk before gave is written before the next one is read: memory holds one chunk. */
function flushing(source: SnapshotSource, flush: () => Promise<void>): SnapshotSource {
  return {
    manifestBytes: source.manifestBytes,
    chunks: async function* () {
      for await (const chunk of source.chunks()) {
        await flush()
        yield chunk
      }
    }
  }
}

function writesOf(entry: CheckedEntry): Write[] {
  if (entry.kind === 'state') return [{ key: tableKey('x', entry.key), value: entry.value }]
  if (entry.kind === 'commit') return [{ key: tableKey('c', entry.index), value: entry.bytes }]
  return blockWrites(entry.block)
}

function closingWrites(genesis: Genesis, manifest: SnapshotManifest): Write[] {
  const { checkpoint, checkpointBytes, votes, sets } = manifest
  const { sequence, commitIndex, eventFirst, eventCount } = checkpoint
  return [
    ...sets.flatMap(link => [
      epochWrite(epochRecordOf(link.checkpoint, link.set)),
      ...checkpointWrites(link.checkpoint, link.votes)
    ]),
    ...checkpointWrites(checkpointBytes, votes),
    genesisWrite(genesis),
    historyWrite({ firstCommit: commitIndex + 1, firstEvent: eventFirst + eventCount, afterCheckpoint: sequence })
  ]
}

function checkpointWrites(bytes: Uint8Array, votes: readonly Vote[]): Write[] {
  const { sequence, commitIndex } = decodeCheckpoint(bytes)
  return [
    { key: tableKey('k', sequence), value: bytes },
    { key: tableKey('j', commitIndex), value: tableKey('', sequence) },
    { key: tableKey('q', sequence), value: encodeCanonical(votes.map(vote => [vote.author, vote.signature])) }
  ]
}
