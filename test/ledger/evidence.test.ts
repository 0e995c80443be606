import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bytesToHex, decodeCanonical, encodeCanonical, hexToBytes, sha256 } from '../../src/codec/index.ts'
import { encodeHeader, type VertexHeader, vertexSigningBytes } from '../../src/consensus/core/vertex.ts'
import { encodeEvidence, readEvidence, verifyEvidence } from '../../src/dag/core/evidence.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { type Offence, offenceKey } from '../../src/ledger/index.ts'
import { refusesOnlyByName } from '../codec/fuzz.ts'
import { ChangingNetwork, validatorKey } from '../dag/changing-network.ts'
import { accountOf, alice, bob, keyOf } from '../dag/small-network.ts'

const signer = validatorKey(2)

/** A signed header of validator 2; two with other times are two vertices of one slot. */
function header(network: ChangingNetwork, changes: Partial<VertexHeader> = {}, by = signer) {
  const headerBytes = encodeHeader({
    epoch: 0,
    round: 7,
    author: 2,
    timestampMs: 1000,
    parents: [],
    eventCount: 0,
    bodyDigest: '00'.repeat(32),
    votes: [],
    ...changes
  })
  return {
    headerBytes,
    signature: by.sign(vertexSigningBytes(network.genesis.digest, bytesToHex(sha256(headerBytes))))
  }
}

const twice = (network: ChangingNetwork, changes: Partial<VertexHeader> = {}, by = signer) =>
  encodeEvidence(header(network, changes, by), header(network, { ...changes, timestampMs: 2000 }, by))
const offenceOf = (network: ChangingNetwork, epoch = 0, by = signer) =>
  network.executor.state.get(offenceKey(epoch, accountOf(by))) as unknown as Offence | undefined

test('two headers of one slot are recorded as an offence, with a block on chain A', () => {
  const network = new ChangingNetwork()
  const payload = twice(network)
  const { events, blocks } = network.order(network.event(alice, 'evidence', payload))
  assert.equal(events[0]!.refusal, '')
  const { block_type, chain_id, payload_hash } = blocks[0]!.header
  assert.deepEqual([block_type, chain_id, payload_hash], ['evidence', 'A', sha256(payload)])
  const { round, reporter, first, second, evidence } = offenceOf(network)!
  assert.deepEqual([round, reporter, evidence], [7, accountOf(alice), sha256(payload)])
  assert.ok(Buffer.compare(first, second) < 0)
})

test('an offence has one payload, whoever saw which vertex first', () => {
  const network = new ChangingNetwork()
  const [one, other] = [header(network), header(network, { timestampMs: 2000 })]
  assert.deepEqual(encodeEvidence(one, other), encodeEvidence(other, one))
})

test('one offence for an epoch and a key: later evidence is known already', () => {
  const network = new ChangingNetwork()
  assert.equal(network.submit(alice, 'evidence', twice(network)), '')
  assert.equal(network.submit(bob, 'evidence', twice(network)), 'EVIDENCE_KNOWN')
  assert.equal(network.submit(bob, 'evidence', twice(network, { round: 8 })), 'EVIDENCE_KNOWN')
})

test('evidence counts for the key that the epoch had, also when the next epoch has begun', () => {
  const network = new ChangingNetwork()
  const next = keyOf('v2 anew')
  const before = twice(network)
  network.rotate(signer, next)
  network.endEpoch()
  assert.equal(network.submit(alice, 'evidence', twice(network, { epoch: 1 })), 'EVIDENCE_INVALID')
  assert.equal(network.submit(alice, 'evidence', twice(network, { epoch: 1 }, next)), '')
  assert.equal(network.submit(alice, 'evidence', before), '')
  assert.ok(offenceOf(network) !== undefined && offenceOf(network, 1, next) !== undefined)
})

type Parts = { first: [Uint8Array, Uint8Array]; second: [Uint8Array, Uint8Array] }

test('what proves nothing is refused by the part that is wrong', () => {
  const network = new ChangingNetwork()
  const { digest } = network.genesis
  const good = decodeCanonical(twice(network), { sizeBytesMax: 65_536 }) as unknown as Parts
  const of = (parts: unknown) => encodeCanonical(parts as never)
  const bad: Record<string, readonly [RegExp, Uint8Array]> = {
    'not a map': [/map of first and second/, of([])],
    'a field more': [/map of first and second/, of({ ...good, third: 1 })],
    'no signature': [/first is not a header/, of({ ...good, first: [good.first[0]] })],
    'a short signature': [/second is not a header/, of({ ...good, second: [good.second[0], new Uint8Array(63)] })],
    'no header': [/first header does not decode/, of({ ...good, first: [new Uint8Array(9), good.first[1]] })],
    'one header twice': [/are the same/, of({ first: good.first, second: good.first })],
    'the other order': [/lower digest/, of({ first: good.second, second: good.first })],
    'swapped signatures': [
      /signature of the first/,
      of({ first: [good.first[0], good.second[1]], second: [good.second[0], good.first[1]] })
    ],
    'another round': [/not of one epoch/, encodeEvidence(header(network), header(network, { round: 8 }))],
    'another epoch': [/not of one epoch/, encodeEvidence(header(network), header(network, { epoch: 1 }))],
    'another author': [/not of one epoch/, encodeEvidence(header(network), header(network, { author: 1 }))],
    'a stranger`s signature': [/signature of the first/, twice(network, {}, keyOf('stranger'))],
    'not canonical': [/canonical/, Uint8Array.from([...twice(network), 0])]
  }
  for (const [name, [part, payload]] of Object.entries(bad)) {
    assert.throws(
      () => verifyEvidence(digest, signer.publicKey, payload),
      error => isBlyanError(error, 'EVIDENCE_INVALID') && part.test(error.message),
      name
    )
    assert.equal(network.submit(alice, 'evidence', payload), 'EVIDENCE_INVALID', name)
  }
  assert.equal(network.submit(alice, 'evidence', twice(network, { author: 9 })), 'EVIDENCE_INVALID')
  assert.equal(network.submit(alice, 'evidence', twice(network, { epoch: 1 })), 'EVIDENCE_INVALID')
  assert.equal(offenceOf(network), undefined)
})

test('signatures for another network prove nothing here', () => {
  const network = new ChangingNetwork()
  assert.throws(() => verifyEvidence(new Uint8Array(32), signer.publicKey, twice(network)), /signature/)
})

test('the golden evidence is read, verified and written alike', () => {
  const vector = JSON.parse(readFileSync(new URL('../vectors/evidence.json', import.meta.url), 'utf8'))
  const payload = hexToBytes(vector.payload)!
  const { first, second, round } = verifyEvidence(
    hexToBytes(vector.genesisDigest)!,
    hexToBytes(vector.publicKey)!,
    payload
  )
  assert.deepEqual([bytesToHex(first.headerBytes), bytesToHex(second.headerBytes)], [vector.first, vector.second])
  assert.equal(round, 42)
  assert.deepEqual(encodeEvidence(second, first), new Uint8Array(payload))
})

test('whatever bytes come, evidence is read or refused by name', () => {
  refusesOnlyByName(readEvidence, [twice(new ChangingNetwork())], 'EVIDENCE_INVALID')
})
