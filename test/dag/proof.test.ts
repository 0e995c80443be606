import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex, type CanonicalValue, decodeCanonical, encodeCanonical } from '../../src/codec/index.ts'
import { checkpointSigningBytes } from '../../src/dag/core/checkpoint.ts'
import { type ExecutedEvent, eventLeaf } from '../../src/dag/core/executor.ts'
import { genesisOf } from '../../src/dag/core/genesis.ts'
import { merklePath } from '../../src/dag/core/merkle.ts'
import { encodeProof, type FinalityProof, verifyProof } from '../../src/dag/core/proof.ts'
import { verifyProof as verifyAgainstText } from '../../src/dag/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { arbitraryDamage } from '../codec/fuzz.ts'
import { accountOf, alice, bob, carol, genesisFile, keyOf, SmallNetwork } from './small-network.ts'

/** Two checkpoints of a small network: some events applied and one refused. */
function finished(file = genesisFile()) {
  const network = new SmallNetwork(file)
  const events: ExecutedEvent[][] = [[]]
  const checkpoints: { bytes: Uint8Array; digest: string }[] = []
  for (let i = 0; i < 8; i++) {
    const { events: executed, checkpoint } = network.order(
      network.event(alice, 'note', `note ${i}`),
      network.event(carol, 'transfer', { to: accountOf(bob), amount: '1' })
    )
    events.at(-1)!.push(...executed)
    if (checkpoint === undefined) continue
    checkpoints.push(checkpoint)
    events.push([])
  }
  return { network, events: events[0]!, checkpoints }
}

const { network, events, checkpoints } = finished()
const { genesis } = network

function votesOn(digest: string, authors: readonly number[], by = genesis) {
  return authors.map(author => ({
    author,
    signature: keyOf(`validator ${author}`).sign(checkpointSigningBytes(by.digest, digest))
  }))
}

function proofOf(index: number, changes: Partial<FinalityProof> = {}): FinalityProof {
  const leaves = events.map(({ event, refusal }) => eventLeaf(event.digest, refusal))
  const { event, refusal } = events[index]!
  return {
    event: event.bytes,
    refusal,
    index,
    path: merklePath(leaves, index),
    checkpoints: [checkpoints[0]!.bytes],
    votes: votesOn(checkpoints[0]!.digest, [0, 1, 3]),
    sets: [],
    ...changes
  }
}

const verdictOf = (proof: FinalityProof, against = genesis) => verifyProof(encodeProof(proof), against)

test('a proof of every event verifies against genesis alone, and says what became of it', () => {
  for (const index of events.keys()) {
    const verdict = verdictOf(proofOf(index))
    assert.deepEqual([verdict.valid, verdict.reason, verdict.checkpoint], [true, null, 1])
    assert.deepEqual(verdict.signers, ['v0', 'v1', 'v3'])
  }
})

test('a later certificate covers an event through the chain of checkpoints', () => {
  const later = {
    checkpoints: checkpoints.map(({ bytes }) => bytes),
    votes: votesOn(checkpoints[1]!.digest, [1, 2, 3])
  }
  assert.equal(verdictOf(proofOf(2, later)).valid, true)
  const skipping = { ...later, checkpoints: [checkpoints[0]!.bytes, checkpoints[0]!.bytes] }
  assert.equal(verdictOf(proofOf(2, skipping)).valid, false)
})

test('every bit of a proof counts', () => {
  const good = encodeProof(proofOf(3))
  assert.equal(verifyProof(good, genesis).valid, true)
  for (let bit = 0; bit < good.length * 8; bit++) {
    good[bit >> 3]! ^= 1 << (bit & 7)
    assert.equal(verifyProof(good, genesis).valid, false, `bit ${bit}`)
    good[bit >> 3]! ^= 1 << (bit & 7)
  }
})

const first = checkpoints[0]!.digest
const refused: Record<string, () => FinalityProof> = {
  'too few signatures': () => proofOf(0, { votes: votesOn(first, [0, 1]) }),
  'one signature three times': () => proofOf(0, { votes: votesOn(first, [1, 1, 1]) }),
  'one signature twice beside a quorum': () => proofOf(0, { votes: votesOn(first, [0, 1, 2, 2]) }),
  'a signer who is no validator': () => proofOf(0, { votes: votesOn(first, [0, 1, 2, 4]) }),
  'signatures on another checkpoint': () => proofOf(0, { votes: votesOn(checkpoints[1]!.digest, [0, 1, 2]) }),
  'signatures under each other`s names': () => {
    const [one, two, three] = votesOn(first, [0, 1, 2])
    return proofOf(0, { votes: [{ ...one!, author: 1 }, { ...two!, author: 0 }, three!] })
  },
  'a refusal left out': () => proofOf(1, { refusal: '' }),
  'a refusal put in': () => proofOf(0, { refusal: 'BALANCE_TOO_LOW' }),
  'another event': () => proofOf(0, { event: events[2]!.event.bytes }),
  'another index': () => proofOf(0, { index: 2 }),
  'an index between two': () => proofOf(0, { index: 0.5 }),
  'no checkpoint': () => proofOf(0, { checkpoints: [] }),
  'no signatures': () => proofOf(0, { votes: [] })
}

for (const [name, proof] of Object.entries(refused)) {
  test(`a proof is refused for ${name}`, () => {
    const verdict = verdictOf(proof())
    assert.equal(verdict.valid, false)
    assert.equal(typeof verdict.reason, 'string')
  })
}

test('a proof of one network is none of another', () => {
  assert.equal(verdictOf(proofOf(0), genesisOf(genesisFile({ network: 'other' }))).valid, false)
})

test('names of validators are for people: two of one name are still two signers', () => {
  const file = genesisFile()
  const twins = genesisFile({ validators: file.validators.map(validator => ({ ...validator, name: 'same' })) })
  const other = finished(twins)
  const leaves = other.events.map(({ event, refusal }) => eventLeaf(event.digest, refusal))
  const proof = {
    ...proofOf(0),
    event: other.events[0]!.event.bytes,
    path: merklePath(leaves, 0),
    checkpoints: [other.checkpoints[0]!.bytes],
    votes: votesOn(other.checkpoints[0]!.digest, [0, 1, 2], other.network.genesis)
  }
  assert.equal(verdictOf(proof, other.network.genesis).valid, true)
})

test('fields that nobody knows, and sets of validators that are not of genesis, are refused', () => {
  const fields = decodeCanonical(encodeProof(proofOf(0)), { sizeBytesMax: 1e6 }) as Record<string, CanonicalValue>
  for (const changed of [
    { ...fields, more: 1 },
    { ...fields, sets: [[]] },
    { ...fields, kind: 'blyan.finality-proof/2' }
  ])
    assert.equal(verifyProof(encodeCanonical(changed), genesis).valid, false)
})

test('whatever bytes come, the answer is no and nothing is thrown', () => {
  const good = encodeProof(proofOf(0))
  fc.assert(
    fc.property(arbitraryDamage([good]), bytes => {
      assert.equal(verifyProof(bytes, genesis).valid, bytesToHex(bytes) === bytesToHex(good))
    }),
    { numRuns: 500 }
  )
})

test('on the command line the genesis file is text, and a bad one is named', async () => {
  const proof = encodeProof(proofOf(0))
  assert.equal((await verifyAgainstText(proof, JSON.stringify(genesisFile()))).valid, true)
  await assert.rejects(
    async () => verifyAgainstText(proof, '{}'),
    error => isBlyanError(error, 'GENESIS_INVALID')
  )
})
