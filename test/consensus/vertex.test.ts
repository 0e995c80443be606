import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex, hexToBytes, importSigningKey, verifySignatureSync } from '../../src/codec/index.ts'
import { commitDigest, decodeCommit, encodeCommit } from '../../src/consensus/core/commit.ts'
import {
  baseVertices,
  decodeHeader,
  decodeVertex,
  encodeBody,
  encodeHeader,
  encodeVertex,
  eventsOfBody,
  refOf,
  vertexSigningBytes
} from '../../src/consensus/core/vertex.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { refusesOnlyByName } from '../codec/fuzz.ts'
import { committeeOf, DagBuilder, genesisDigest } from './dag-builder.ts'

const vector = JSON.parse(readFileSync(new URL('../vectors/vertex.json', import.meta.url), 'utf8'))
const bytesOf = (hex: string) => hexToBytes(hex)!
const header = {
  ...vector.header,
  votes: [{ ...vector.header.votes[0], signature: bytesOf(vector.header.votes[0].signature) }]
}
const isInvalid = (error: unknown) => isBlyanError(error, 'ENCODING_INVALID')

test('a vertex has the committed bytes, digest, signing bytes and signature', () => {
  assert.equal(bytesToHex(encodeHeader(header)), vector.headerBytes)
  const vertex = decodeVertex(bytesOf(vector.vertexBytes))
  assert.deepEqual(vertex.header, header)
  assert.equal(vertex.digest, vector.digest)
  const message = vertexSigningBytes(bytesOf(vector.genesisDigest), vertex.digest)
  assert.equal(bytesToHex(message), vector.signingBytes)
  const key = importSigningKey('ed25519', bytesOf(vector.secret))
  assert.equal(bytesToHex(key.sign(message)), vector.signature)
  assert.ok(verifySignatureSync(key.publicKey, message, vertex.signature))
  assert.equal(bytesToHex(encodeVertex(vertex)), vector.vertexBytes)
})

test('a commit has the committed bytes and digest', () => {
  assert.equal(bytesToHex(encodeCommit(vector.commit)), vector.commitBytes)
  assert.deepEqual(decodeCommit(bytesOf(vector.commitBytes)), vector.commit)
  assert.equal(commitDigest(bytesOf(vector.commitBytes)), vector.commitDigest)
})

test('a body that is not the one the header names is refused', () => {
  const bytes = bytesOf(vector.vertexBytes)
  bytes[bytes.length - 1]! ^= 1
  assert.throws(() => decodeVertex(bytes), isInvalid)
  assert.throws(() => decodeVertex(bytes.subarray(0, -1)), isInvalid)
})

test('the digest does not cover the signature: another encoding of it makes no twin', () => {
  const vertex = decodeVertex(bytesOf(vector.vertexBytes))
  const other = decodeVertex(encodeVertex({ ...vertex, signature: new Uint8Array(64) }))
  assert.equal(other.digest, vertex.digest)
})

test('a signature for one network or purpose fits no other', () => {
  const { digest } = decodeVertex(bytesOf(vector.vertexBytes))
  assert.notDeepEqual(
    vertexSigningBytes(genesisDigest, digest),
    vertexSigningBytes(bytesOf(vector.genesisDigest), digest)
  )
})

test('events come out of a body as they went in', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), events => {
      assert.deepEqual(
        eventsOfBody(encodeBody(events)).map(event => [...event]),
        events.map(event => [...event])
      )
    })
  )
})

test('a body whose lengths do not add up is refused', () => {
  for (const body of ['00', '000000', '00000002ff', 'ffffffff', '00000001ff00'])
    assert.throws(() => eventsOfBody(bytesOf(body)), isInvalid)
})

test('a header length beyond the vertex or the limit is refused before anything is read', () => {
  const bytes = new Uint8Array(200)
  for (const length of [133, 0xffffffff, 65 * 1024]) {
    new DataView(bytes.buffer).setUint32(0, length)
    assert.throws(() => decodeVertex(bytes), isInvalid)
  }
})

test('whatever bytes come, decoders of vertices and commits answer or refuse by name', () => {
  refusesOnlyByName(decodeVertex, [bytesOf(vector.vertexBytes)])
  refusesOnlyByName(decodeHeader, [bytesOf(vector.headerBytes)])
  refusesOnlyByName(decodeCommit, [bytesOf(vector.commitBytes)])
  refusesOnlyByName(eventsOfBody, [encodeBody([Uint8Array.of(1, 2), Uint8Array.of(3)])])
})

test('round 0 is the same at every node of a network and differs between networks', () => {
  const committee = committeeOf(3)
  const digests = (digest: Uint8Array) => baseVertices({ committee, digest, timestampMs: 5 }).map(refOf)
  assert.deepEqual(digests(genesisDigest), digests(genesisDigest))
  assert.equal(new Set(digests(genesisDigest).map(ref => ref.digest)).size, 3)
  assert.notDeepEqual(digests(genesisDigest), digests(new Uint8Array(32)))
})

test('a drawn vertex survives the wire', () => {
  const vertex = new DagBuilder(committeeOf(4)).full(2).at(2, 1)
  assert.deepEqual(decodeVertex(encodeVertex(vertex)).header, vertex.header)
})
