import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import fc from 'fast-check'
import {
  bytesToHex,
  concatBytes,
  generateSigningKey,
  hexToBytes,
  importSigningKey,
  publicKeyFromText,
  publicKeyToText,
  verifySignature,
  verifySignatureSync
} from '../../src/codec/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'

const order = secp256k1.Point.Fn.ORDER
const vectors = JSON.parse(readFileSync(new URL('../vectors/signatures.json', import.meta.url), 'utf8')).secp256k1
const message = new TextEncoder().encode('a message')
const key = importSigningKey('secp256k1', hexToBytes(vectors[0].secret)!)
const bytesOf = (value: bigint) => new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'))
const bigEndian = (bytes: Uint8Array) => BigInt(`0x${bytesToHex(bytes)}`)
const isKeyInvalid = (error: unknown) => isBlyanError(error, 'KEY_INVALID')

test('keys have the committed bytes, and committed signatures verify', async () => {
  for (const vector of vectors) {
    const one = importSigningKey('secp256k1', hexToBytes(vector.secret)!)
    assert.equal(bytesToHex(one.publicKey), vector.publicKey)
    assert.equal(publicKeyToText(one.publicKey), vector.publicKeyText)
    assert.equal(bytesToHex(one.exportSecret()), vector.secret)
    assert.equal(await verifySignature(one.publicKey, hexToBytes(vector.message)!, hexToBytes(vector.signature)!), true)
  }
})

test('a second library accepts what we sign, S always in the lower half', () => {
  for (let i = 0; i < 24; i++) {
    const one = generateSigningKey('secp256k1')
    const signature = one.sign(message)
    assert.equal(signature.length, 64)
    assert.ok(bigEndian(signature.subarray(32)) <= order >> 1n)
    assert.equal(secp256k1.verify(signature, message, one.publicKey.subarray(2)), true)
    assert.equal(verifySignatureSync(one.publicKey, message, signature), true)
  }
})

test('we accept what a second library signs, and not when a bit is turned', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), fc.uint8Array(), fc.nat(511), (scalar, text, bit) => {
      const secret = bytesOf(BigInt(scalar))
      const publicKey = concatBytes(Uint8Array.of(0xe7, 1), secp256k1.getPublicKey(secret, true))
      const signature = Uint8Array.from(secp256k1.sign(text, secret))
      assert.equal(verifySignatureSync(publicKey, text, signature), true)
      signature[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(verifySignatureSync(publicKey, text, signature), false)
    }),
    { numRuns: 30 }
  )
})

test('the other half of S is refused', () => {
  const signature = key.sign(message)
  const high = concatBytes(signature.subarray(0, 32), bytesOf(order - bigEndian(signature.subarray(32))))
  assert.equal(secp256k1.verify(high, message, key.publicKey.subarray(2), { lowS: false }), true)
  assert.equal(verifySignatureSync(key.publicKey, message, high), false)
})

test('zero and numbers beyond the order are refused in both halves', () => {
  const signature = key.sign(message)
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32)]
  for (const bad of [0n, order, order + 1n, 2n ** 256n - 1n]) {
    assert.equal(verifySignatureSync(key.publicKey, message, concatBytes(bytesOf(bad), s)), false)
    assert.equal(verifySignatureSync(key.publicKey, message, concatBytes(r, bytesOf(bad))), false)
  }
})

test('only compressed keys on the curve are keys', () => {
  const raw = key.publicKey.subarray(2)
  const prefix = Uint8Array.of(0xe7, 1)
  const offCurve = Uint8Array.from(raw)
  offCurve.set(bytesOf(5n), 1)
  const bad = [
    concatBytes(prefix, secp256k1.getPublicKey(hexToBytes(vectors[0].secret)!, false)),
    concatBytes(prefix, Uint8Array.of(4), raw.subarray(1)),
    concatBytes(prefix, Uint8Array.of(6), raw.subarray(1)),
    concatBytes(prefix, Uint8Array.of(2), new Uint8Array(32).fill(255)),
    concatBytes(prefix, offCurve),
    concatBytes(prefix, Uint8Array.of(0)),
    concatBytes(prefix, raw.subarray(0, 32))
  ]
  for (const publicKey of bad) {
    assert.throws(() => publicKeyFromText(publicKeyToText(publicKey)), isKeyInvalid, bytesToHex(publicKey))
    assert.equal(verifySignatureSync(publicKey, message, key.sign(message)), false)
  }
})

test('zero and the order are no secrets', () => {
  for (const bad of [0n, order, 2n ** 256n - 1n])
    assert.throws(() => importSigningKey('secp256k1', bytesOf(bad)), isKeyInvalid, String(bad))
  for (const length of [0, 31, 33])
    assert.throws(() => importSigningKey('secp256k1', new Uint8Array(length)), isKeyInvalid)
})
