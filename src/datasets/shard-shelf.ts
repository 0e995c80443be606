import type { TensorInfo, TensorStore } from '../tiles/index.ts'
import { shardTensorName } from './build-corpus.ts'

/** Keeps shards that came from peers within bounds on disk: who draws from all corpora would hold them all in the end. */
export interface ShardShelf {
  /** A shard was used; what was not for the longest time goes when there is too much. Pinned ones stay. */
  used(shard: TensorInfo, isOpen: (cid: string) => boolean): Promise<void>
}

export type ShelfStore = Pick<TensorStore, 'list' | 'info' | 'remove'>

/** Shards of an earlier run are counted too, as the oldest. */
export function createShardShelf(store: ShelfStore, sizeBytesMax: number): ShardShelf {
  return new OldestFirstShelf(store, sizeBytesMax)
}

class OldestFirstShelf implements ShardShelf {
  readonly #store: ShelfStore
  readonly #sizeBytesMax: number
  /** The one used last stands last. */
  readonly #sizes = new Map<string, number>()
  #sizeBytes = 0

  constructor(store: ShelfStore, sizeBytesMax: number) {
    this.#store = store
    this.#sizeBytesMax = sizeBytesMax
    for (const { cid, name, pinned, sizeBytes } of store.list())
      if (name === shardTensorName && !pinned) this.#add(cid, sizeBytes)
  }

  async used({ cid, sizeBytes }: TensorInfo, isOpen: (cid: string) => boolean): Promise<void> {
    this.#forget(cid)
    this.#add(cid, sizeBytes)
    for (const oldest of [...this.#sizes.keys()]) {
      if (this.#sizeBytes <= this.#sizeBytesMax) return
      if (isOpen(oldest)) continue
      this.#forget(oldest)
      if (this.#store.info(oldest)?.pinned === false) await this.#store.remove(oldest).catch(() => {})
    }
  }

  #add(cid: string, sizeBytes: number): void {
    this.#sizes.set(cid, sizeBytes)
    this.#sizeBytes += sizeBytes
  }

  #forget(cid: string): void {
    this.#sizeBytes -= this.#sizes.get(cid) ?? 0
    this.#sizes.delete(cid)
  }
}
