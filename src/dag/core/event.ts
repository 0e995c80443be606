import {
  bytesToHex,
  type CID,
  cidOfDigest,
  concatBytes,
  decodeCanonical,
  encodeCanonical,
  type SigningKey,
  sha256,
  verifySignature,
  verifySignatureSync
} from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'

/**
 * The signed envelope that a participant submits. Its id is the CID of the unsigned envelope, its `hash` the SHA-256 in
 * that CID: it covers payload and metadata alike (seed 000, "Event Envelope").
 */
export type EventEnvelope = {
  readonly tenantId: string
  /** 1, 2, 3, ... for each author: gaps are not executed, replays are dropped. */
  readonly logicalClock: number
  readonly region: string
  readonly origin: string
  readonly createdAtMs: number
  readonly type: string
  readonly payload: Uint8Array
  /** Public key of the account, with its multicodec prefix. */
  readonly author: Uint8Array
}

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
  let value: unknown
  try {
    // Canonical or nothing: what one library reads leniently another would refuse, and vertices hang on the answer.
    value = decodeCanonical(envelopeBytes, { sizeBytesMax })
  } catch (error) {
    throw invalid('not canonical DAG-CBOR', error)
  }
  return {
    envelope: envelopeOf(value),
    digest: bytesToHex(sha256(envelopeBytes)),
    signature: bytes.subarray(0, signatureBytes),
    bytes
  }
}

export function eventId(digest: Uint8Array): CID {
  return cidOfDigest(digest)
}

export function verifyEvent(event: SignedEvent, genesisDigest: Uint8Array): Promise<boolean> {
  return verifySignature(event.envelope.author, signingBytesOf(event, genesisDigest), event.signature)
}

export function verifyEventSync(event: SignedEvent, genesisDigest: Uint8Array): boolean {
  return verifySignatureSync(event.envelope.author, signingBytesOf(event, genesisDigest), event.signature)
}

function signingBytesOf(event: SignedEvent, genesisDigest: Uint8Array): Uint8Array {
  return eventSigningBytes(genesisDigest, Buffer.from(event.digest, 'hex'))
}

function envelopeOf(value: unknown): EventEnvelope {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('not a map')
  const fields = value as Record<string, unknown>
  if (Object.keys(fields).length !== 8) throw invalid('number of fields')
  const { tenantId, logicalClock, region, origin, createdAt, type, payload, author } = fields
  for (const text of [tenantId, region, origin])
    if (typeof text !== 'string' || text.length > eventLimits.textBytesMax) throw invalid('text field')
  if (typeof type !== 'string' || !typePattern.test(type)) throw invalid('type')
  for (const number of [logicalClock, createdAt])
    if (!Number.isSafeInteger(number) || (number as number) < 0) throw invalid('number field')
  if (!(payload instanceof Uint8Array) || payload.length > eventLimits.payloadBytesMax) throw invalid('payload')
  if (!(author instanceof Uint8Array) || (author.length !== 34 && author.length !== 35)) throw invalid('author')
  return {
    tenantId: tenantId as string,
    logicalClock: logicalClock as number,
    region: region as string,
    origin: origin as string,
    createdAtMs: createdAt as number,
    type,
    payload,
    author
  }
}

function invalid(reason: string, cause?: unknown): BlyanError {
  return new BlyanError('EVENT_INVALID', { reason }, { cause })
}
