import { Buffer } from 'node:buffer'
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { base58btc } from 'multiformats/bases/base58'
import { BlyanError } from '../errors/index.ts'
import { bytesEqual, compareBytes, concatBytes } from './bytes.ts'

/**
 * Signatures of this network: Ed25519 for nodes and validators, Ed25519 or secp256k1 for accounts.
 *
 * A public key is its multicodec prefix and its bytes (34 bytes for Ed25519, 35 for compressed secp256k1).
 * One acceptance rule holds for every build (docs/protocol.md, "Signatures"): Ed25519 without cofactor, S below the
 * group order, R compared as bytes, key canonical, neither R nor key of small order; secp256k1 as 64 bytes with S in the lower half.
 */
export type SignatureScheme = 'ed25519' | 'secp256k1'

/** Multibase base58btc of a prefixed public key, as in did:key: `z6Mk...`. */
export type PublicKeyText = string

export interface SigningKey {
  readonly scheme: SignatureScheme
  /** With its multicodec prefix. */
  readonly publicKey: Uint8Array
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array
  /** 32 bytes: the Ed25519 seed or the secp256k1 scalar. The caller owns the copy. */
  exportSecret(): Uint8Array
}

const prefixes = { ed25519: Uint8Array.of(0xed, 0x01), secp256k1: Uint8Array.of(0xe7, 0x01) } as const
const fieldPrime = 2n ** 255n - 19n
const edwardsD = 37095705934669439343138083508754565189542113879843219016388785533085940283555n
const yMask = 2n ** 255n - 1n
/** The order of the group, 2^252 + 27742317777372353535851937790883648493, in little-endian bytes. */
const ed25519OrderBytes = Buffer.from(`${'edd3f55c1a631258d69cf7a2def9de14'.padEnd(62, '0')}10`, 'hex')
const secp256k1Order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const secp256k1OrderBytes = bigEndian(secp256k1Order)
const secp256k1HalfOrder = bigEndian(secp256k1Order >> 1n)
const signatureBytes = 64
const keyCacheEntriesMax = 8192

/** y coordinates of the points whose order divides 8: keys that would make one signature fit many messages. */
const smallOrderY: readonly bigint[] = [
  0n,
  1n,
  fieldPrime - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n
]

const smallOrderBytes = smallOrderY.map(y => bigEndian(y).reverse())

export function generateSigningKey(scheme: SignatureScheme = 'ed25519'): SigningKey {
  const privateKey =
    scheme === 'ed25519'
      ? generateKeyPairSync('ed25519').privateKey
      : generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey
  return new NodeSigningKey(scheme, privateKey)
}

/** A key from its 32 secret bytes. Throws KEY_INVALID. */
export function importSigningKey(scheme: SignatureScheme, secret: Uint8Array): SigningKey {
  try {
    if (secret.length !== 32) throw new Error('a secret has 32 bytes')
    // OpenSSL takes a scalar beyond the order and makes a key of it that other programs do not.
    if (scheme === 'secp256k1' && compareBytes(secret, secp256k1OrderBytes) >= 0) throw new Error('not below the order')
    const der =
      scheme === 'ed25519'
        ? concatBytes(Buffer.from('302e020100300506032b657004220420', 'hex'), secret)
        : concatBytes(Buffer.from('302e0201010420', 'hex'), secret, Buffer.from('a00706052b8104000a', 'hex'))
    const privateKey = createPrivateKey({
      key: Buffer.from(der),
      format: 'der',
      type: scheme === 'ed25519' ? 'pkcs8' : 'sec1'
    })
    return new NodeSigningKey(scheme, privateKey)
  } catch (error) {
    throw new BlyanError('KEY_INVALID', { reason: 'the secret is not a key of its kind' }, { cause: error })
  }
}

export function publicKeyToText(publicKey: Uint8Array): PublicKeyText {
  const name = cacheName(publicKey)
  const known = textCache.get(name)
  if (known !== undefined) return known
  const text = base58btc.encode(publicKey)
  remember(textCache, name, text)
  return text
}

/** Throws KEY_INVALID for anything that is no acceptable public key. */
export function publicKeyFromText(text: PublicKeyText): Uint8Array {
  let publicKey: Uint8Array
  try {
    publicKey = base58btc.decode(text)
  } catch (error) {
    throw new BlyanError('KEY_INVALID', { reason: 'not base58btc with the letter z before it' }, { cause: error })
  }
  if (keyObjectOf(publicKey) === undefined) throw new BlyanError('KEY_INVALID', { reason: 'not a public key' })
  return publicKey
}

/**
 * Whether a text has the form of a public key. Unlike `publicKeyFromText` it does not look whether the key is a point of
 * its curve: that takes longer than the rest of an event, and half of all mistyped keys are points too.
 */
export function hasFormOfPublicKey(text: string): boolean {
  const known = formCache.get(text)
  if (known !== undefined) return known
  const hasForm = readsAsPublicKey(text)
  if (text.length <= publicKeyTextMax) remember(formCache, text, hasForm)
  return hasForm
}

/** The cheap part of the acceptance rule, with no curve arithmetic. */
export function signatureAcceptable(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== signatureBytes) return false
  return publicKey[0] === prefixes.ed25519[0]
    ? // OpenSSL 3.0 takes an R of small order, 3.5 does not: the rule is ours, not the build's.
      isBelowOrder(signature) && !isOfSmallOrder(signature)
    : compareBytes(signature.subarray(32), secp256k1HalfOrder) <= 0
}

/** True when `signature` is acceptable and correct. Never throws; computes on the thread pool. */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const key = keyObjectOf(publicKey)
  if (key === undefined || !signatureAcceptable(publicKey, signature)) return Promise.resolve(false)
  return new Promise(resolve => {
    verify(algorithmOf(key), message, verifyInput(key), signature, (error, ok) => resolve(error === null && ok))
  })
}

/** The same on the calling thread: for command lines and offline proofs. */
export function verifySignatureSync(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = keyObjectOf(publicKey)
  if (key === undefined || !signatureAcceptable(publicKey, signature)) return false
  return verify(algorithmOf(key), message, verifyInput(key), signature)
}

/** The second half of a signature, S, against the order of the group. */
function isBelowOrder(signature: Uint8Array): boolean {
  for (let place = 31; place >= 0; place--) {
    const difference = signature[32 + place]! - ed25519OrderBytes[place]!
    if (difference !== 0) return difference < 0
  }
  return false
}

/** The first half of a signature, R, against the points of small order: its bytes but for the sign, the last bit. */
function isOfSmallOrder(signature: Uint8Array): boolean {
  return smallOrderBytes.some(point => {
    for (let place = 0; place < 31; place++) if (signature[place] !== point[place]) return false
    return (signature[31]! & 0x7f) === point[31]
  })
}

class NodeSigningKey implements SigningKey {
  readonly scheme: SignatureScheme
  readonly publicKey: Uint8Array
  readonly #privateKey: KeyObject

  constructor(scheme: SignatureScheme, privateKey: KeyObject) {
    this.scheme = scheme
    this.#privateKey = privateKey
    this.publicKey = concatBytes(prefixes[scheme], rawPublicKey(scheme, createPublicKey(privateKey)))
  }

  sign(message: Uint8Array): Uint8Array {
    const signature = new Uint8Array(sign(algorithmOf(this.#privateKey), message, verifyInput(this.#privateKey)))
    return this.scheme === 'secp256k1' ? withLowerS(signature) : signature
  }

  exportSecret(): Uint8Array {
    const jwk = this.#privateKey.export({ format: 'jwk' })
    return new Uint8Array(Buffer.from(jwk.d!, 'base64url'))
  }
}

const keyCache = new Map<string, KeyObject | undefined>()
/** Base 58 costs as much as a few hashes, and the same accounts come again and again. */
const textCache = new Map<string, PublicKeyText>()
const formCache = new Map<string, boolean>()
const publicKeyTextMax = 64

function readsAsPublicKey(text: string): boolean {
  if (text.length > publicKeyTextMax) return false
  try {
    const key = base58btc.decode(text)
    const prefix = key.subarray(0, 2)
    return (
      (key.length === 34 && bytesEqual(prefix, prefixes.ed25519)) ||
      (key.length === 35 && bytesEqual(prefix, prefixes.secp256k1) && (key[2] === 2 || key[2] === 3))
    )
  } catch {
    return false
  }
}

function keyObjectOf(publicKey: Uint8Array): KeyObject | undefined {
  const name = cacheName(publicKey)
  if (keyCache.has(name)) return keyCache.get(name)
  const key = readKeyObject(publicKey)
  remember(keyCache, name, key)
  return key
}

function cacheName(publicKey: Uint8Array): string {
  return Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.byteLength).toString('latin1')
}

function remember<T>(cache: Map<string, T>, name: string, value: T): void {
  if (cache.size >= keyCacheEntriesMax) cache.delete(cache.keys().next().value!)
  cache.set(name, value)
}

function readKeyObject(publicKey: Uint8Array): KeyObject | undefined {
  const raw = publicKey.subarray(2)
  try {
    if (bytesEqual(publicKey.subarray(0, 2), prefixes.ed25519) && raw.length === 32) {
      const y = yOf(raw)
      if (y >= fieldPrime || smallOrderY.includes(y) || !isOnEdwardsCurve(y)) return undefined
      const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') }
      return createPublicKey({ key: jwk, format: 'jwk' })
    }
    if (
      bytesEqual(publicKey.subarray(0, 2), prefixes.secp256k1) &&
      raw.length === 33 &&
      (raw[0] === 2 || raw[0] === 3)
    ) {
      const der = concatBytes(Buffer.from('3036301006072a8648ce3d020106052b8104000a032200', 'hex'), raw)
      return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' })
    }
  } catch {
    // Not a point of the curve.
  }
  return undefined
}

/** Whether some x belongs to this y (RFC 8032, section 5.1.3): OpenSSL takes keys that are no point and fails later. */
function isOnEdwardsCurve(y: bigint): boolean {
  const ySquared = (y * y) % fieldPrime
  const numerator = (ySquared + fieldPrime - 1n) % fieldPrime
  // Never zero: -1/d is no square. So numerator / denominator is a square when their product is.
  const denominator = (edwardsD * ySquared + 1n) % fieldPrime
  const product = (numerator * denominator) % fieldPrime
  return product === 0n || powerModPrime(product, (fieldPrime - 1n) / 2n) === 1n
}

function powerModPrime(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let factor = base % fieldPrime
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * factor) % fieldPrime
    factor = (factor * factor) % fieldPrime
  }
  return result
}

function rawPublicKey(scheme: SignatureScheme, key: KeyObject): Uint8Array {
  const jwk = key.export({ format: 'jwk' })
  const x = Buffer.from(jwk.x!, 'base64url')
  if (scheme === 'ed25519') return x
  const y = Buffer.from(jwk.y!, 'base64url')
  return concatBytes(Uint8Array.of(y[y.length - 1]! % 2 === 0 ? 2 : 3), x)
}

function algorithmOf(key: KeyObject): 'sha256' | undefined {
  return key.asymmetricKeyType === 'ec' ? 'sha256' : undefined
}

function verifyInput(key: KeyObject): { key: KeyObject; dsaEncoding?: 'ieee-p1363' } {
  return key.asymmetricKeyType === 'ec' ? { key, dsaEncoding: 'ieee-p1363' } : { key }
}

function withLowerS(signature: Uint8Array): Uint8Array {
  if (compareBytes(signature.subarray(32), secp256k1HalfOrder) <= 0) return signature
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`)
  return concatBytes(signature.subarray(0, 32), bigEndian(secp256k1Order - s))
}

/** The y coordinate of an encoded point: its top bit is the sign of x. */
function yOf(point: Uint8Array): bigint {
  return littleEndian(point) & yMask
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

function bigEndian(value: bigint): Uint8Array {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'))
}
