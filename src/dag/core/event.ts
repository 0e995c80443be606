import {
  bytesToHex,
  type CID,
  cidOfDigest,
  concatBytes,
  decodeCanonical,
  encodeCanonical,
  type SignatureCheck,
  type SigningKey,
  sha256,
  sha256Hex,
  verifySignature,
  verifySignatureSync
} from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { readPlainEnvelope } from './envelope-reader.ts'
import type { EventEnvelope } from './event-envelope.ts'

export type { EventEnvelope }

export type SignedEvent = {
  readonly envelope: EventEnvelope
  /** SHA-256 of the envelope bytes, hex. */
  readonly digest: string
  readonly signature: Uint8Array
  /** 64-byte signature, then the envelope: what travels and is stored. */
  readonly bytes: Uint8Array
}

export const eventLimits = Object.freeze({
  payloadBytesMax: 64 * 1024,
  textBytesMax: 64,
  typeBytesMax: 32,
  envelopeOverheadBytesMax: 512
})
const signatureBytes = 64
const domain = new TextEncoder().encode('blyan/event/1')
const typePattern = /^[a-z][a-z0-9-]{0,31}$/

export function encodeEnvelope(envelope: EventEnvelope): Uint8Array {
  return encodeCanonical({
    tenantId: envelope.tenantId,
    logicalClock: envelope.logicalClock,
    region: envelope.region,
    origin: envelope.origin,
    createdAt: envelope.createdAtMs,
    type: envelope.type,
    payload: envelope.payload,
    author: envelope.author
  })
}

/** Bytes that the author signs: no other network, and nothing but an event, can reuse the signature. */
export function eventSigningBytes(genesisDigest: Uint8Array, digest: Uint8Array): Uint8Array {
  return concatBytes(domain, genesisDigest, digest)
}

export function signEvent(envelope: EventEnvelope, key: SigningKey, genesisDigest: Uint8Array): SignedEvent {
  const bytes = encodeEnvelope(envelope)
  const digest = sha256(bytes)
  const signature = key.sign(eventSigningBytes(genesisDigest, digest))
  return { envelope, digest: bytesToHex(digest), signature, bytes: concatBytes(signature, bytes) }
}

/** Reads a signed event; the signature is for the caller to check. Parts are views of `bytes`. Throws EVENT_INVALID. */
export function decodeEvent(bytes: Uint8Array): SignedEvent {
  const sizeBytesMax = signatureBytes + eventLimits.payloadBytesMax + eventLimits.envelopeOverheadBytesMax
  if (bytes.length <= signatureBytes || bytes.length > sizeBytesMax) throw invalid('size')
  const envelopeBytes = bytes.subarray(signatureBytes)
  const envelope = checkedEnvelope(readPlainEnvelope(envelopeBytes) ?? readAnyEnvelope(envelopeBytes))
  return { envelope, digest: sha256Hex(envelopeBytes), signature: bytes.subarray(0, signatureBytes), bytes }
}

export function eventId(digest: Uint8Array): CID {
  return cidOfDigest(digest)
}

export function verifyEvent(event: SignedEvent, genesisDigest: Uint8Array): Promise<boolean> {
  const { publicKey, message, signature } = signatureCheckOf(event, genesisDigest)
  return verifySignature(publicKey, message, signature)
}

export function verifyEventSync(event: SignedEvent, genesisDigest: Uint8Array): boolean {
  const { publicKey, message, signature } = signatureCheckOf(event, genesisDigest)
  return verifySignatureSync(publicKey, message, signature)
}

/** What has to be verified of an event. */
export function signatureCheckOf(event: SignedEvent, genesisDigest: Uint8Array): SignatureCheck {
  const message = eventSigningBytes(genesisDigest, Buffer.from(event.digest, 'hex'))
  return { publicKey: event.envelope.author, message, signature: event.signature }
}

/** Canonical or nothing: what one library reads leniently another would refuse, and vertices hang on the answer. */
function readAnyEnvelope(bytes: Uint8Array): Unchecked<EventEnvelope> {
  let value: unknown
  try {
    value = decodeCanonical(bytes, { sizeBytesMax: bytes.length })
  } catch (error) {
    throw invalid('not canonical DAG-CBOR', error)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('not a map')
  const fields = value as Record<string, unknown>
  if (Object.keys(fields).length !== 8) throw invalid('number of fields')
  const { tenantId, logicalClock, region, origin, createdAt, type, payload, author } = fields
  return { tenantId, logicalClock, region, origin, createdAtMs: createdAt, type, payload, author }
}

type Unchecked<T> = { readonly [K in keyof T]: unknown }

function checkedEnvelope(envelope: Unchecked<EventEnvelope>): EventEnvelope {
  const { tenantId, logicalClock, region, origin, createdAtMs, type, payload, author } = envelope
  if (!isText(tenantId) || !isText(region) || !isText(origin)) throw invalid('text field')
  if (typeof type !== 'string' || !typePattern.test(type)) throw invalid('type')
  if (!isNatural(logicalClock) || !isNatural(createdAtMs)) throw invalid('number field')
  if (!(payload instanceof Uint8Array) || payload.length > eventLimits.payloadBytesMax) throw invalid('payload')
  if (!(author instanceof Uint8Array) || (author.length !== 34 && author.length !== 35)) throw invalid('author')
  return envelope as EventEnvelope
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= eventLimits.textBytesMax
}

function isNatural(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function invalid(reason: string, cause?: unknown): BlyanError {
  return new BlyanError('EVENT_INVALID', { reason }, { cause })
}
