import { concatBytes, sha256 } from '../../codec/index.ts'

type Leaf = { readonly kind: 'leaf'; readonly path: Uint8Array; hash: Uint8Array }
type Inner = { readonly kind: 'inner'; left: Tree; right: Tree; hash: Uint8Array | undefined }
type Tree = Leaf | Inner | undefined

const emptyHash = new Uint8Array(32)
const leafPrefix = Uint8Array.of(0)
/** Prefix and two hashes, written anew for each inner node. */
const innerInput = Uint8Array.from([1, ...new Uint8Array(64)])

/**
 * The authenticated state: a binary tree over SHA-256(key) in which a subtree with one key is that key's leaf. Its root
 * depends on the entries alone, never on the order in which they came. A change costs one path; hashes are made when the
 * root is asked for.
 */
export class StateTree {
  #root: Tree

  /** Sets `key` to a value, or removes it. */
  set(key: string, value: Uint8Array | undefined): void {
    const path = sha256(new TextEncoder().encode(key))
    this.#root =
      value === undefined
        ? remove(this.#root, path, 0)
        : insert(this.#root, path, sha256(concatBytes(leafPrefix, path, sha256(value))), 0)
  }

  /** 32 bytes; zeros for the empty state. */
  root(): Uint8Array {
    return hashOf(this.#root)
  }
}

function bitOf(path: Uint8Array, depth: number): number {
  return (path[depth >> 3]! >> (7 - (depth & 7))) & 1
}

function insert(tree: Tree, path: Uint8Array, hash: Uint8Array, depth: number): Tree {
  if (tree === undefined) return { kind: 'leaf', path, hash }
  if (tree.kind === 'leaf') {
    if (Buffer.compare(tree.path, path) === 0) return { kind: 'leaf', path, hash }
    const inner: Inner = { kind: 'inner', left: undefined, right: undefined, hash: undefined }
    if (bitOf(tree.path, depth) === 0) inner.left = tree
    else inner.right = tree
    return insert(inner, path, hash, depth)
  }
  tree.hash = undefined
  if (bitOf(path, depth) === 0) tree.left = insert(tree.left, path, hash, depth + 1)
  else tree.right = insert(tree.right, path, hash, depth + 1)
  return tree
}

function remove(tree: Tree, path: Uint8Array, depth: number): Tree {
  if (tree === undefined) return undefined
  if (tree.kind === 'leaf') return Buffer.compare(tree.path, path) === 0 ? undefined : tree
  tree.hash = undefined
  if (bitOf(path, depth) === 0) tree.left = remove(tree.left, path, depth + 1)
  else tree.right = remove(tree.right, path, depth + 1)
  if (tree.left === undefined && tree.right?.kind !== 'inner') return tree.right
  if (tree.right === undefined && tree.left?.kind !== 'inner') return tree.left
  return tree
}

function hashOf(tree: Tree): Uint8Array {
  if (tree === undefined) return emptyHash
  if (tree.kind === 'leaf') return tree.hash
  if (tree.hash === undefined) {
    const left = hashOf(tree.left)
    innerInput.set(hashOf(tree.right), 33)
    innerInput.set(left, 1)
    tree.hash = sha256(innerInput)
  }
  return tree.hash
}
