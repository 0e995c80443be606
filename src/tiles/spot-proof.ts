import { bytesEqual, type CID, concatBytes, digestOfCid, parseCid, rawCid, sha256 } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import type { ReferenceBlockstore } from '../storage/index.ts'
import { leafSizeBytes } from './tensor-block.ts'
import { decodeRoot, decodeTile, isTensorCid, leafLengthBytes, leavesPerTile, type TensorRoot } from './tensor-dag.ts'

/**
 * A spot proof: leaves of a tensor that nobody could foresee, with the nodes between them and the root. Whoever knows the
 * CID of the tensor can check it and needs nothing else. Which leaves is drawn from a salt that the one who asks chooses;
 * a digest over salt and leaves shows that they were looked at for this question.
 */
export type SpotProof = {
  /** The root node of the tensor. */
  readonly root: Uint8Array
  /** In the order in which they were drawn. `tile` is the node above a leaf; null for leaves of the header. */
  readonly leaves: readonly { readonly tile: Uint8Array | null; readonly bytes: Uint8Array }[]
}

export const spotLimits = Object.freeze({ saltBytes: 32, leavesMax: 8 })

/** Undefined when the tensor is not here whole. */
export async function makeSpotProof(
  blockstore: Pick<ReferenceBlockstore, 'read'>,
  cid: string,
  salt: Uint8Array,
  count: number
): Promise<SpotProof | undefined> {
  const rootCid = parseCid(cid)
  const bytes = await blockstore.read(rootCid)
  if (bytes === undefined) return undefined
  const root = decodeRoot(rootCid, bytes)
  const leaves: SpotProof['leaves'][number][] = []
  for (const leaf of drawLeaves(cid, salt, count, leavesIn(root))) {
    const place = placeOf(root, leaf)
    const tile = place === undefined ? null : await blockstore.read(root.tiles[place.tile]!)
    if (tile === undefined) return undefined
    const digest = digestAt(rootCid, root, tile, leaf)
    const found = await blockstore.read(rawCid(digest))
    if (found === undefined) return undefined
    leaves.push({ tile, bytes: found })
  }
  return { root: bytes, leaves }
}

/** Throws SPOT_PROOF_INVALID naming what is wrong. */
export function checkSpotProof(cid: string, salt: Uint8Array, count: number, proof: SpotProof): void {
  const rootCid = parseCid(cid)
  if (!isTensorCid(rootCid)) throw invalid(cid, 'it names another kind of object')
  if (!bytesEqual(sha256(proof.root), digestOfCid(rootCid))) throw invalid(cid, 'the root is another one')
  const root = decodeRoot(rootCid, proof.root)
  const drawn = drawLeaves(cid, salt, count, leavesIn(root))
  if (proof.leaves.length !== drawn.length) throw invalid(cid, 'the number of leaves is another one')
  for (const [place, leaf] of drawn.entries()) {
    const { tile, bytes } = proof.leaves[place]!
    const at = placeOf(root, leaf)
    if ((at === undefined) !== (tile === null)) throw invalid(cid, `leaf ${leaf} is elsewhere`)
    if (at !== undefined && !bytesEqual(sha256(tile!), digestOfCid(root.tiles[at.tile]!)))
      throw invalid(cid, `the node above leaf ${leaf} is another one`)
    const isWhole = bytes.length === leafLengthBytes(root.size, leaf)
    if (!isWhole || !bytesEqual(sha256(bytes), digestAt(rootCid, root, tile, leaf)))
      throw invalid(cid, `leaf ${leaf} has other bytes`)
  }
}

/** What the holder signs: it had these leaves in its hands when it was asked with this salt. */
export function spotDigest(cid: string, salt: Uint8Array, proof: SpotProof): Uint8Array {
  return sha256(concatBytes(digestOfCid(parseCid(cid)), salt, ...proof.leaves.map(({ bytes }) => bytes)))
}

/** Different leaves, as many as there are at most: drawn by hashing CID, salt and a counter. */
function drawLeaves(cid: string, salt: Uint8Array, count: number, leaves: number): number[] {
  if (salt.length !== spotLimits.saltBytes || count < 1 || count > spotLimits.leavesMax)
    throw invalid(cid, 'the question is malformed')
  const drawn = new Set<number>()
  for (let turn = 0; drawn.size < Math.min(count, leaves); turn++) {
    const digest = sha256(concatBytes(digestOfCid(parseCid(cid)), salt, Uint8Array.of(turn >>> 8, turn & 255)))
    drawn.add(Number(new DataView(digest.buffer).getBigUint64(0) % BigInt(leaves)))
  }
  return [...drawn]
}

function leavesIn({ size, headerLeaves }: TensorRoot): number {
  return headerLeaves.length + Math.ceil(size.dataLengthBytes / leafSizeBytes)
}

function placeOf({ headerLeaves }: TensorRoot, leaf: number): { tile: number; place: number } | undefined {
  const inData = leaf - headerLeaves.length
  return inData < 0 ? undefined : { tile: Math.floor(inData / leavesPerTile), place: inData % leavesPerTile }
}

function digestAt(cid: CID, root: TensorRoot, tile: Uint8Array | null, leaf: number): Uint8Array {
  const at = placeOf(root, leaf)
  if (at === undefined || tile === null) return root.headerLeaves[leaf]!
  return decodeTile(cid, tile, root.size, at.tile)[at.place]!
}

function invalid(cid: string, reason: string): BlyanError {
  return new BlyanError('SPOT_PROOF_INVALID', { cid, reason })
}
