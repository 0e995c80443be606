import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeCanonical } from '../../src/codec/index.ts'
import {
  decodeCommitsRequest,
  decodeCommitsResponse,
  decodeProgress,
  decodeVerticesRequest,
  encodeCommitsRequest,
  encodeCommitsResponse,
  encodeProgress,
  encodeVerticesRequest,
  feedFrame
} from '../../src/consensus/wire.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { refusesOnlyByName } from '../codec/fuzz.ts'

const progress = { round: 70_000, commitIndex: 65_000, certifiedCommitIndex: 64_000 }
const request = { aboveRound: 12, digests: ['ab'.repeat(32), 'cd'.repeat(32)] }
const response = {
  commits: [Uint8Array.of(1, 2), Uint8Array.of(3)],
  checkpoint: Uint8Array.of(9),
  votes: [{ author: 2, signature: new Uint8Array(64) }]
}
const sizeBytesMax = 1024 * 1024

test('every message of the quorum comes out as it went in', () => {
  const frame = encodeProgress(progress)
  assert.equal(frame[0], feedFrame.progress)
  assert.deepEqual(decodeProgress(frame.subarray(1)), progress)
  assert.deepEqual(decodeVerticesRequest(encodeVerticesRequest(request), 2), request)
  assert.equal(decodeCommitsRequest(encodeCommitsRequest(77)), 77)
  assert.deepEqual(decodeCommitsResponse(encodeCommitsResponse(response), sizeBytesMax), response)
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
      () => decodeProgress(encodeCanonical([bad, 1, 1])),
      error => isBlyanError(error, 'ENCODING_INVALID')
    )
})

test('whatever bytes come, decoders of the wire answer or refuse by name', () => {
  refusesOnlyByName(decodeProgress, [encodeProgress(progress).subarray(1)])
  refusesOnlyByName(bytes => decodeVerticesRequest(bytes, 64), [encodeVerticesRequest(request)])
  refusesOnlyByName(decodeCommitsRequest, [encodeCommitsRequest(7)])
  refusesOnlyByName(bytes => decodeCommitsResponse(bytes, sizeBytesMax), [encodeCommitsResponse(response)])
})
