import { type Committee, commitDigest, decodeCommit, type Vertex, type VertexStore } from '../consensus/index.ts'
import { BlyanError } from '../errors/index.ts'
import { type Database, tableKey, tableRange } from '../storage/index.ts'
import { decodeVotes, numberAt, partVersionOf } from './chain-records.ts'
import type { Block } from './core/block.ts'
import { type Checkpoint, decodeCheckpoint } from './core/checkpoint.ts'
import { decodeEvents, Executor } from './core/executor.ts'
import type { Genesis } from './core/genesis.ts'
import type { HandlerRegistry } from './core/handlers.ts'
import { followSets, type Vote } from './core/set-chain.ts'
import type { History } from './database-notes.ts'
import type { SnapshotManifest } from './snapshot-format.ts'
import { verifySnapshot } from './snapshot-install.ts'
import type { ShelvedSnapshot, SnapshotShelf, SnapshotSource } from './snapshot-shelf.ts'

/** Where execution can begin again: at genesis, or at a snapshot that has been checked in full. */
export type ReplayStart = {
  readonly executor: Executor
  readonly commitIndex: number
  readonly commitDigest: string
  /** Of the checkpoint of the snapshot; 0 for genesis. */
  readonly sequence: number
  /** Of the epoch of the next commit. */
  readonly committee: Committee
  /** Blocks of chain B that the snapshot brought. */
  readonly blocks: readonly Block[]
}

type ReplayNeeds = { readonly genesis: Genesis; readonly handlers: HandlerRegistry }

export function startAtGenesis({ genesis, handlers }: ReplayNeeds): ReplayStart {
  return {
    executor: new Executor({ genesis, handlers }),
    commitIndex: 0,
    commitDigest: genesis.digestHex,
    sequence: 0,
    committee: genesis.committee,
    blocks: genesis.blocks
  }
}

/** Throws SNAPSHOT_* when it is not whole or not of this network. */
export async function startAtSnapshot(
  { genesis, handlers }: ReplayNeeds,
  source: SnapshotSource
): Promise<ReplayStart & { readonly manifest: SnapshotManifest }> {
  const entries: [string, Uint8Array][] = []
  const blocks: Block[] = []
  const manifest = await verifySnapshot(genesis, source, entry => {
    if (entry.kind === 'state') entries.push([entry.key, entry.value])
    else if (entry.kind === 'block') blocks.push(entry.block)
  })
  const state = new Map(entries)
  const parts = blocks.flatMap(
    block => partVersionOf(genesis, block, state.get(`part/${block.header.expert_name}`)) ?? []
  )
  const { commitIndex, commitDigest: digest, sequence } = manifest.checkpoint
  return {
    executor: new Executor({ genesis, handlers, stored: { entries, parts, leaves: [] } }),
    commitIndex,
    commitDigest: digest,
    sequence,
    committee: followSets(manifest.sets, genesis),
    blocks,
    manifest
  }
}

export function shelvedSource(shelf: SnapshotShelf, snapshot: ShelvedSnapshot): SnapshotSource {
  return {
    manifestBytes: snapshot.bytes,
    chunks: async function* () {
      for (const { digest } of snapshot.manifest.chunks) yield await shelf.chunk(snapshot, digest)
    }
  }
}

/**
 * The newest certified checkpoint that a snapshot can be made of: not one that ends an epoch, whose next set is no part
 * of the sets up to it.
 */
export async function newestCertified(
  database: Database
): Promise<{ checkpoint: Checkpoint; bytes: Uint8Array; votes: Vote[] } | undefined> {
  for await (const [key, votes] of database.range({ ...tableRange('q'), reverse: true, limit: 64 })) {
    const bytes = await database.get(tableKey('k', numberAt(key, 1)))
    if (bytes === undefined) continue
    const checkpoint = decodeCheckpoint(bytes)
    if (checkpoint.nextSet === undefined) return { checkpoint, bytes, votes: decodeVotes(votes) }
  }
  return undefined
}

/**
 * An executor that stands exactly at a checkpoint, by executing what is stored from the newest point before it. Throws
 * SNAPSHOT_NOT_YET when the history that it needs is not here, or is longer than `commitsMax`.
 */
export async function replayTo(
  needs: ReplayNeeds & { readonly vertices: VertexStore; readonly shelf: SnapshotShelf; readonly history: History },
  checkpoint: Checkpoint,
  commitsMax = Number.MAX_SAFE_INTEGER
): Promise<Executor> {
  const shelved = (await needs.shelf.list()).filter(
    ({ manifest }) =>
      manifest.checkpoint.sequence <= checkpoint.sequence &&
      manifest.checkpoint.commitIndex + 1 >= needs.history.firstCommit
  )
  const newest = shelved.at(-1)
  const fromIndex = newest?.manifest.checkpoint.commitIndex ?? 0
  if (newest === undefined && needs.history.firstCommit > 1)
    throw new BlyanError('SNAPSHOT_NOT_YET', {
      reason: 'this node keeps no history from which the state could be made again'
    })
  if (checkpoint.commitIndex - fromIndex > commitsMax)
    throw new BlyanError('SNAPSHOT_NOT_YET', { reason: 'nothing has been certified since this node started' })
  const start =
    newest === undefined ? startAtGenesis(needs) : await startAtSnapshot(needs, shelvedSource(needs.shelf, newest))
  for (let index = start.commitIndex + 1; index <= checkpoint.commitIndex; index++) {
    const bytes = await needs.vertices.commitBytes(index)
    if (bytes === undefined) throw new BlyanError('CHAIN_DAMAGED', { reason: `commit ${index} is missing` })
    const commit = decodeCommit(bytes)
    const vertices: Vertex[] = []
    for (const { digest } of commit.vertices) {
      const vertex = await needs.vertices.vertex(digest)
      if (vertex === undefined) throw new BlyanError('CHAIN_DAMAGED', { reason: `vertex ${digest} is missing` })
      vertices.push(vertex)
    }
    const made = start.executor.execute({ commit, commitDigest: commitDigest(bytes), vertices, eventsOf: decodeEvents })
    start.executor.state.takeChanges()
    if (index === checkpoint.commitIndex && made.checkpoint?.checkpoint.stateRoot !== checkpoint.stateRoot)
      throw new BlyanError('CHAIN_DAMAGED', { reason: `execution does not lead to checkpoint ${checkpoint.sequence}` })
  }
  return start.executor
}
