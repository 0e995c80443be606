import { bytesToHex, concatBytes, digestOfCid, parseCid, sha256 } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import type { TensorStore } from '../tiles/index.ts'
import { blockLimits, blocksOf, heldOutClass } from './core/blocks.ts'
import type { Shard } from './core/draw.ts'
import { type CorpusBlock, type CorpusProgress, readTexts } from './read-texts.ts'
import { walkFolder } from './walk-folder.ts'

export type BuiltCorpus = {
  /** Made of the shards, so that it says nothing about the machine the text came from. */
  readonly name: string
  readonly training: readonly Shard[]
  readonly heldOut: readonly Shard[]
} & CorpusProgress

const mebibyte = 1024 * 1024

/** Every shard is a tensor of this name: with it, its header is known without being fetched. */
export const shardTensorName = 'text-shard'

export const corpusLimits = Object.freeze({
  bytesDefault: 1024 * mebibyte,
  bytesMax: 3584 * mebibyte,
  trainingBytesMin: 16 * 1024,
  heldOutBytesMin: 1024,
  shardsMax: 64,
  shardSizeBytesMax: 64 * mebibyte
})

/** By chance a small text may have nothing that is held out everywhere: then more of it is held out by its owner alone. */
const widerShares = [32, 64]

export type CorpusSource = {
  readonly folder: string
  /** Of text that is taken; `corpusLimits.bytesDefault` without it. */
  readonly bytesMax?: number
  readonly signal?: AbortSignal
  onProgress?(progress: CorpusProgress): void
}

/** Text and code below a folder, block by block, in bounded memory. Throws CORPUS_UNREADABLE, CORPUS_LIMIT_INVALID. */
export function readCorpus({ folder, bytesMax, signal, onProgress }: CorpusSource): AsyncIterable<CorpusBlock> {
  const limits = { bytesMax: checkedLimit(bytesMax) }
  return readTexts({ files: walkFolder(folder), limits, signal, onProgress })
}

/**
 * Reads a folder into shards of this machine's tensor store, training and held out apart. The same text gives the same
 * shards everywhere. Memory: two shards that are being filled, 1/60 and 1/768 of `bytesMax`, and 32 bytes a block.
 * Throws CORPUS_EMPTY and CORPUS_TOO_SMALL; then nothing was stored.
 */
export async function buildCorpus(
  source: CorpusSource & { readonly store: Pick<TensorStore, 'putTensor'> }
): Promise<BuiltCorpus> {
  return packShards({ ...source, blocks: onProgress => readCorpus({ ...source, onProgress }) })
}

/** The same for blocks from anywhere. */
export async function packShards(request: {
  readonly folder: string
  readonly store: Pick<TensorStore, 'putTensor'>
  readonly bytesMax?: number
  readonly signal?: AbortSignal
  blocks(onProgress: (progress: CorpusProgress) => void): AsyncIterable<CorpusBlock>
  onProgress?(progress: CorpusProgress): void
}): Promise<BuiltCorpus> {
  const { folder, store } = request
  const bytesMax = checkedLimit(request.bytesMax)
  const training = createPacker(store, Math.max(mebibyte, Math.ceil(bytesMax / 60)))
  const heldOut = createPacker(store, Math.max(mebibyte / 4, Math.ceil(bytesMax / 768)))
  let progress: CorpusProgress | undefined
  const blocks = request.blocks(next => {
    progress = next
    request.onProgress?.(next)
  })
  let hasRoom = true
  for await (const block of blocks) {
    hasRoom = await (block.heldOut ? heldOut : training).add(block.bytes)
    if (!hasRoom) break
  }
  request.signal?.throwIfAborted()
  for (const share of widerShares) {
    if (heldOut.bytes >= corpusLimits.heldOutBytesMin) break
    for (const block of training.takeBack(block => heldOutClass(sha256(block)) < share)) await heldOut.add(block)
  }
  checkSizes(folder, progress, training.bytes, heldOut.bytes)
  const shards = { training: await training.finish(), heldOut: await heldOut.finish() }
  return {
    ...progress!,
    ...shards,
    name: nameOf(shards),
    trainingBytes: training.bytes,
    heldOutBytes: heldOut.bytes,
    full: !hasRoom || progress!.full
  }
}

function checkedLimit(bytesMax = corpusLimits.bytesDefault): number {
  if (Number.isSafeInteger(bytesMax) && bytesMax >= 1 && bytesMax <= corpusLimits.bytesMax) return bytesMax
  throw new BlyanError('CORPUS_LIMIT_INVALID', { bytesMax, highestBytes: corpusLimits.bytesMax })
}

function checkSizes(folder: string, progress: CorpusProgress | undefined, training: number, heldOut: number): void {
  if (training + heldOut === 0) {
    const skipped = Object.entries(progress?.skipped ?? {}).filter(([, count]) => count > 0)
    const found = skipped.map(([reason, count]) => `${count} ${reason}`).join(', ')
    throw new BlyanError('CORPUS_EMPTY', { folder, found: found === '' ? 'no file at all' : found })
  }
  const { trainingBytesMin, heldOutBytesMin } = corpusLimits
  if (training >= trainingBytesMin && heldOut >= heldOutBytesMin) return
  throw new BlyanError('CORPUS_TOO_SMALL', { folder, training, heldOut, trainingBytesMin, heldOutBytesMin })
}

function nameOf({ training, heldOut }: { training: readonly Shard[]; heldOut: readonly Shard[] }): string {
  const digests = [...training, ...heldOut].map(({ cid }) => digestOfCid(parseCid(cid)))
  return `text-${bytesToHex(sha256(concatBytes(...digests))).slice(0, 12)}`
}

/** Fills one shard after another; whole blocks only. */
interface Packer {
  readonly bytes: number
  /** False when all shards are full. */
  add(block: Uint8Array): Promise<boolean>
  /** Takes blocks out of the first shard, as long as there is no second one. */
  takeBack(isWanted: (block: Uint8Array) => boolean): readonly Uint8Array[]
  finish(): Promise<readonly Shard[]>
}

function createPacker(store: Pick<TensorStore, 'putTensor'>, shardBytes: number): Packer {
  return new ShardPacker(store, shardBytes)
}

class ShardPacker implements Packer {
  readonly #store: Pick<TensorStore, 'putTensor'>
  readonly #shardBytes: number
  readonly #shards: Shard[] = []
  #buffer = new Uint8Array(64 * blockLimits.sizeBytesMax)
  #used = 0
  bytes = 0

  constructor(store: Pick<TensorStore, 'putTensor'>, shardBytes: number) {
    this.#store = store
    this.#shardBytes = shardBytes
  }

  async add(block: Uint8Array): Promise<boolean> {
    if (this.#used + block.length > this.#shardBytes) await this.#close()
    if (this.#shards.length === corpusLimits.shardsMax) return false
    if (this.#used + block.length > this.#buffer.length) this.#grow()
    this.#buffer.set(block, this.#used)
    this.#used += block.length
    this.bytes += block.length
    return true
  }

  takeBack(isWanted: (block: Uint8Array) => boolean): readonly Uint8Array[] {
    if (this.#shards.length > 0) return []
    const blocks = [...blocksOf(this.#buffer.slice(0, this.#used))].map(bytes => ({ bytes, isWanted: isWanted(bytes) }))
    this.#used = 0
    for (const { bytes } of blocks.filter(({ isWanted }) => !isWanted)) {
      this.#buffer.set(bytes, this.#used)
      this.#used += bytes.length
    }
    this.bytes = this.#used
    return blocks.filter(({ isWanted }) => isWanted).map(({ bytes }) => bytes)
  }

  async finish(): Promise<readonly Shard[]> {
    if (this.#used > 0) await this.#close()
    return this.#shards
  }

  async #close(): Promise<void> {
    const data = this.#buffer.subarray(0, this.#used)
    const { cid } = await this.#store.putTensor({ name: shardTensorName, dtype: 'int8', shape: [data.length], data })
    this.#shards.push({ cid, bytes: data.length })
    this.#used = 0
  }

  #grow(): void {
    const larger = new Uint8Array(Math.min(this.#shardBytes, this.#buffer.length * 2))
    larger.set(this.#buffer.subarray(0, this.#used))
    this.#buffer = larger
  }
}
