import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex } from '../../src/codec/index.ts'
import { merkleLeaf, merklePath, merkleRoot, verifyMerklePath } from '../../src/dag/core/merkle.ts'

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()

/** RFC 6962, section 2.1, word for word. */
function reference(data: readonly Uint8Array[]): Buffer {
  if (data.length === 0) return sha256()
  if (data.length === 1) return sha256(Buffer.of(0), data[0]!)
  let k = 1
  while (k * 2 < data.length) k *= 2
  return sha256(Buffer.of(1), reference(data.slice(0, k)), reference(data.slice(k)))
}

const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  hex => new Uint8Array(Buffer.from(hex, 'hex'))
)
const leavesOf = (count: number) => Array.from({ length: count }, (_, i) => merkleLeaf(Uint8Array.of(i, i >> 8)))

test('roots are those of Certificate Transparency for its own known inputs', () => {
  // From the reference log of RFC 6962 (merkletree test vectors of certificate-transparency).
  const known: Record<number, string> = {
    0: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    1: '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    2: 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    8: '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'
  }
  for (let count = 0; count <= 8; count++) {
    const root = bytesToHex(merkleRoot(inputs.slice(0, count).map(merkleLeaf)))
    assert.equal(root, reference(inputs.slice(0, count)).toString('hex'))
    if (known[count] !== undefined) assert.equal(root, known[count])
  }
})

test('every path verifies, and for no other index, leaf, count or root', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (count, at, other) => {
      const leaves = leavesOf(count)
      const root = merkleRoot(leaves)
      const index = at % count
      const path = merklePath(leaves, index)
      assert.ok(verifyMerklePath(root, leaves[index]!, index, count, path))
      const wrong = other % count
      if (wrong !== index) {
        assert.equal(verifyMerklePath(root, leaves[index]!, wrong, count, path), false)
        assert.equal(verifyMerklePath(root, leaves[wrong]!, index, count, path), false)
      }
      assert.equal(verifyMerklePath(merkleRoot(leavesOf(count + 1)), leaves[index]!, index, count, path), false)
      assert.equal(verifyMerklePath(root, leaves[index]!, index, count, [...path, root]), false)
      if (path.length > 0) assert.equal(verifyMerklePath(root, leaves[index]!, index, count, path.slice(1)), false)
    })
  )
})

test('an inner node is no leaf', () => {
  const leaves = leavesOf(4)
  const inner = sha256(Buffer.of(1), leaves[0]!, leaves[1]!)
  assert.equal(
    verifyMerklePath(merkleRoot(leaves), merkleLeaf(inner), 0, 2, [sha256(Buffer.of(1), leaves[2]!, leaves[3]!)]),
    false
  )
})

test('indexes outside the tree are refused', () => {
  const leaves = leavesOf(3)
  for (const index of [-1, 3, 2 ** 53, Number.NaN])
    assert.equal(verifyMerklePath(merkleRoot(leaves), leaves[0]!, index, 3, merklePath(leaves, 0)), false)
  assert.equal(verifyMerklePath(merkleRoot([]), merkleRoot([]), 0, 0, []), false)
})
