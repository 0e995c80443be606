import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { create as createDigest } from 'multiformats/hashes/digest'
import { bytesEqual, CID, digestOfCid, rawCid, sha256 } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { headerRegionSizeBytesMax, leafSizeBytes, tooLarge } from './tensor-block.ts'

/**
 * The IPFS object of a TensorBlock file: one UnixFS file whose leaves are raw blocks of 256 KiB. The
 * root links the leaves of the header region, then one node for every 4 MiB of data. Tiles start
 * where the data starts, so a sub-tile that did not change keeps its CID whatever happens to the
 * metadata before it. Source: docs/protocol.md, "TensorBlock as an IPFS object".
 */
export const leavesPerTile = 16
export const tileSizeBytes = leavesPerTile * leafSizeBytes
/** Keeps the root below 1 MiB, which every IPFS implementation passes on: 64 GiB of data. */
export const tilesMax = 16384

const dagPbCode = 0x70
const sha256Code = 0x12
const rawCode = 0x55
/** A node of 16 leaves takes about 900 bytes. */
export const tileNodeSizeBytesMax = 4096
export const rootSizeBytesMax = 1024 * 1024

export type DagNode = { readonly cid: CID; readonly bytes: Uint8Array }

export type TensorDag = {
  readonly root: CID
  /** Tile nodes in order, then the root. */
  readonly nodes: readonly DagNode[]
}

type Child = {
  readonly cid: CID
  /** Bytes of the file below this link. */
  readonly fileBytes: number
  /** The same and the nodes that hold it together: what dag-pb calls Tsize. */
  readonly totalBytes: number
}

/** Builds the object from the SHA-256 of all leaves in order. */
export function buildTensorDag(digests: readonly Uint8Array[], size: TensorSize): TensorDag {
  checkSize(size)
  const headerLeaves = size.dataOffsetBytes / leafSizeBytes
  if (digests.length !== leafCount(size)) throw new Error(`${digests.length} leaves do not make up this file`)
  const children: Child[] = digests.slice(0, headerLeaves).map(digest => leafChild(digest, leafSizeBytes))
  const nodes: DagNode[] = []
  for (let tile = 0; tile < tileCount(size); tile++) {
    const start = headerLeaves + tile * leavesPerTile
    const lengthBytes = tileLengthBytes(size, tile)
    const bytes = encodeTile(digests.slice(start, start + leavesPerTile), lengthBytes)
    const cid = dagPbCid(bytes)
    nodes.push({ cid, bytes })
    children.push({ cid, fileBytes: lengthBytes, totalBytes: lengthBytes + bytes.length })
  }
  const bytes = encodeFileNode(children)
  const root = dagPbCid(bytes)
  nodes.push({ cid: root, bytes })
  return { root, nodes }
}

export type TensorSize = { readonly dataOffsetBytes: number; readonly dataLengthBytes: number }

export function leafCount({ dataOffsetBytes, dataLengthBytes }: TensorSize): number {
  return dataOffsetBytes / leafSizeBytes + Math.ceil(dataLengthBytes / leafSizeBytes)
}

export function tileCount({ dataLengthBytes }: TensorSize): number {
  return Math.ceil(dataLengthBytes / tileSizeBytes)
}

/** Only the last leaf of the file may be shorter than 256 KiB. */
export function leafLengthBytes(size: TensorSize, leaf: number): number {
  return Math.min(leafSizeBytes, size.dataOffsetBytes + size.dataLengthBytes - leaf * leafSizeBytes)
}

function tileLengthBytes(size: TensorSize, tile: number): number {
  return Math.min(tileSizeBytes, size.dataLengthBytes - tile * tileSizeBytes)
}

export type TensorRoot = {
  readonly size: TensorSize
  /** SHA-256 of the leaves of the header region. */
  readonly headerLeaves: readonly Uint8Array[]
  readonly tiles: readonly CID[]
}

/** Reads a root. Encoding what was read must give the same bytes. Throws TENSOR_DAG_INVALID. */
export function decodeRoot(root: CID, bytes: Uint8Array): TensorRoot {
  if (bytes.length > rootSizeBytesMax) throw invalid(root, `its root has ${bytes.length} bytes`)
  const { links, fileBytes } = decodeFileNode(root, bytes)
  const headerLinks = links.filter(link => link.code === rawCode)
  const tiles = links.slice(headerLinks.length)
  if (headerLinks.length === 0 || tiles.some(link => link.code !== dagPbCode)) {
    throw invalid(root, 'its links are not leaves of a header, then tiles')
  }
  const dataOffsetBytes = headerLinks.length * leafSizeBytes
  const size = { dataOffsetBytes, dataLengthBytes: fileBytes - dataOffsetBytes }
  const fits = size.dataLengthBytes >= 0 && tileCount(size) === tiles.length && tiles.length <= tilesMax
  if (!fits || dataOffsetBytes > headerRegionSizeBytesMax) throw invalid(root, 'its sizes do not fit its links')
  const headerLeaves = headerLinks.map(digestOfCid)
  const again = encodeFileNode([
    ...headerLeaves.map(digest => leafChild(digest, leafSizeBytes)),
    ...tiles.map((cid, tile) => {
      const lengthBytes = tileLengthBytes(size, tile)
      return { cid, fileBytes: lengthBytes, totalBytes: lengthBytes + tileNodeSizeBytes(lengthBytes) }
    })
  ])
  if (!bytesEqual(again, bytes)) throw invalid(root, 'its root is not encoded as a TensorBlock root is')
  return { size, headerLeaves, tiles }
}

/** Reads one tile node: the SHA-256 of its leaves. Throws TENSOR_DAG_INVALID. */
export function decodeTile(root: CID, bytes: Uint8Array, size: TensorSize, tile: number): Uint8Array[] {
  if (bytes.length > tileNodeSizeBytesMax) throw invalid(root, `tile ${tile} has ${bytes.length} bytes`)
  const lengthBytes = tileLengthBytes(size, tile)
  const { links } = decodeFileNode(root, bytes)
  const digests = links.map(digestOfCid)
  const countFits = digests.length === Math.ceil(lengthBytes / leafSizeBytes)
  if (!countFits || !bytesEqual(encodeTile(digests, lengthBytes), bytes)) {
    throw invalid(root, `tile ${tile} is not encoded as a tile is`)
  }
  return digests
}

function encodeTile(digests: readonly Uint8Array[], lengthBytes: number): Uint8Array {
  const lengthOf = (leaf: number) => Math.min(leafSizeBytes, lengthBytes - leaf * leafSizeBytes)
  return encodeFileNode(digests.map((digest, leaf) => leafChild(digest, lengthOf(leaf))))
}

const tileNodeSizes = new Map<number, number>()

/** The size of a tile's node follows from how much data it covers, since digests are all of one length. */
function tileNodeSizeBytes(lengthBytes: number): number {
  if (lengthBytes !== tileSizeBytes) return measureTileNode(lengthBytes)
  const known = tileNodeSizes.get(lengthBytes) ?? measureTileNode(lengthBytes)
  tileNodeSizes.set(lengthBytes, known)
  return known
}

function measureTileNode(lengthBytes: number): number {
  const digests = Array.from({ length: Math.ceil(lengthBytes / leafSizeBytes) }, () => new Uint8Array(32))
  return encodeTile(digests, lengthBytes).length
}

function leafChild(digest: Uint8Array, lengthBytes: number): Child {
  return { cid: rawCid(digest), fileBytes: lengthBytes, totalBytes: lengthBytes }
}

function encodeFileNode(children: readonly Child[]): Uint8Array {
  const file = new UnixFS({ type: 'file', blockSizes: children.map(child => BigInt(child.fileBytes)) })
  const links = children.map(({ cid, totalBytes }) => ({ Name: '', Tsize: totalBytes, Hash: cid }))
  return dagPb.encode({ Data: file.marshal(), Links: links })
}

function decodeFileNode(root: CID, bytes: Uint8Array): { links: CID[]; fileBytes: number } {
  let node: dagPb.PBNode
  let fileBytes: number
  try {
    node = dagPb.decode(bytes)
    fileBytes = Number(UnixFS.unmarshal(node.Data ?? new Uint8Array()).fileSize())
  } catch (error) {
    throw invalid(root, error instanceof Error ? error.message : 'malformed', error)
  }
  if (!Number.isSafeInteger(fileBytes)) throw invalid(root, 'its size is beyond counting')
  const links = node.Links.map(link => CID.asCID(link.Hash)).filter(cid => cid !== null)
  const named = links.every(cid => cid.version === 1 && cid.multihash.code === sha256Code && isDigest(digestOfCid(cid)))
  if (links.length !== node.Links.length || !named) throw invalid(root, 'a link is not a CIDv1 with SHA-256')
  return { links, fileBytes }
}

function isDigest(bytes: Uint8Array): boolean {
  return bytes.length === 32
}

function dagPbCid(bytes: Uint8Array): CID {
  return CID.createV1(dagPbCode, createDigest(sha256Code, sha256(bytes)))
}

/** Throws TENSOR_TOO_LARGE for more data than one root can link. */
export function checkSize(size: TensorSize): void {
  if (tileCount(size) > tilesMax) {
    throw tooLarge('a tensor', `${tileCount(size)} tiles of 4 MiB`, `${tilesMax} tiles`)
  }
}

/** Whether a CID can name a TensorBlock at all. */
export function isTensorCid(cid: CID): boolean {
  return cid.version === 1 && cid.code === dagPbCode && cid.multihash.code === sha256Code
}

function invalid(root: CID, reason: string, cause?: unknown): BlyanError {
  return new BlyanError('TENSOR_DAG_INVALID', { cid: root.toString(), reason }, { cause })
}
