import { setTimeout as wait } from 'node:timers/promises'
import { bytesEqual, bytesToHex, type CID, concatBytes, digestOfCid, rawCid, sha256 } from '../codec/index.ts'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import type { ReferenceBlockstore, TemporaryFile } from '../storage/index.ts'
import { createBoundedWork } from './bounded-work.ts'
import { createFetchClock, type FetchClock } from './fetch-clock.ts'
import { digestOffThread } from './leaf-digests.ts'
import {
  decodeHeaderRegion,
  encodeHeaderRegion,
  leafSizeBytes,
  type TensorDescription,
  type TensorLayout
} from './tensor-block.ts'
import {
  decodeRoot,
  decodeTile,
  leafCount,
  leafLengthBytes,
  rootSizeBytesMax,
  type TensorRoot,
  type TensorSize,
  tileNodeSizeBytesMax
} from './tensor-dag.ts'

/** A block from the network, by its CID. */
export type FetchBlock = (cid: CID, options: { signal?: AbortSignal }) => Promise<Uint8Array>

export type FetchOptions = {
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
  readonly onProgress?: (receivedBytes: number, totalBytes: number) => void
  /**
   * It should be plain bytes (int8, one dimension) under this name. Its header, 256 KiB, is then made here instead of
   * fetched, which is most of what a delta would cost; where the guess is wrong it is fetched.
   */
  readonly bytesNamed?: string
}

export type FetchLimits = {
  /** Leaves asked for at the same time: as much memory as so many times 256 KiB, and some. */
  readonly leavesInFlight: number
  readonly fetchTimeoutMs: number
  /** Without a block for so long, all that is missing is asked for again. */
  readonly stallTimeoutMs: number
}

export type FetchNeeds = {
  readonly blockstore: ReferenceBlockstore
  readonly fetchBlock: FetchBlock
  readonly limits: FetchLimits
  /** Called once the size is known and before anything is written; may throw. */
  readonly createFile: (size: TensorSize) => Promise<TemporaryFile>
}

export type FetchedTensor = {
  readonly file: TemporaryFile
  readonly description: TensorDescription
  readonly layout: TensorLayout
  readonly digests: readonly Uint8Array[]
}

const nodesInFlight = 64
/** While one batch of leaves is written, the next is on its way. */
const batchesInFlight = 2
/** Bitswap forgets a want only some time after it was cancelled; one renewed before that is lost. */
const pauseAfterFailureMs = 250

/**
 * Fetches a tensor into a temporary file. First the root, then the header, whose sizes must agree with
 * it, then all tile nodes, then leaves of several tiles at once, each checked and written to its place.
 * Every block is asked for only once: a peer does not send the same block twice in a row.
 */
export async function fetchTensorFile(root: CID, needs: FetchNeeds, options: FetchOptions): Promise<FetchedTensor> {
  const clock = createFetchClock({
    signal: options.signal,
    timeoutMs: options.timeoutMs ?? needs.limits.fetchTimeoutMs,
    stallTimeoutMs: needs.limits.stallTimeoutMs
  })
  const fetch = new TensorFetch(root, needs, clock, options)
  try {
    return await fetch.run()
  } finally {
    clock.stop()
  }
}

/** Fetches one block that is not a leaf, from this machine where it is here. */
export async function fetchSmallBlock(
  cid: CID,
  needs: Pick<FetchNeeds, 'blockstore' | 'fetchBlock' | 'limits'>,
  options: FetchOptions & { sizeBytesMax: number }
): Promise<Uint8Array> {
  const clock = createFetchClock({
    signal: options.signal,
    timeoutMs: options.timeoutMs ?? needs.limits.fetchTimeoutMs,
    stallTimeoutMs: needs.limits.stallTimeoutMs
  })
  try {
    const bytes = (await needs.blockstore.read(cid)) ?? (await askUntilItComes(cid, needs.fetchBlock, clock))
    checkBlock(cid, cid, bytes, sha256(bytes), options.sizeBytesMax)
    return bytes
  } catch (error) {
    throw clock.reasonToStop === undefined ? error : stopError(cid, clock, 1, 1)
  } finally {
    clock.stop()
  }
}

class TensorFetch {
  readonly #root: CID
  readonly #needs: FetchNeeds
  readonly #clock: FetchClock
  readonly #onProgress: FetchOptions['onProgress']
  readonly #bytesNamed: string | undefined
  /** By the hex of their digest, kept until they are written: they are not asked for twice either. */
  readonly #headerLeaves = new Map<string, Uint8Array>()
  #receivedLeaves = 0
  #totalLeaves = 0

  constructor(root: CID, needs: FetchNeeds, clock: FetchClock, options: FetchOptions) {
    this.#root = root
    this.#needs = needs
    this.#clock = clock
    this.#onProgress = options.onProgress
    this.#bytesNamed = options.bytesNamed
  }

  async run(): Promise<FetchedTensor> {
    let file: TemporaryFile | undefined
    try {
      const root = decodeRoot(this.#root, await this.#block(this.#root, rootSizeBytesMax))
      this.#totalLeaves = leafCount(root.size)
      file = await this.#needs.createFile(root.size)
      const { description, layout } = await this.#header(root)
      const digests = [...root.headerLeaves, ...(await this.#tiles(root))]
      await this.#leaves(root, digests, file)
      return { file, description, layout, digests }
    } catch (error) {
      await file?.discard()
      throw this.#clock.reasonToStop === undefined ? error : this.#stopError()
    }
  }

  /** Small as it is, the header comes first: a root that lies about it costs no more than this. */
  async #header({ headerLeaves, size }: TensorRoot): Promise<ReturnType<typeof decodeHeaderRegion>> {
    const digests = new Map(headerLeaves.map(digest => [bytesToHex(digest), digest]))
    const guess = this.#guessedHeader(size)
    const guessedName = guess === undefined ? '' : bytesToHex(sha256(guess))
    if (guess !== undefined && digests.delete(guessedName)) this.#headerLeaves.set(guessedName, guess)
    await this.#each([...digests], nodesInFlight, async ([name, digest]) => {
      this.#headerLeaves.set(name, await this.#block(rawCid(digest), leafSizeBytes))
    })
    const region = concatBytes(...headerLeaves.map(digest => this.#headerLeaves.get(bytesToHex(digest))!))
    let head: ReturnType<typeof decodeHeaderRegion>
    try {
      head = decodeHeaderRegion(region)
    } catch (error) {
      throw isBlyanError(error) ? this.#invalid(error.message) : error
    }
    const { dataOffsetBytes, dataLengthBytes } = head.layout
    const agrees = dataOffsetBytes === size.dataOffsetBytes && dataLengthBytes === size.dataLengthBytes
    if (!agrees) throw this.#invalid('header and root do not agree about its size')
    return head
  }

  #guessedHeader({ dataLengthBytes }: TensorSize): Uint8Array | undefined {
    if (this.#bytesNamed === undefined) return undefined
    const source = { format: 'tblock' } as const
    return encodeHeaderRegion({ name: this.#bytesNamed, dtype: 'int8', shape: [dataLengthBytes], source }).region
  }

  async #tiles({ tiles, size }: TensorRoot): Promise<Uint8Array[]> {
    const digests: Uint8Array[][] = []
    await this.#each(tiles, nodesInFlight, async (cid, tile) => {
      digests[tile] = decodeTile(this.#root, await this.#block(cid, tileNodeSizeBytesMax), size, tile)
    })
    return digests.flat()
  }

  async #leaves({ size }: TensorRoot, digests: readonly Uint8Array[], file: TemporaryFile): Promise<void> {
    const places = new Map<string, number[]>()
    for (const [leaf, digest] of digests.entries()) {
      const name = bytesToHex(digest)
      places.set(name, [...(places.get(name) ?? []), leaf])
    }
    const batches = inBatches([...places.values()], Math.ceil(this.#needs.limits.leavesInFlight / batchesInFlight))
    await this.#each(batches, batchesInFlight, async batch => {
      const cids = batch.map(leaves => rawCid(digests[leaves[0]!]!))
      await this.#blocks(cids, async (bytes, index) => {
        for (const leaf of batch[index]!) {
          if (bytes.length !== leafLengthBytes(size, leaf)) throw this.#invalid(`leaf ${leaf} has a wrong length`)
          await file.write(bytes, leaf * leafSizeBytes)
          this.#receivedLeaves++
        }
        const totalBytes = size.dataOffsetBytes + size.dataLengthBytes
        this.#onProgress?.(Math.min(this.#receivedLeaves * leafSizeBytes, totalBytes), totalBytes)
      })
    })
  }

  /**
   * What is on this machine is looked up first, so that all the rest is asked for in one message: a
   * peer answers a message with one stream, and leaves asked for one by one come at half the speed.
   */
  async #blocks(cids: readonly CID[], use: (bytes: Uint8Array, index: number) => Promise<void>): Promise<void> {
    const missing: number[] = []
    await this.#each(cids, nodesInFlight, async (cid, index) => {
      const here = this.#headerLeaves.get(bytesToHex(digestOfCid(cid))) ?? (await this.#needs.blockstore.read(cid))
      if (here === undefined) missing.push(index)
      else await use(await this.#checked(cid, here, leafSizeBytes), index)
    })
    await this.#each(missing, missing.length, async index => {
      const cid = cids[index]!
      const bytes = await askUntilItComes(cid, this.#needs.fetchBlock, this.#clock)
      await use(await this.#checked(cid, bytes, leafSizeBytes), index)
    })
  }

  async #each<T>(items: readonly T[], atOnce: number, work: (item: T, index: number) => Promise<void>): Promise<void> {
    const running = createBoundedWork(atOnce)
    try {
      for (const [index, item] of items.entries()) await running.add(() => work(item, index))
      await running.finish()
    } catch (error) {
      this.#clock.stop()
      await running.settle()
      throw error
    }
  }

  async #block(cid: CID, sizeBytesMax: number): Promise<Uint8Array> {
    const here = await this.#needs.blockstore.read(cid)
    const bytes = here ?? (await askUntilItComes(cid, this.#needs.fetchBlock, this.#clock))
    return this.#checked(cid, bytes, sizeBytesMax)
  }

  async #checked(cid: CID, bytes: Uint8Array, sizeBytesMax: number): Promise<Uint8Array> {
    checkBlock(this.#root, cid, bytes, await digestOffThread(bytes), sizeBytesMax)
    return bytes
  }

  #stopError(): BlyanError {
    return stopError(this.#root, this.#clock, this.#totalLeaves - this.#receivedLeaves, this.#totalLeaves)
  }

  #invalid(reason: string): BlyanError {
    return new BlyanError('TENSOR_DAG_INVALID', { cid: this.#root.toString(), reason })
  }
}

function inBatches<T>(items: readonly T[], size: number): T[][] {
  const batches: T[][] = []
  for (let start = 0; start < items.length; start += size) batches.push(items.slice(start, start + size))
  return batches
}

/** Asks again after a failure or a stall, until the block comes or the clock says that it is over. */
async function askUntilItComes(cid: CID, fetchBlock: FetchBlock, clock: FetchClock): Promise<Uint8Array> {
  while (!clock.isOver) {
    try {
      const bytes = await fetchBlock(cid, { signal: clock.attempt() })
      clock.progress()
      return bytes
    } catch (error) {
      if (isBlyanError(error)) throw error
      await wait(pauseAfterFailureMs, undefined, { signal: clock.attempt() }).catch(() => {})
    }
  }
  throw new Error('the fetch is over')
}

function checkBlock(root: CID, cid: CID, bytes: Uint8Array, digest: Uint8Array, sizeBytesMax: number): void {
  const fail = (reason: string) => new BlyanError('TENSOR_DATA_WRONG', { cid: root.toString(), reason })
  if (bytes.length > sizeBytesMax) throw fail(`block ${cid} has ${bytes.length} bytes, more than ${sizeBytesMax}`)
  if (!bytesEqual(digest, digestOfCid(cid))) throw fail(`block ${cid} has another SHA-256`)
}

function stopError(root: CID, clock: FetchClock, missing: number, total: number): BlyanError {
  const cid = root.toString()
  if (clock.reasonToStop === 'aborted') return new BlyanError('TENSOR_FETCH_ABORTED', { cid })
  return new BlyanError('TENSOR_FETCH_TIMEOUT', { cid, missing, total: Math.max(total, 1) })
}
