/** A snapshot that is to be fetched: its certificate has been checked, its contents have not. */
export type SnapshotPlan = {
  /** Hex; alike at every node that offers it. */
  readonly id: string
  readonly commitIndex: number
  readonly chunks: readonly { readonly digest: string; readonly sizeBytes: number }[]
  readonly totalBytes: number
  /** As it came. */
  readonly manifest: Uint8Array
}

/** What state sync needs of the chains: what they offer to others, and what becomes of what others send. */
export interface SnapshotKeeper {
  /** Commit of the newest snapshot that this node gives to others; 0 for none. */
  readonly offeredCommitIndex: number
  /** First commit whose vertices and events are here. */
  readonly oldestCommitIndex: number
  /** Last commit that is executed here. */
  readonly executedCommitIndex: number
  /** Of the newest. */
  manifest(): Promise<Uint8Array | undefined>
  chunk(digest: string): Promise<Uint8Array | undefined>
  /** Throws SNAPSHOT_*; what it gives is certified for this network. */
  read(manifest: Uint8Array): SnapshotPlan
  /** Digests of the chunks that are here already. Throws DISK_SPACE_LOW. */
  begin(plan: SnapshotPlan): Promise<ReadonlySet<string>>
  /** Keeps a chunk. False when the bytes are not what the digest names. */
  put(digest: string, bytes: Uint8Array): Promise<boolean>
  /** The id of what an earlier run was fetching, while its chunks are here. */
  started(): Promise<string | undefined>
  /**
   * Checks everything, then puts it in the place of what this node has. Throws SNAPSHOT_*: the chunks are removed then
   * and nothing has changed.
   */
  install(plan: SnapshotPlan): Promise<void>
}
