import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bytesToHex, concatBytes, encodeCanonical, hexToBytes, importSigningKey } from '../../src/codec/index.ts'
import {
  decodeEvent,
  encodeEnvelope,
  eventId,
  eventLimits,
  eventSigningBytes,
  signEvent,
  verifyEvent,
  verifyEventSync
} from '../../src/dag/core/event.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { refusesOnlyByName } from '../codec/fuzz.ts'

const vector = JSON.parse(readFileSync(new URL('../vectors/event.json', import.meta.url), 'utf8'))
const bytesOf = (hex: string) => hexToBytes(hex)!
const { createdAt, ...rest } = vector.envelope
const envelope = { ...rest, createdAtMs: createdAt, payload: bytesOf(rest.payload), author: bytesOf(rest.author) }
const genesisDigest = bytesOf(vector.genesisDigest)
const key = importSigningKey('ed25519', bytesOf(vector.secret))
const isInvalid = (error: unknown) => isBlyanError(error, 'EVENT_INVALID')
const signed = (fields: object) => concatBytes(new Uint8Array(64), encodeCanonical({ ...fields }))
const fields = { ...rest, createdAt, payload: envelope.payload, author: envelope.author }

test('an event has the committed bytes, id, hash, signing bytes and signature', () => {
  assert.equal(bytesToHex(encodeEnvelope(envelope)), vector.envelopeBytes)
  const event = signEvent(envelope, key, genesisDigest)
  assert.equal(event.digest, vector.hash)
  assert.equal(eventId(bytesOf(event.digest)).toString(), vector.id)
  assert.equal(bytesToHex(eventSigningBytes(genesisDigest, bytesOf(event.digest))), vector.signingBytes)
  assert.equal(bytesToHex(event.signature), vector.signature)
  assert.equal(bytesToHex(event.bytes), vector.signedBytes)
  assert.deepEqual(decodeEvent(bytesOf(vector.signedBytes)).envelope, envelope)
})

test('a signature holds for its network and its bytes only', async () => {
  const event = decodeEvent(bytesOf(vector.signedBytes))
  assert.equal(await verifyEvent(event, genesisDigest), true)
  assert.equal(verifyEventSync(event, new Uint8Array(32)), false)
  const other = signEvent({ ...envelope, logicalClock: 8 }, key, genesisDigest)
  assert.equal(verifyEventSync({ ...other, signature: event.signature }, genesisDigest), false)
})

test('one byte changed anywhere makes it invalid or unsigned', () => {
  for (let place = 0; place < vector.signedBytes.length / 2; place++) {
    const bytes = bytesOf(vector.signedBytes)
    bytes[place]! ^= 1
    try {
      assert.equal(verifyEventSync(decodeEvent(bytes), genesisDigest), false)
    } catch (error) {
      assert.ok(isInvalid(error))
    }
  }
})

const refused: Record<string, object> = {
  'a field too many': { ...fields, more: 1 },
  'a field too few': { ...fields, region: undefined },
  'a clock that is no natural number': { ...fields, logicalClock: 1.5 },
  'a clock below zero': { ...fields, logicalClock: -1 },
  'a clock as text': { ...fields, logicalClock: '1' },
  'a time beyond exact numbers': { ...fields, createdAt: 2n ** 60n },
  'a type in capitals': { ...fields, type: 'Note' },
  'a type that is too long': { ...fields, type: 'n'.repeat(33) },
  'no type': { ...fields, type: '' },
  'a text that is too long': { ...fields, tenantId: 'x'.repeat(65) },
  'a text that is none': { ...fields, origin: 5 },
  'a payload that is text': { ...fields, payload: 'hello' },
  'an author of another length': { ...fields, author: new Uint8Array(32) }
}

for (const [name, bad] of Object.entries(refused)) {
  test(`an event is refused for ${name}`, () => {
    const defined = Object.fromEntries(Object.entries(bad).filter(([, value]) => value !== undefined))
    assert.throws(() => decodeEvent(signed(defined)), isInvalid)
  })
}

test('the largest payload is an event, one byte more is none', () => {
  const largest = signEvent({ ...envelope, payload: new Uint8Array(eventLimits.payloadBytesMax) }, key, genesisDigest)
  assert.equal(decodeEvent(largest.bytes).digest, largest.digest)
  const larger = { ...envelope, payload: new Uint8Array(eventLimits.payloadBytesMax + 1) }
  assert.throws(() => decodeEvent(signEvent(larger, key, genesisDigest).bytes), isInvalid)
})

test('another encoding of an envelope is no event: the id is the CID of its one encoding', () => {
  // The same eight fields with `type` before `origin`, and with the clock 7 written in two bytes.
  const bytes = Buffer.from(vector.envelopeBytes, 'hex')
  const head = bytes.subarray(0, 1)
  const type = Buffer.concat([encodeCanonical('type'), encodeCanonical('note')])
  const at = bytes.indexOf(type)
  const swapped = Buffer.concat([head, bytes.subarray(1, at), bytes.subarray(at + type.length), type])
  assert.equal(swapped.length, bytes.length)
  assert.throws(() => decodeEvent(concatBytes(new Uint8Array(64), swapped)), isInvalid)
  const clock = Buffer.concat([encodeCanonical('logicalClock'), Buffer.of(7)])
  const place = bytes.indexOf(clock) + clock.length - 1
  const longer = Buffer.concat([bytes.subarray(0, place), Buffer.of(0x18, 7), bytes.subarray(place + 1)])
  assert.throws(() => decodeEvent(concatBytes(new Uint8Array(64), longer)), isInvalid)
})

test('text that is no UTF-8 makes no event', () => {
  const bytes = Buffer.from(vector.signedBytes, 'hex')
  bytes[bytes.indexOf('eu-west')] = 0xff
  assert.throws(() => decodeEvent(bytes), isInvalid)
})

test('whatever bytes come, the decoder answers or refuses by name', () => {
  refusesOnlyByName(decodeEvent, [bytesOf(vector.signedBytes)], 'EVENT_INVALID', 3000)
  for (const open of ['81', 'a16161'])
    assert.throws(() => decodeEvent(bytesOf(`${'00'.repeat(64)}${open.repeat(20_000)}00`)), isInvalid)
})
