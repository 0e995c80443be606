import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bytesToHex, type CanonicalValue, decodeCanonical, encodeCanonical, hexToBytes } from '../../src/codec/index.ts'
import {
  checkpointDigest,
  checkpointSigningBytes,
  decodeCheckpoint,
  encodeCheckpoint
} from '../../src/dag/core/checkpoint.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { refusesOnlyByName } from '../codec/fuzz.ts'

const vector = JSON.parse(readFileSync(new URL('../vectors/checkpoint.json', import.meta.url), 'utf8'))
const bytes = hexToBytes(vector.bytes)!
const boundary = JSON.parse(readFileSync(new URL('../vectors/checkpoint-boundary.json', import.meta.url), 'utf8'))
const boundaryBytes = hexToBytes(boundary.bytes)!

test('a checkpoint has the committed bytes, digest and signing bytes', () => {
  assert.equal(bytesToHex(encodeCheckpoint(vector.checkpoint)), vector.bytes)
  assert.deepEqual(decodeCheckpoint(bytes), vector.checkpoint)
  assert.equal(checkpointDigest(bytes), vector.digest)
  assert.equal(
    bytesToHex(checkpointSigningBytes(hexToBytes(vector.genesisDigest)!, vector.digest)),
    vector.signingBytes
  )
})

test('the checkpoint that ends an epoch has the committed bytes too, and names the next set', () => {
  assert.equal(bytesToHex(encodeCheckpoint(boundary.checkpoint)), boundary.bytes)
  assert.deepEqual(decodeCheckpoint(boundaryBytes), boundary.checkpoint)
  assert.equal(checkpointDigest(boundaryBytes), boundary.digest)
})

test('a version has its number of fields, neither more nor less', () => {
  const fields = decodeCanonical(boundaryBytes, { sizeBytesMax: 4096 }) as readonly CanonicalValue[]
  for (const bad of [fields.slice(0, 12), fields.with(0, 1), fields.with(12, null), fields.with(0, 3), [...fields, 1]])
    assert.throws(
      () => decodeCheckpoint(encodeCanonical(bad)),
      error => isBlyanError(error, 'ENCODING_INVALID')
    )
})

test('fields that are none are refused', () => {
  const good = [
    1,
    0,
    1,
    1,
    bytes.subarray(0, 32),
    bytes.subarray(0, 32),
    1,
    1,
    bytes.subarray(0, 32),
    bytes.subarray(0, 32),
    [null, null, null, null],
    5
  ]
  assert.doesNotThrow(() => decodeCheckpoint(encodeCanonical(good)))
  const bad: [number, unknown][] = [
    [0, 2],
    [1, -1],
    [2, 1.5],
    [3, '1'],
    [4, bytes.subarray(0, 31)],
    [5, null],
    [10, []],
    [10, [null, null, null, 1]],
    [11, null]
  ]
  for (const [place, value] of bad)
    assert.throws(
      () => decodeCheckpoint(encodeCanonical(good.with(place, value as never))),
      error => isBlyanError(error, 'ENCODING_INVALID'),
      `${place}`
    )
})

test('whatever bytes come, the decoder of checkpoints answers or refuses by name', () => {
  refusesOnlyByName(decodeCheckpoint, [bytes, boundaryBytes])
})
