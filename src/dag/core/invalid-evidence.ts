import {
  bytesToHex,
  type CanonicalValue,
  compareBytes,
  decodeCanonical,
  encodeCanonical,
  sha256,
  verifySignatureSync
} from '../../codec/index.ts'
import {
  type Committee,
  type ConsensusParameters,
  decodeHeader,
  eventsOfBody,
  staticFault,
  type VertexHeader,
  vertexSigningBytes
} from '../../consensus/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { type Checkpoint, checkpointDigest, checkpointSigningBytes, decodeCheckpoint } from './checkpoint.ts'
import { decodeEvent, eventLimits, verifyEventSync } from './event.ts'

/** Bytes and the signature of the accused below them. */
export type SignedBytes = { readonly bytes: Uint8Array; readonly signature: Uint8Array }

/**
 * Proof that a validator signed what breaks the rules, for anybody to check from its bytes alone. A vertex whose body is
 * not the one its header names proves nothing, nor does one with a wrong signature: both can be made by others.
 */
export type InvalidEvidence =
  /** A header that no rule allows, or with a vote that its author did not sign. */
  | { readonly kind: 'header'; readonly header: SignedBytes }
  /** The body that a header names: the event at `place` is wrong, or (null) the body as a whole. */
  | { readonly kind: 'body'; readonly header: SignedBytes; readonly body: Uint8Array; readonly place: number | null }
  /** A header whose vote at `place` is for another checkpoint than the one that was executed. */
  | { readonly kind: 'vote'; readonly header: SignedBytes; readonly place: number }
  /** Two checkpoints for one sequence, both signed by one member of an epoch, the lower digest first. */
  | {
      readonly kind: 'checkpoints'
      readonly epoch: number
      readonly author: number
      readonly first: SignedBytes
      readonly second: SignedBytes
    }

/** What the evidence is about, read from it without knowing any key. */
export type Accused = { readonly epoch: number; readonly author: number; readonly round: number | null }

export type InvalidityRules = {
  readonly genesisDigest: Uint8Array
  readonly committee: Committee
  readonly parameters: ConsensusParameters
  /** Digest of the checkpoint that was executed at a sequence, where it is still known. */
  readonly executedDigest: (sequence: number) => string | undefined
}

export function encodeInvalidEvidence(evidence: InvalidEvidence): Uint8Array {
  const pair = ({ bytes, signature }: SignedBytes): CanonicalValue => [bytes, signature]
  if (evidence.kind === 'checkpoints') {
    const { kind, epoch, author } = evidence
    const [first, second] = [evidence.first, evidence.second].sort((a, b) =>
      compareBytes(sha256(a.bytes), sha256(b.bytes))
    )
    return encodeCanonical({ kind, epoch, author, first: pair(first!), second: pair(second!) })
  }
  return encodeCanonical({ ...evidence, header: pair(evidence.header) })
}

/** Throws EVIDENCE_INVALID naming the part. */
export function readInvalidEvidence(payload: Uint8Array): InvalidEvidence {
  const fields = mapOf(payload)
  const has = (...names: string[]): boolean =>
    Object.keys(fields).length === names.length + 1 && names.every(name => name in fields)
  const { kind } = fields
  if (kind === 'header' && has('header')) return { kind, header: signedBytes(fields, 'header') }
  if (kind === 'body' && has('header', 'body', 'place')) {
    const { body, place } = fields
    if (!(body instanceof Uint8Array)) throw invalid('body is not bytes')
    return { kind, header: signedBytes(fields, 'header'), body, place: place === null ? null : natural(place, 'place') }
  }
  if (kind === 'vote' && has('header', 'place'))
    return { kind, header: signedBytes(fields, 'header'), place: natural(fields.place, 'place') }
  if (kind === 'checkpoints' && has('epoch', 'author', 'first', 'second'))
    return {
      kind,
      epoch: natural(fields.epoch, 'epoch'),
      author: natural(fields.author, 'author'),
      first: signedBytes(fields, 'first'),
      second: signedBytes(fields, 'second')
    }
  throw invalid('it is none of the kinds header, body, vote and checkpoints, with their fields and no other')
}

/** Throws EVIDENCE_INVALID when the header does not decode. */
export function accusedOf(evidence: InvalidEvidence): Accused {
  if (evidence.kind === 'checkpoints') return { epoch: evidence.epoch, author: evidence.author, round: null }
  const { epoch, author, round } = headerOf(evidence.header)
  return { epoch, author, round }
}

/**
 * The fault that the evidence proves, in words. The committee is that of the epoch of the accused, who is in it. Throws
 * EVIDENCE_KEY_WRONG when somebody else signed, EVIDENCE_NO_FAULT when no rule is broken, EVIDENCE_INVALID.
 */
export function faultProven(evidence: InvalidEvidence, rules: InvalidityRules): string {
  const { genesisDigest, committee } = rules
  const { publicKey } = committee.validators[accusedOf(evidence).author]!
  if (evidence.kind === 'checkpoints') return twoCheckpoints(evidence, publicKey, genesisDigest)
  const { bytes, signature } = evidence.header
  if (!verifySignatureSync(publicKey, vertexSigningBytes(genesisDigest, digestOf(bytes)), signature))
    throw new BlyanError('EVIDENCE_KEY_WRONG', { part: 'header' })
  const header = headerOf(evidence.header)
  const fault =
    evidence.kind === 'header'
      ? faultOfHeader(header, bytes, publicKey, rules)
      : evidence.kind === 'body'
        ? faultOfBody(header, evidence, rules)
        : faultOfVote(header, evidence.place, publicKey, rules)
  if (fault === undefined) throw new BlyanError('EVIDENCE_NO_FAULT', { kind: evidence.kind })
  return fault
}

function faultOfHeader(
  header: VertexHeader,
  headerBytes: Uint8Array,
  publicKey: Uint8Array,
  { committee, parameters, genesisDigest }: InvalidityRules
): string | undefined {
  const none = new Uint8Array(0)
  const vertex = { digest: digestOf(headerBytes), header, headerBytes, signature: none, body: none }
  const fault = staticFault(vertex, committee, parameters)
  if (fault !== undefined) return fault
  const isForged = header.votes.some(
    vote => !verifySignatureSync(publicKey, checkpointSigningBytes(genesisDigest, vote.digest), vote.signature)
  )
  return isForged ? 'vote signature' : undefined
}

function faultOfBody(
  header: VertexHeader,
  { body, place }: Extract<InvalidEvidence, { kind: 'body' }>,
  { genesisDigest }: InvalidityRules
): string | undefined {
  if (digestOf(body) !== header.bodyDigest) throw invalid('the body is not the one that the header names')
  const events = eventBytes(body)
  if (place === null) {
    if (events === undefined) return 'body whose lengths do not add up'
    return events.length === header.eventCount ? undefined : 'number of events'
  }
  const bytes = events?.[place]
  if (bytes === undefined) throw invalid(`the body has no event ${place}`)
  return faultOfEvent(bytes, genesisDigest)
}

/** The first place at which a body is wrong: null for the body as a whole, undefined when nothing is wrong with it. */
export function faultyPlace(
  header: VertexHeader,
  body: Uint8Array,
  genesisDigest: Uint8Array
): number | null | undefined {
  const events = eventBytes(body)
  if (events === undefined || events.length !== header.eventCount) return null
  const place = events.findIndex(bytes => faultOfEvent(bytes, genesisDigest) !== undefined)
  return place < 0 ? undefined : place
}

function faultOfEvent(bytes: Uint8Array, genesisDigest: Uint8Array): string | undefined {
  try {
    return verifyEventSync(decodeEvent(bytes), genesisDigest) ? undefined : 'event with a wrong signature'
  } catch {
    return 'event that does not decode'
  }
}

function faultOfVote(
  header: VertexHeader,
  place: number,
  publicKey: Uint8Array,
  { genesisDigest, executedDigest }: InvalidityRules
): string | undefined {
  const vote = header.votes[place]
  if (vote === undefined) throw invalid(`the header has no vote ${place}`)
  const message = checkpointSigningBytes(genesisDigest, vote.digest)
  if (!verifySignatureSync(publicKey, message, vote.signature))
    throw new BlyanError('EVIDENCE_KEY_WRONG', { part: 'vote' })
  const executed = executedDigest(vote.sequence)
  if (executed === undefined) throw new BlyanError('EVIDENCE_CHECKPOINT_UNKNOWN', { sequence: vote.sequence })
  return executed === vote.digest ? undefined : `vote for another checkpoint ${vote.sequence}`
}

function twoCheckpoints(
  { first, second }: Extract<InvalidEvidence, { kind: 'checkpoints' }>,
  publicKey: Uint8Array,
  genesisDigest: Uint8Array
): string {
  if (compareBytes(sha256(first.bytes), sha256(second.bytes)) >= 0)
    throw invalid('the checkpoint with the lower digest does not come first, or both are the same')
  const [one, other] = [checkpointOf(first.bytes), checkpointOf(second.bytes)]
  if (one.sequence !== other.sequence) throw new BlyanError('EVIDENCE_NO_FAULT', { kind: 'checkpoints' })
  for (const [part, { bytes, signature }] of Object.entries({ first, second })) {
    const message = checkpointSigningBytes(genesisDigest, checkpointDigest(bytes))
    if (!verifySignatureSync(publicKey, message, signature)) throw new BlyanError('EVIDENCE_KEY_WRONG', { part })
  }
  return `two checkpoints ${one.sequence}`
}

function eventBytes(body: Uint8Array): Uint8Array[] | undefined {
  try {
    return eventsOfBody(body)
  } catch {
    return undefined
  }
}

function headerOf({ bytes }: SignedBytes): VertexHeader {
  try {
    return decodeHeader(bytes)
  } catch (error) {
    throw invalid('the header does not decode', error)
  }
}

function checkpointOf(bytes: Uint8Array): Checkpoint {
  try {
    return decodeCheckpoint(bytes)
  } catch (error) {
    throw invalid('a checkpoint does not decode', error)
  }
}

function digestOf(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes))
}

function signedBytes(fields: Readonly<Record<string, unknown>>, name: string): SignedBytes {
  const value = fields[name]
  const [bytes, signature] = Array.isArray(value) && value.length === 2 ? value : []
  if (!(bytes instanceof Uint8Array) || !(signature instanceof Uint8Array) || signature.length !== 64)
    throw invalid(`${name} is not bytes and a signature`)
  return { bytes, signature }
}

function natural(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw invalid(`${name} is not a number`)
  return value as number
}

function mapOf(payload: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = decodeCanonical(payload, { sizeBytesMax: eventLimits.payloadBytesMax })
  } catch (error) {
    throw invalid('it is not canonical DAG-CBOR', error)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
    throw invalid('it is not a map')
  return value as Readonly<Record<string, unknown>>
}

function invalid(part: string, cause?: unknown): BlyanError {
  return new BlyanError('EVIDENCE_INVALID', { part }, { cause })
}
