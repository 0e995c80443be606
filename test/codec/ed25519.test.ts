import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ED25519_TORSION_SUBGROUP, ed25519 } from '@noble/curves/ed25519.js'
import fc from 'fast-check'
import {
  bytesToHex,
  concatBytes,
  generateSigningKey,
  hasFormOfPublicKey,
  hexToBytes,
  importSigningKey,
  publicKeyFromText,
  publicKeyToText,
  signatureAcceptable,
  verifySignature,
  verifySignatureSync
} from '../../src/codec/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'

const { Point } = ed25519
const order = Point.Fn.ORDER
const prime = Point.Fp.ORDER
const vectors = JSON.parse(readFileSync(new URL('../vectors/signatures.json', import.meta.url), 'utf8')).ed25519
const secret = hexToBytes(vectors[1].secret)!
const message = new TextEncoder().encode('a message')
const key = importSigningKey('ed25519', secret)
const good = key.sign(message)

const prefixed = (raw: Uint8Array) => concatBytes(Uint8Array.of(0xed, 1), raw)
const littleEndian = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
const bytesOf = (value: bigint) => new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse())
const refuses = async (publicKey: Uint8Array, signature: Uint8Array, text = message) => {
  assert.equal(verifySignatureSync(publicKey, text, signature), false)
  assert.equal(await verifySignature(publicKey, text, signature), false)
}

test('keys and signatures have the committed bytes', async () => {
  for (const vector of vectors) {
    const one = importSigningKey('ed25519', hexToBytes(vector.secret)!)
    const text = hexToBytes(vector.message)!
    assert.equal(bytesToHex(one.publicKey), vector.publicKey)
    assert.equal(publicKeyToText(one.publicKey), vector.publicKeyText)
    assert.deepEqual(publicKeyFromText(vector.publicKeyText), one.publicKey)
    assert.equal(bytesToHex(one.sign(text)), vector.signature)
    assert.equal(await verifySignature(one.publicKey, text, hexToBytes(vector.signature)!), true)
    assert.equal(bytesToHex(one.exportSecret()), vector.secret)
  }
})

test('a second library makes the same keys and signatures, and agrees on damaged ones', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array(), fc.nat(511), (seed, text, bit) => {
      const one = importSigningKey('ed25519', seed)
      const signature = one.sign(text)
      assert.deepEqual(one.publicKey.subarray(2), ed25519.getPublicKey(seed))
      assert.deepEqual(signature, ed25519.sign(text, seed))
      assert.equal(verifySignatureSync(one.publicKey, text, signature), true)
      signature[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(verifySignatureSync(one.publicKey, text, signature), false)
      assert.equal(
        ed25519.verify(signature, text, seed.length === 32 ? one.publicKey.subarray(2) : seed, { zip215: false }),
        false
      )
    }),
    { numRuns: 40 }
  )
})

test('S is below the group order: S + L is refused', async () => {
  const s = littleEndian(good.subarray(32))
  for (const more of [order, 2n * order, 8n * order])
    await refuses(key.publicKey, concatBytes(good.subarray(0, 32), bytesOf(s + more)))
})

test('keys of small order are refused, in every encoding', async () => {
  const everything = new Uint8Array(64)
  everything[0] = 1
  assert.equal(ED25519_TORSION_SUBGROUP.length, 8)
  for (const hex of ED25519_TORSION_SUBGROUP) {
    const raw = hexToBytes(hex)!
    for (const sign of [0, 0x80]) {
      const encoded = Uint8Array.from(raw)
      encoded[31] = (encoded[31]! & 0x7f) | sign
      await refuses(prefixed(encoded), everything)
      assert.throws(
        () => publicKeyFromText(publicKeyToText(prefixed(encoded))),
        error => isBlyanError(error, 'KEY_INVALID')
      )
    }
  }
})

test('keys that are not written canonically are refused', async () => {
  for (let more = 0n; more < 19n; more++) {
    for (const sign of [0, 0x80]) {
      const encoded = bytesOf(prime + more)
      encoded[31] = encoded[31]! | sign
      await refuses(prefixed(encoded), good)
      assert.throws(
        () => publicKeyFromText(publicKeyToText(prefixed(encoded))),
        error => isBlyanError(error, 'KEY_INVALID')
      )
    }
  }
})

test('a key with a part of small order is held to the equation without cofactor', () => {
  // What verifiers with a cofactor accept and others do not: the rule must be one for the whole network.
  const torsion = Point.fromHex(
    ED25519_TORSION_SUBGROUP.find(hex => Point.fromHex(hex).multiplyUnsafe(4n).is0() === false)!
  )
  const scalar = 123456789n
  const mixed = Point.BASE.multiply(scalar).add(torsion).toBytes()
  const verdicts = new Set<string>()
  for (let nonce = 1n; nonce <= 24n; nonce++) {
    const r = Point.BASE.multiply(nonce).toBytes()
    const k = littleEndian(createHash('sha512').update(r).update(mixed).update(message).digest()) % order
    const signature = concatBytes(r, bytesOf((nonce + k * scalar) % order))
    const accepted = verifySignatureSync(prefixed(mixed), message, signature)
    assert.equal(accepted, k % 8n === 0n)
    verdicts.add(String(accepted))
    assert.equal(ed25519.verify(signature, message, mixed, { zip215: true }), true)
  }
  assert.ok(verdicts.has('false'))
})

test('R of small order is refused, though OpenSSL 3.0 takes it and 3.5 does not', async () => {
  const { scalar } = ed25519.utils.getExtendedPublicKey(secret)
  for (const r of [bytesOf(1n), bytesOf(prime + 1n)]) {
    const k =
      littleEndian(createHash('sha512').update(r).update(key.publicKey.subarray(2)).update(message).digest()) % order
    const signature = concatBytes(r, bytesOf((k * scalar) % order))
    assert.equal(ed25519.verify(signature, message, key.publicKey.subarray(2), { zip215: true }), true)
    assert.equal(signatureAcceptable(key.publicKey, signature), r[0] !== 1)
    await refuses(key.publicKey, signature)
  }
})

test('what is cut, longer or of another kind is refused, never thrown', async () => {
  for (const length of [0, 1, 32, 63]) await refuses(key.publicKey, good.subarray(0, length))
  await refuses(key.publicKey, concatBytes(good, Uint8Array.of(0)))
  for (const length of [0, 1, 2, 33]) await refuses(key.publicKey.subarray(0, length), good)
  await refuses(concatBytes(key.publicKey, Uint8Array.of(0)), good)
  await refuses(concatBytes(Uint8Array.of(0xe7, 1), key.publicKey.subarray(2)), good)
  await refuses(key.publicKey, good, new Uint8Array(0))
})

test('texts that are no public key are refused by name', () => {
  for (const text of [
    '',
    'z',
    'zz',
    'x6Mk',
    vectors[0].publicKeyText.slice(0, -1),
    `${vectors[0].publicKeyText}1`,
    `m${vectors[0].publicKeyText}`
  ])
    assert.throws(
      () => publicKeyFromText(text),
      error => isBlyanError(error, 'KEY_INVALID'),
      text
    )
})

test('a secret of another length is no key', () => {
  for (const length of [0, 31, 33, 64])
    assert.throws(
      () => importSigningKey('ed25519', new Uint8Array(length)),
      error => isBlyanError(error, 'KEY_INVALID')
    )
})

test('a text has the form of a key by its letters, prefix and length, whether or not it is a point', () => {
  const key = generateSigningKey()
  const text = publicKeyToText(key.publicKey)
  assert.equal(hasFormOfPublicKey(text), true)
  const noPoint = publicKeyToText(Uint8Array.of(0xed, 1, 2, ...new Uint8Array(31)))
  assert.throws(() => publicKeyFromText(noPoint), { code: 'KEY_INVALID' })
  assert.equal(hasFormOfPublicKey(noPoint), true)
  const wrong = [
    '',
    'z',
    'bob',
    text.slice(1),
    `${text}1`,
    text.slice(0, -1),
    `${text.slice(0, -1)}0`,
    'z'.repeat(5000)
  ]
  for (const one of wrong) for (const _ of [1, 2]) assert.equal(hasFormOfPublicKey(one), false, one.slice(0, 60))
  assert.equal(hasFormOfPublicKey(publicKeyToText(Uint8Array.of(0xee, 1, ...key.publicKey.subarray(2)))), false)
  assert.equal(hasFormOfPublicKey(publicKeyToText(Uint8Array.of(0xe7, 1, 4, ...new Uint8Array(32)))), false)
  assert.equal(hasFormOfPublicKey(publicKeyToText(generateSigningKey('secp256k1').publicKey)), true)
})
