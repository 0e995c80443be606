import {
  bytesToHex,
  compareBytes,
  decodeCanonical,
  encodeCanonical,
  hexToBytes,
  sha256,
  verifySignatureSync
} from '../../codec/index.ts'
import { decodeHeader, type Vertex, vertexSigningBytes } from '../../consensus/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { eventLimits } from './event.ts'

/** Proof that one key signed two vertices for one slot: their headers and signatures, nothing of their events. */
export type Evidence = {
  readonly epoch: number
  readonly round: number
  /** Place among the validators of the epoch. */
  readonly author: number
  /** The one with the lower digest first, so that an offence has one payload. */
  readonly first: SignedHeader
  readonly second: SignedHeader
}

export type SignedHeader = {
  readonly digest: string
  readonly headerBytes: Uint8Array
  readonly signature: Uint8Array
}

/** The payload of an `evidence` event for two vertices of one slot, in either order. */
export function encodeEvidence(
  one: Pick<Vertex, 'headerBytes' | 'signature'>,
  other: Pick<Vertex, 'headerBytes' | 'signature'>
): Uint8Array {
  const [first, second] = [one, other].sort((a, b) => compareBytes(sha256(a.headerBytes), sha256(b.headerBytes)))
  return encodeCanonical({
    first: [first!.headerBytes, first!.signature],
    second: [second!.headerBytes, second!.signature]
  })
}

/** Reads what can be seen without knowing the key. Throws EVIDENCE_INVALID naming the part. */
export function readEvidence(payload: Uint8Array): Evidence {
  const value = decoded(payload) as { readonly first?: unknown; readonly second?: unknown } | null
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length !== 2)
    throw invalid('it is not a map of first and second')
  const [first, second] = [headerOf('first', value.first), headerOf('second', value.second)]
  const [a, b] = [first.header, second.header]
  if (a.epoch !== b.epoch || a.round !== b.round || a.author !== b.author)
    throw invalid('the two headers are not of one epoch, round and author')
  if (first.digest === second.digest) throw invalid('the two headers are the same')
  if (compareBytes(hexToBytes(first.digest)!, hexToBytes(second.digest)!) > 0)
    throw invalid('the header with the lower digest does not come first')
  return { epoch: a.epoch, round: a.round, author: a.author, first: first.signed, second: second.signed }
}

/** Whether both headers were signed by this key on this network: anyone can tell. Throws EVIDENCE_INVALID naming the part. */
export function verifyEvidence(genesisDigest: Uint8Array, publicKey: Uint8Array, payload: Uint8Array): Evidence {
  const evidence = readEvidence(payload)
  for (const part of ['first', 'second'] as const) {
    const { digest, signature } = evidence[part]
    if (!verifySignatureSync(publicKey, vertexSigningBytes(genesisDigest, digest), signature))
      throw invalid(`the signature of the ${part} header is not of that validator`)
  }
  return evidence
}

function headerOf(part: string, value: unknown) {
  if (!Array.isArray(value) || value.length !== 2) throw invalid(`${part} is not a header and a signature`)
  const [headerBytes, signature] = value as readonly unknown[]
  if (!(headerBytes instanceof Uint8Array) || !(signature instanceof Uint8Array) || signature.length !== 64)
    throw invalid(`${part} is not a header and a signature`)
  const digest = bytesToHex(sha256(headerBytes))
  try {
    return { header: decodeHeader(headerBytes), digest, signed: { digest, headerBytes, signature } }
  } catch (error) {
    throw invalid(`the ${part} header does not decode`, error)
  }
}

function decoded(payload: Uint8Array): unknown {
  try {
    return decodeCanonical(payload, { sizeBytesMax: eventLimits.payloadBytesMax })
  } catch (error) {
    throw invalid('it is not canonical DAG-CBOR', error)
  }
}

function invalid(part: string, cause?: unknown): BlyanError {
  return new BlyanError('EVIDENCE_INVALID', { part }, { cause })
}
