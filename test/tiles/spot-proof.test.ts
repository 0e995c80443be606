import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isBlyanError } from '../../src/errors/index.ts'
import { checkSpotProof, type SpotProof, spotDigest } from '../../src/tiles/index.ts'
import { noiseBytes, openStore } from './support.ts'

const leafBytes = 256 * 1024
const salt = (fill: number) => new Uint8Array(32).fill(fill)
const refused = (error: unknown) =>
  isBlyanError(error, 'SPOT_PROOF_INVALID') || isBlyanError(error, 'TENSOR_DAG_INVALID')

test('leaves that a salt chooses are checked with the CID alone, whatever is changed is refused', async t => {
  const { tensors } = await openStore(t)
  // Two tiles and a bit, the last leaf short.
  const data = noiseBytes(35 * leafBytes + 1000)
  const { cid } = await tensors.putTensor({ name: 'weights', dtype: 'int8', shape: [data.length], data })
  const chosen = new Set<string>()
  for (let fill = 0; fill < 12; fill++) {
    const proof = (await tensors.prove(cid, salt(fill), 3))!
    checkSpotProof(cid, salt(fill), 3, proof)
    assert.equal(proof.leaves.length, 3)
    for (const { bytes } of proof.leaves) chosen.add(Buffer.from(bytes.subarray(0, 32)).toString('hex'))
    // Made for one question, it is no answer to another.
    assert.throws(() => checkSpotProof(cid, salt(fill + 100), 3, proof), refused)
    assert.throws(() => checkSpotProof(cid, salt(fill), 2, proof), refused)
    for (const spoilt of spoil(proof)) assert.throws(() => checkSpotProof(cid, salt(fill), 3, spoilt), refused)
    assert.notDeepEqual(spotDigest(cid, salt(fill), proof), spotDigest(cid, salt(fill + 100), proof))
  }
  assert.ok(chosen.size > 15, `${chosen.size} of 37 leaves`)
})

test('who does not have a tensor whole cannot show it, and one of another tensor is refused', async t => {
  const { tensors } = await openStore(t)
  const put = (seed: number) =>
    tensors.putTensor({ name: 'weights', dtype: 'int8', shape: [leafBytes], data: noiseBytes(leafBytes, seed) })
  const [one, other] = [await put(1), await put(2)]
  const proof = (await tensors.prove(one.cid, salt(1), 2))!
  checkSpotProof(one.cid, salt(1), 2, proof)
  assert.throws(() => checkSpotProof(other.cid, salt(1), 2, proof), refused)
  await tensors.remove(one.cid)
  assert.equal(await tensors.prove(one.cid, salt(1), 2), undefined)
})

function spoil(proof: SpotProof): SpotProof[] {
  const turned = (bytes: Uint8Array) => bytes.map((byte, place) => (place === bytes.length >> 1 ? byte ^ 1 : byte))
  const withLeaf = (change: Partial<SpotProof['leaves'][number]>) => ({
    ...proof,
    leaves: proof.leaves.map((leaf, place) => (place === 1 ? { ...leaf, ...change } : leaf))
  })
  const { tile, bytes } = proof.leaves[1]!
  return [
    { ...proof, root: turned(proof.root) },
    withLeaf({ bytes: turned(bytes) }),
    withLeaf({ bytes: bytes.subarray(1) }),
    withLeaf({ tile: tile === null ? proof.root : turned(tile) }),
    withLeaf({ tile: tile === null ? proof.root : null }),
    { ...proof, leaves: proof.leaves.slice(1) },
    { ...proof, leaves: [proof.leaves[0]!, proof.leaves[0]!, proof.leaves[2]!] }
  ]
}
