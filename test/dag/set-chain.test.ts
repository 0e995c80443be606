import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex, hexToBytes } from '../../src/codec/index.ts'
import { encodeCheckpoint } from '../../src/dag/core/checkpoint.ts'
import { eventLeaf } from '../../src/dag/core/executor.ts'
import { genesisOf } from '../../src/dag/core/genesis.ts'
import { merklePath } from '../../src/dag/core/merkle.ts'
import { encodeProof, type FinalityProof, verifyProof } from '../../src/dag/core/proof.ts'
import { followSets, quorumOf, type SetLink, setLinksMax } from '../../src/dag/core/set-chain.ts'
import { committeeOfSet, decodeSet, encodeSet, setDigest } from '../../src/dag/core/validator-set.ts'
import { arbitraryDamage } from '../codec/fuzz.ts'
import { ChangingNetwork, changingGenesis, validatorKey } from './changing-network.ts'
import { alice, keyOf } from './small-network.ts'

/** Three epochs: a fifth joins, one leaves, one rotates its key; then an event in epoch 3, certified. */
function grown(): { network: ChangingNetwork; proof: FinalityProof } {
  const network = new ChangingNetwork()
  const [v0, v1, v2, v3] = [0, 1, 2, 3].map(validatorKey) as [typeof alice, typeof alice, typeof alice, typeof alice]
  const eve = keyOf('eve')
  network.join(eve, 'eve')
  for (const key of [v0, v1, v2]) network.approve(key, eve)
  network.endEpoch()
  network.leave(v3)
  network.endEpoch()
  network.rotate(v0, keyOf('v0 anew'))
  network.endEpoch()
  const { events, checkpoint: first } = network.order(network.event(alice, 'note', 'in epoch 3'))
  let checkpoint = first
  while (checkpoint === undefined) checkpoint = network.order().checkpoint
  const leaves = [eventLeaf(events[0]!.event.digest, '')]
  return {
    network,
    proof: {
      event: events[0]!.event.bytes,
      refusal: '',
      index: 0,
      path: merklePath(leaves, 0),
      checkpoints: [checkpoint.bytes],
      votes: network.votesOn(checkpoint.bytes, network.signers),
      sets: network.links
    }
  }
}

const { network, proof } = grown()
const { genesis } = network
const verdictOf = (changes: Partial<FinalityProof>, against = genesis) =>
  verifyProof(encodeProof({ ...proof, ...changes }), against)
const withLink = (place: number, changes: Partial<SetLink>) =>
  proof.sets.map((link, index) => (index === place ? { ...link, ...changes } : link))

test('an event of epoch 3 verifies against genesis alone, by three sets', () => {
  const verdict = verdictOf({})
  assert.deepEqual([verdict.valid, verdict.reason, proof.sets.length], [true, null, 3])
  assert.deepEqual(verdict.signers, ['v0', 'v1', 'v2', 'eve'])
  assert.deepEqual(decodeSet(proof.sets[2]!.set).members[0]!.publicKey, keyOf('v0 anew').publicKey)
})

test('as few signatures as make a quorum are enough for each set', () => {
  let committee = genesis.committee
  const thin = proof.sets.map(link => {
    const votes = quorumOf(link.votes, committee)
    committee = committeeOfSet(decodeSet(link.set), 'none')
    return { ...link, votes }
  })
  assert.deepEqual(
    thin.map(link => link.votes.length),
    [3, 4, 3]
  )
  assert.equal(verdictOf({ sets: thin }).valid, true)
  for (const [place, link] of thin.entries())
    assert.equal(verdictOf({ sets: withLink(place, { votes: link.votes.slice(1) }) }).valid, false)
})

test('sets that are left out, repeated, swapped or of another order are rejected', () => {
  const [a, b, c] = proof.sets as readonly [SetLink, SetLink, SetLink]
  for (const sets of [[], [a], [a, b], [b, c], [a, c], [a, c, b], [b, a, c], [a, a, b, c], [a, b, c, c]])
    assert.equal(verdictOf({ sets }).valid, false)
})

test('a set that its checkpoint does not name is rejected, whoever it is made of', () => {
  const set = decodeSet(proof.sets[1]!.set)
  const mallory = { ...set.members[0]!, name: 'mallory', publicKey: keyOf('mallory').publicKey }
  for (const members of [[...set.members, mallory], [mallory, ...set.members.slice(1)], [mallory]]) {
    const verdict = verdictOf({ sets: withLink(1, { set: encodeSet({ ...set, members }) }) })
    assert.match(verdict.reason!, /not the one its checkpoint names/)
  }
})

test('a set that strangers signed is rejected: also when checkpoint and set agree', () => {
  const mallory = keyOf('mallory')
  const members = [{ ...genesis.committee.validators[0]!, publicKey: mallory.publicKey }]
  const set = encodeSet({ epoch: 1, baseRound: 9, members })
  const forged = new ChangingNetwork()
  forged.leave(validatorKey(3))
  const { checkpoint } = forged.endEpoch().checkpoint!
  const bytes = encodeCheckpoint({ ...checkpoint, nextSet: bytesToHex(setDigest(set)) })
  const sets = [{ checkpoint: bytes, set, votes: network.votesOn(bytes, [mallory, mallory, mallory, mallory]) }]
  assert.throws(() => followSets(sets, genesis), /signature of v0 is wrong/)
  const minority = [{ checkpoint: bytes, set, votes: network.votesOn(bytes, [validatorKey(0), validatorKey(1)]) }]
  assert.throws(() => followSets(minority, genesis), /no quorum of epoch 0/)
})

test('signatures of the next set do not stand for those of the one before', () => {
  const [, second] = proof.sets
  const newcomers = network.votesOn(second!.checkpoint, network.signers)
  assert.equal(verdictOf({ sets: withLink(1, { votes: newcomers }) }).valid, false)
  assert.equal(
    verdictOf({ votes: network.votesOn(proof.checkpoints[0]!, [0, 1, 2, 3].map(validatorKey)) }).valid,
    false
  )
})

test('the checkpoint that ends an epoch proves events of that epoch, not of the next', () => {
  assert.equal(verdictOf({ sets: proof.sets.slice(0, 2) }).reason, 'a checkpoint of another epoch than the last set')
})

test('a proof holds for one network', () => {
  const other = genesisOf({ ...changingGenesis(), network: 'other' })
  assert.equal(verdictOf({}, other).valid, false)
})

test('more sets than the limit are refused before anything is checked', () => {
  const many = Array.from({ length: setLinksMax + 1 }, () => proof.sets[0]!)
  assert.match(verdictOf({ sets: many }).reason!, /sets/)
})

test('no damage anywhere in the chain of sets goes unnoticed', () => {
  const good = encodeProof(proof)
  assert.equal(verifyProof(good, genesis).valid, true)
  fc.assert(
    fc.property(arbitraryDamage([good]), damaged => {
      assert.equal(verifyProof(damaged, genesis).valid, Buffer.compare(good, damaged) === 0)
    }),
    { numRuns: 400 }
  )
})

type Vector = {
  readonly genesis: unknown
  readonly proof: string
  readonly signers: readonly string[]
}

test('the golden proof through two changes of the set verifies', () => {
  const vector = JSON.parse(readFileSync(new URL('../vectors/proof-of-sets.json', import.meta.url), 'utf8')) as Vector
  const bytes = hexToBytes(vector.proof)!
  const verdict = verifyProof(bytes, genesisOf(vector.genesis as never))
  assert.deepEqual([verdict.reason, verdict.signers], [null, vector.signers])
  bytes[bytes.length - 1]! ^= 1
  assert.equal(verifyProof(bytes, genesisOf(vector.genesis as never)).valid, false)
})
