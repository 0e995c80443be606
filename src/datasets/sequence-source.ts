import { type FileHandle, open } from 'node:fs/promises'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import type { FetchOptions, TensorInfo, TensorStore } from '../tiles/index.ts'
import { corpusLimits, shardTensorName } from './build-corpus.ts'
import type { Draw, Shard } from './core/draw.ts'
import { createShardShelf, type ShardShelf, type ShelfStore } from './shard-shelf.ts'

/** How text becomes tokens: a byte is a token, or a tokenizer's numbers. */
export type TokensOf = 'bytes' | ((text: Uint8Array) => Uint32Array)

/** Text of shards as sequences of tokens. Shards that are not here are fetched from peers. */
export interface SequenceSource {
  /** Bytes of text to draw for sequences of so many tokens. */
  bytesEach(sequenceTokens: number): number
  /** One row of `sequenceTokens` + 1 a draw, one after another. Throws SHARD_INVALID, DRAW_IMPOSSIBLE, TENSOR_ codes. */
  batch(draws: readonly Draw[], sequenceTokens: number): Promise<Uint32Array>
  /** Makes sure that a shard is here, and as long as the chain says. Throws SHARD_INVALID and TENSOR_ codes. */
  ensure(shard: string, bytes: number): Promise<void>
  /** All text of a shard. */
  text(shard: Shard): Promise<Uint8Array>
  close(): Promise<void>
}

export type SequenceSourceNeeds = {
  readonly store: Pick<TensorStore, 'fetchTensor'> & ShelfStore
  readonly tokensOf: TokensOf
  readonly fetch?: Pick<FetchOptions, 'signal' | 'timeoutMs'>
  /** Shards that nobody pinned may take so much of the disk. */
  readonly shelfSizeBytesMax?: number
}

export function createSequenceSource(needs: SequenceSourceNeeds): SequenceSource {
  return new ShardSequences(needs)
}

const openFilesMax = 16
const shelfSizeBytesDefault = 2 * 1024 ** 3
/** Text that is read for one token of a tokenizer; what its words are longer than that is made of fewer of them. */
const bytesPerToken = 8

type OpenShard = { readonly info: TensorInfo; readonly handle: FileHandle }

class ShardSequences implements SequenceSource {
  readonly #needs: SequenceSourceNeeds
  readonly #shelf: ShardShelf
  /** The one used last stands last. */
  readonly #open = new Map<string, Promise<OpenShard>>()

  constructor(needs: SequenceSourceNeeds) {
    this.#needs = needs
    this.#shelf = createShardShelf(needs.store, needs.shelfSizeBytesMax ?? shelfSizeBytesDefault)
  }

  bytesEach(sequenceTokens: number): number {
    return (sequenceTokens + 1) * (this.#needs.tokensOf === 'bytes' ? 1 : bytesPerToken)
  }

  async batch(draws: readonly Draw[], sequenceTokens: number): Promise<Uint32Array> {
    const rowTokens = sequenceTokens + 1
    const tokens = new Uint32Array(draws.length * rowTokens)
    for (const [row, draw] of draws.entries()) {
      const text = await this.#read(draw.shard, draw.offset, this.bytesEach(sequenceTokens))
      tokens.set(this.#tokensIn(text, rowTokens), row * rowTokens)
    }
    return tokens
  }

  async ensure(shard: string, bytes: number): Promise<void> {
    const { info } = await this.#shard(shard)
    if (info.dataLengthBytes !== bytes) throw invalid(shard, `it has ${info.dataLengthBytes} bytes, not ${bytes}`)
  }

  async text({ cid, bytes }: Shard): Promise<Uint8Array> {
    await this.ensure(cid, bytes)
    return this.#read(cid, 0, bytes)
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()]
    this.#open.clear()
    await Promise.allSettled(all.map(async opened => (await opened).handle.close()))
  }

  #tokensIn(text: Uint8Array, rowTokens: number): Uint32Array {
    const { tokensOf } = this.#needs
    if (tokensOf === 'bytes') return Uint32Array.from(text)
    const tokens = tokensOf(text.subarray(firstCharacter(text)))
    if (tokens.length === 0) throw new BlyanError('DRAW_IMPOSSIBLE', { bytesEach: text.length, shards: 1 })
    // Text of unusually long tokens is read again from its beginning until the row is full.
    return Uint32Array.from({ length: rowTokens }, (_, index) => tokens[index % tokens.length]!)
  }

  async #read(cid: string, offset: number, length: number): Promise<Uint8Array> {
    const { info, handle } = await this.#shard(cid)
    const bytes = new Uint8Array(length)
    if (offset + length > info.dataLengthBytes) throw invalid(cid, `no ${length} bytes follow its byte ${offset}`)
    const { bytesRead } = await handle.read(bytes, 0, length, info.dataOffsetBytes + offset)
    if (bytesRead !== length) throw invalid(cid, 'its file on this machine is too short')
    return bytes
  }

  async #shard(cid: string): Promise<OpenShard> {
    const opened = this.#open.get(cid) ?? this.#openShard(cid)
    this.#open.delete(cid)
    this.#open.set(cid, opened)
    opened.catch(() => this.#open.delete(cid))
    const [oldest] = this.#open.keys()
    if (this.#open.size > openFilesMax && oldest !== undefined) {
      const left = this.#open.get(oldest)!
      this.#open.delete(oldest)
      await left.then(({ handle }) => handle.close()).catch(() => {})
    }
    return opened
  }

  async #openShard(cid: string): Promise<OpenShard> {
    const info = await fetchShard(this.#needs, cid)
    if (info.dtype !== 'int8' || info.shape.length !== 1) throw invalid(cid, 'it is no packed text')
    const handle = await open(info.path, 'r')
    if (!info.pinned) await this.#shelf.used(info, other => this.#open.has(other))
    return { info, handle }
  }
}

/** A peer may have put the CID of something huge on chain: it is left as soon as its size is known. */
async function fetchShard({ store, fetch }: SequenceSourceNeeds, cid: string): Promise<TensorInfo> {
  const tooLarge = new AbortController()
  const signal = fetch?.signal === undefined ? tooLarge.signal : AbortSignal.any([fetch.signal, tooLarge.signal])
  const onProgress = (_: number, totalBytes: number) => {
    if (totalBytes > corpusLimits.shardSizeBytesMax) tooLarge.abort()
  }
  try {
    return await store.fetchTensor(cid, { ...fetch, signal, onProgress, bytesNamed: shardTensorName })
  } catch (error) {
    if (tooLarge.signal.aborted && isBlyanError(error)) throw invalid(cid, 'it is too large', error)
    throw error
  }
}

/** Where the first whole character begins. */
function firstCharacter(text: Uint8Array): number {
  let start = 0
  while (start < Math.min(3, text.length) && (text[start]! & 0xc0) === 0x80) start += 1
  return start
}

function invalid(shard: string, reason: string, cause?: unknown): BlyanError {
  return new BlyanError('SHARD_INVALID', { shard, reason }, { cause })
}
