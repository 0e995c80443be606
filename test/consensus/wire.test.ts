import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { encodeCanonical } from '../../src/codec/index.ts'
import {
  decodeAnnouncement,
  decodeCommitsRequest,
  decodeCommitsResponse,
  decodeProgress,
  decodeVerticesRequest,
  decodeWitness,
  decodeWitnessRequest,
  encodeAnnouncement,
  encodeCommitsRequest,
  encodeCommitsResponse,
  encodeProgress,
  encodeVerticesRequest,
  encodeWitness,
  encodeWitnessRequest,
  feedFrame
} from '../../src/consensus/wire.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { refusesOnlyByName } from '../codec/fuzz.ts'

const progress = {
  epoch: 3,
  round: 70_000,
  commitIndex: 65_000,
  certifiedCommitIndex: 64_000,
  oldestCommitIndex: 60_000,
  snapshotCommitIndex: 63_000
}
const request = { aboveRound: 12, digests: ['ab'.repeat(32), 'cd'.repeat(32)] }
const response = {
  commits: [Uint8Array.of(1, 2), Uint8Array.of(3)],
  checkpoint: Uint8Array.of(9),
  votes: [{ author: 2, signature: new Uint8Array(64) }]
}
const sizeBytesMax = 1024 * 1024
const witnessRequest = { epoch: 2, author: 3 }
const witness = { epoch: 2, seenRound: 812, ownRound: 811 }
const announcement = { epoch: 1, refs: [{ round: 700, author: 2, digest: 'ef'.repeat(32) }] }
const vector = JSON.parse(readFileSync(new URL('../vectors/feed.json', import.meta.url), 'utf8'))

test('every message of the quorum comes out as it went in', () => {
  const frame = encodeProgress(progress)
  assert.equal(frame[0], feedFrame.progress)
  assert.deepEqual(decodeProgress(frame.subarray(1)), progress)
  assert.deepEqual(decodeVerticesRequest(encodeVerticesRequest(request), 2), request)
  assert.equal(decodeCommitsRequest(encodeCommitsRequest(77)), 77)
  assert.deepEqual(decodeCommitsResponse(encodeCommitsResponse(response), sizeBytesMax), response)
  assert.deepEqual(decodeWitnessRequest(encodeWitnessRequest(witnessRequest)), witnessRequest)
  assert.deepEqual(decodeWitness(encodeWitness(witness)), witness)
  const named = encodeAnnouncement(announcement)
  assert.equal(named[0], feedFrame.announcement)
  assert.deepEqual(decodeAnnouncement(named.subarray(1)), announcement)
})

test('the committed bytes of the small messages', () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  assert.equal(hex(encodeProgress(progress)), vector.progress)
  assert.equal(hex(encodeAnnouncement(announcement)), vector.announcement)
  assert.equal(hex(encodeWitnessRequest(witnessRequest)), vector.witnessRequest)
  assert.equal(hex(encodeWitness(witness)), vector.witness)
})

test('as many names as a committee has members fit an announcement, no more are taken', () => {
  const refs = Array.from({ length: 257 }, (_, author) => ({ round: 2 ** 40, author, digest: 'ab'.repeat(32) }))
  const of = (count: number) => encodeAnnouncement({ epoch: 1, refs: refs.slice(0, count) }).subarray(1)
  assert.equal(decodeAnnouncement(of(256)).refs.length, 256)
  assert.throws(
    () => decodeAnnouncement(of(257)),
    error => isBlyanError(error, 'ENCODING_INVALID')
  )
})

test('more digests than may be asked for are refused', () => {
  assert.throws(
    () => decodeVerticesRequest(encodeVerticesRequest(request), 1),
    error => isBlyanError(error, 'ENCODING_INVALID')
  )
})

test('numbers that are no natural numbers are refused', () => {
  for (const bad of [-1, 1.5, 2n ** 63n, '1', null, [1]])
    assert.throws(
      () => decodeProgress(encodeCanonical([bad, 1, 1, 1, 1, 1])),
      error => isBlyanError(error, 'ENCODING_INVALID')
    )
})

test('whatever bytes come, decoders of the wire answer or refuse by name', () => {
  refusesOnlyByName(decodeProgress, [encodeProgress(progress).subarray(1)])
  refusesOnlyByName(bytes => decodeVerticesRequest(bytes, 64), [encodeVerticesRequest(request)])
  refusesOnlyByName(decodeCommitsRequest, [encodeCommitsRequest(7)])
  refusesOnlyByName(decodeWitnessRequest, [encodeWitnessRequest(witnessRequest)])
  refusesOnlyByName(decodeWitness, [encodeWitness(witness)])
  refusesOnlyByName(decodeAnnouncement, [encodeAnnouncement(announcement).subarray(1)])
  refusesOnlyByName(bytes => decodeCommitsResponse(bytes, sizeBytesMax), [encodeCommitsResponse(response)])
})
