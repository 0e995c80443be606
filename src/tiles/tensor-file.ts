import { createReadStream } from 'node:fs'
import type { CID } from '../codec/index.ts'
import { concatBytes } from '../codec/index.ts'
import { isBlyanError } from '../errors/index.ts'
import { diskError, type ReferenceBlockstore, type ReferencedLeaf } from '../storage/index.ts'
import { createBoundedWork } from './bounded-work.ts'
import { type ByteReader, createByteReader } from './byte-reader.ts'
import { cutIntoLeaves, digestOffThread } from './leaf-digests.ts'
import {
  decodeFixedHeader,
  decodeHeaderRegion,
  fixedHeaderSizeBytes,
  leafSizeBytes,
  type TensorDescription,
  type TensorLayout
} from './tensor-block.ts'
import { decodeRoot, decodeTile, leafLengthBytes, type TensorSize } from './tensor-dag.ts'

const readAtOnceBytes = 1024 * 1024
const leavesInWork = 8

export type TensorHead = {
  readonly region: Uint8Array
  readonly description: TensorDescription
  readonly layout: TensorLayout
}

/** Reads everything before the data. */
export async function readTensorHead(reader: ByteReader): Promise<TensorHead> {
  const fixed = await reader.take(fixedHeaderSizeBytes)
  const { dataOffsetBytes } = decodeFixedHeader(fixed)
  const region = concatBytes(fixed, await reader.take(dataOffsetBytes - fixedHeaderSizeBytes))
  const { description, layout } = decodeHeaderRegion(region)
  return { region, description, layout }
}

/** The bytes of a file from one offset to another. */
export async function* readRange(path: string, startBytes: number, endBytes: number): AsyncGenerator<Uint8Array> {
  if (endBytes <= startBytes) return
  try {
    yield* createReadStream(path, { start: startBytes, end: endBytes - 1, highWaterMark: readAtOnceBytes })
  } catch (error) {
    throw diskError(path, error)
  }
}

/** Reads a whole file and hashes its leaves. Throws TENSOR_FORMAT_INVALID where it is no TensorBlock. */
export async function scanTensorFile(
  path: string,
  sizeBytes: number
): Promise<{ head: TensorHead; digests: Uint8Array[] }> {
  const reader = createByteReader('tblock', readRange(path, 0, sizeBytes))
  try {
    const head = await readTensorHead(reader)
    const digests: Uint8Array[] = []
    await hashLeaves(onceThenData(head, reader), (leaf, digest) => {
      digests[leaf] = digest
    })
    await reader.expectEnd()
    return { head, digests }
  } finally {
    await reader.close()
  }
}

async function* onceThenData(head: TensorHead, reader: ByteReader): AsyncGenerator<Uint8Array> {
  yield head.region
  yield* reader.pass(head.layout.dataLengthBytes)
}

/** Hashes leaves as they are read; `onDigest` may be called out of order. */
export async function hashLeaves(
  chunks: AsyncIterable<Uint8Array>,
  onDigest: (leaf: number, digest: Uint8Array) => void
): Promise<void> {
  const work = createBoundedWork(leavesInWork)
  let count = 0
  try {
    for await (const leaf of cutIntoLeaves(chunks)) {
      const index = count++
      await work.add(async () => onDigest(index, await digestOffThread(leaf)))
    }
  } finally {
    await work.settle()
  }
  await work.finish()
}

export function* leavesOf(digests: Iterable<Uint8Array>, size: TensorSize): Generator<ReferencedLeaf> {
  let leaf = 0
  for (const digest of digests) {
    yield { digest, offsetBytes: leaf * leafSizeBytes, lengthBytes: leafLengthBytes(size, leaf) }
    leaf++
  }
}

export type TensorParts = { readonly leaves: Uint8Array[]; readonly nodes: CID[] }

/** The leaves and nodes of a tensor as its own nodes on this machine name them; undefined where one is missing. */
export async function partsOf(blockstore: ReferenceBlockstore, root: CID): Promise<TensorParts | undefined> {
  const bytes = await blockstore.read(root)
  if (bytes === undefined) return undefined
  try {
    const { headerLeaves, size, tiles } = decodeRoot(root, bytes)
    const leaves = [...headerLeaves]
    for (const [tile, cid] of tiles.entries()) {
      const tileBytes = await blockstore.read(cid)
      if (tileBytes === undefined) return undefined
      leaves.push(...decodeTile(root, tileBytes, size, tile))
    }
    return { leaves, nodes: [...tiles, root] }
  } catch (error) {
    if (isBlyanError(error, 'TENSOR_DAG_INVALID')) return undefined
    throw error
  }
}
