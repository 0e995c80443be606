import { bytesEqual, concatBytes, sha256 } from '../../codec/index.ts'

/** Merkle trees as in RFC 6962: leaves and inner nodes are hashed apart, a tree of n leaves splits at a power of two. */
const leafPrefix = Uint8Array.of(0)

export function merkleLeaf(data: Uint8Array): Uint8Array {
  return sha256(concatBytes(leafPrefix, data))
}

/** Root over hashed leaves; the empty tree is the hash of nothing. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return leaves.length === 0 ? sha256(new Uint8Array(0)) : rootOf(leaves, 0, leaves.length)
}

function rootOf(leaves: readonly Uint8Array[], low: number, high: number): Uint8Array {
  if (high - low === 1) return leaves[low]!
  const split = low + splitOf(high - low)
  return nodeHash(rootOf(leaves, low, split), rootOf(leaves, split, high))
}

/** Sibling hashes from the leaf at `index` up to the root. */
export function merklePath(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (leaves.length <= 1) return []
  const split = splitOf(leaves.length)
  return index < split
    ? [...merklePath(leaves.slice(0, split), index), merkleRoot(leaves.slice(split))]
    : [...merklePath(leaves.slice(split), index - split), merkleRoot(leaves.slice(0, split))]
}

/** Whether `leaf` stands at `index` of a tree with `count` leaves and this root. */
export function verifyMerklePath(
  root: Uint8Array,
  leaf: Uint8Array,
  index: number,
  count: number,
  path: readonly Uint8Array[]
): boolean {
  if (index < 0 || index >= count) return false
  const sides: boolean[] = []
  for (let low = 0, high = count; high - low > 1; ) {
    const split = low + splitOf(high - low)
    const isLeft = index < split
    sides.unshift(isLeft)
    if (isLeft) high = split
    else low = split
  }
  if (sides.length !== path.length) return false
  let hash = leaf
  for (const [place, isLeft] of sides.entries())
    hash = isLeft ? nodeHash(hash, path[place]!) : nodeHash(path[place]!, hash)
  return bytesEqual(hash, root)
}

function splitOf(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1))
}

/** Prefix and two hashes, written anew for each node. */
const nodeInput = Uint8Array.from([1, ...new Uint8Array(64)])

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length !== 32 || right.length !== 32) return sha256(concatBytes(Uint8Array.of(1), left, right))
  nodeInput.set(left, 1)
  nodeInput.set(right, 33)
  return sha256(nodeInput)
}
