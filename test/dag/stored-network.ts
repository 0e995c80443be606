import { join } from 'node:path'
import type { SigningKey } from '../../src/codec/index.ts'
import {
  createVertexStore,
  encodeCommit,
  type Vertex,
  type VertexStore,
  vertexSigningBytes
} from '../../src/consensus/index.ts'
import { type Checkpoint, checkpointSigningBytes } from '../../src/dag/core/checkpoint.ts'
import type { SignedEvent } from '../../src/dag/core/event.ts'
import type { GenesisFile } from '../../src/dag/core/genesis.ts'
import { type Chains, openChains } from '../../src/dag/index.ts'
import { type Database, openDatabase } from '../../src/storage/index.ts'
import { genesisFile, keyOf, SmallNetwork } from './small-network.ts'

export const quietLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/**
 * One node's chains on a real disk, as the quorum would feed them: commits in order, each with its one vertex, signed by
 * the first validator; every checkpoint is certified by three of four.
 */
export class StoredNetwork {
  readonly folder: string
  readonly network: SmallNetwork
  readonly everyCommits: number
  database!: Database
  store!: VertexStore
  chains!: Chains

  private constructor(folder: string, file: GenesisFile, everyCommits: number) {
    this.folder = folder
    this.network = new SmallNetwork(file)
    this.everyCommits = everyCommits
  }

  static async open(
    folder: string,
    options: { file?: GenesisFile; everyCommits?: number } = {}
  ): Promise<StoredNetwork> {
    const stored = new StoredNetwork(folder, options.file ?? genesisFile(), options.everyCommits ?? 1_000_000)
    await stored.reopen()
    return stored
  }

  get databaseFolder(): string {
    return join(this.folder, 'db')
  }

  get snapshotsFolder(): string {
    return join(this.folder, 'snapshots')
  }

  async reopen(): Promise<void> {
    this.database = await openDatabase(this.databaseFolder)
    this.store = createVertexStore(this.database)
    this.chains = await openChains({
      genesis: this.network.genesis,
      handlers: this.network.handlers,
      database: this.database,
      vertices: this.store,
      snapshots: { folder: this.snapshotsFolder, everyCommits: this.everyCommits, logger: quietLogger }
    })
  }

  async close(): Promise<void> {
    await this.chains.snapshots.close()
    await this.database.close()
  }

  /** Orders the events as the next commit, on disk and executed. */
  async order(...events: readonly SignedEvent[]): Promise<void> {
    await this.take(this.network.commit(...events))
  }

  async take(made: ReturnType<SmallNetwork['commit']>, certify = true): Promise<void> {
    const { commit, commitDigest } = made
    const vertices = made.vertices.map(vertex => this.#signed(vertex))
    const outcome = this.chains.execute({ commit, digest: commitDigest, vertices })
    await this.database.write(
      [
        ...vertices.flatMap(vertex => this.store.writesOf(vertex)),
        this.store.commitWrite(commit, encodeCommit(commit)),
        ...outcome.writes
      ],
      { durable: false }
    )
    outcome.announce()
    if (certify && outcome.checkpoint !== undefined)
      await this.certify(this.chains.lastCheckpoint!, outcome.checkpoint.digest)
  }

  async certify(checkpoint: Checkpoint, digest: string): Promise<void> {
    const votes = votesFor(this.network.genesis.digest, digest, [0, 1, 2])
    await this.database.write([this.chains.certificateWrite(checkpoint.sequence, votes)], { durable: false })
    this.chains.noteCertified(checkpoint.sequence, votes, checkpoint.commitIndex)
  }

  #signed(vertex: Vertex): Vertex {
    const key = keyOf(`validator ${vertex.header.author}`)
    return { ...vertex, signature: key.sign(vertexSigningBytes(this.network.genesis.digest, vertex.digest)) }
  }
}

export function votesFor(
  genesisDigest: Uint8Array,
  digest: string,
  authors: readonly number[],
  keyFor: (author: number) => SigningKey = author => keyOf(`validator ${author}`)
): { author: number; signature: Uint8Array }[] {
  const message = checkpointSigningBytes(genesisDigest, digest)
  return authors.map(author => ({ author, signature: keyFor(author).sign(message) }))
}
