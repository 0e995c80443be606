import {
  bytesEqual,
  CID,
  concatBytes,
  decodeCanonical,
  encodeCanonical,
  parseCid,
  sha256,
  verifySignatureSync
} from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { rootOfRows } from './row-tree.ts'

/**
 * How a holder says: with these weights, this input gave this output. It is signed with the node key over the network,
 * the gateway that asked, the weights by their CID, input and output by their digests, and the commitment before, so that
 * a holder cannot take an answer back, and nobody can make one up for it.
 * Source: docs/protocol.md, "Commitments to answers".
 */
export type Arithmetic =
  /** Products and sums of fp32 numbers, in any order. */
  | 'float'
  /** Rows rounded as in docs/protocol.md, "What is computed", integer sums: only for weights that are int8. */
  | 'integer'

export const arithmetics: readonly Arithmetic[] = ['float', 'integer']

/** What one expert was given and gave: `rows` x `width` numbers each. */
export type AnsweredLoad = {
  /** CID of the part's TensorBlock. */
  readonly weights: string
  readonly width: number
  readonly input: Float32Array
  readonly output: Float32Array
}

export type CommittedLoad = {
  readonly weights: string
  readonly rows: number
  readonly width: number
  /** Roots of the trees over the rows. */
  readonly input: Uint8Array
  readonly output: Uint8Array
}

export type CommitmentBody = {
  /** SHA-256 of the genesis. */
  readonly network: Uint8Array
  /** Peer id of who asked. */
  readonly gateway: string
  /** Node key of who answered. */
  readonly holder: Uint8Array
  /** Chosen by the holder for one connection: 16 bytes. Within it commitments are numbered from 0. */
  readonly session: Uint8Array
  readonly number: number
  /** SHA-256 of the commitment before in this session; zeros before the first. */
  readonly previous: Uint8Array
  /** Chosen by the gateway for this call. */
  readonly request: string
  readonly layer: number
  readonly arithmetic: Arithmetic
  readonly loads: readonly CommittedLoad[]
}

export type Commitment = { readonly bytes: Uint8Array; readonly digest: Uint8Array }

export const commitmentLimits = Object.freeze({
  commitmentBytesMax: 48 * 1024,
  loadsMax: 256,
  rowsMax: 65_536,
  widthMax: 65_536,
  requestLengthMax: 64,
  gatewayLengthMax: 128,
  sessionBytes: 16
})

const domain = new TextEncoder().encode('blyan/expert-answer/1')
const digestBytes = 32

/** The one encoding of a commitment and its digest. */
export function commitmentOf(body: CommitmentBody): Commitment {
  const bytes = encodeCanonical({
    ...body,
    loads: body.loads.map(({ weights, rows, width, input, output }) => [parseCid(weights), rows, width, input, output])
  })
  return { bytes, digest: sha256(bytes) }
}

/** Hashes what one call gave: most of the cost of a commitment. */
export function committedLoads(loads: readonly AnsweredLoad[]): CommittedLoad[] {
  return loads.map(({ weights, width, input, output }) => ({
    weights,
    rows: input.length / width,
    width,
    input: rootOfRows(input, width),
    output: rootOfRows(output, width)
  }))
}

/** What the holder signs: no other network, and nothing but an answer, can reuse the signature. */
export function commitmentSigningBytes(network: Uint8Array, digest: Uint8Array): Uint8Array {
  return concatBytes(domain, network, digest)
}

/** Reads a commitment of anybody. Throws COMMITMENT_INVALID naming what is wrong. */
export function readCommitment(bytes: Uint8Array): CommitmentBody {
  const fields = mapOf(bytes)
  const body: CommitmentBody = {
    network: bytesField(fields, 'network', digestBytes),
    gateway: textField(fields, 'gateway', commitmentLimits.gatewayLengthMax),
    holder: bytesField(fields, 'holder', 34),
    session: bytesField(fields, 'session', commitmentLimits.sessionBytes),
    number: numberField(fields.number, 'number', Number.MAX_SAFE_INTEGER),
    previous: bytesField(fields, 'previous', digestBytes),
    request: textField(fields, 'request', commitmentLimits.requestLengthMax),
    layer: numberField(fields.layer, 'layer', 65_536),
    arithmetic: arithmeticOf(fields.arithmetic),
    loads: loadsOf(fields.loads)
  }
  if (!bytesEqual(commitmentOf(body).bytes, bytes)) throw invalid('it has other fields')
  return body
}

/** Whether the holder it names signed it for this network. Throws COMMITMENT_INVALID. */
export function readSignedCommitment(
  bytes: Uint8Array,
  signature: Uint8Array,
  network: Uint8Array
): { readonly body: CommitmentBody; readonly digest: Uint8Array } {
  const body = readCommitment(bytes)
  if (!bytesEqual(body.network, network)) throw invalid('it is of another network')
  const digest = sha256(bytes)
  if (!verifySignatureSync(body.holder, commitmentSigningBytes(network, digest), signature))
    throw invalid('the signature is not of the holder it names')
  return { body, digest }
}

export type ExpectedCommitment = Pick<CommitmentBody, 'network' | 'gateway' | 'holder' | 'request' | 'layer'> & {
  readonly loads: readonly AnsweredLoad[]
  /** The commitment received before in the same session, when there is one. */
  readonly last?: { readonly session: Uint8Array; readonly number: number; readonly digest: Uint8Array } | undefined
}

/**
 * Checks a commitment against what was asked and what came, but for its signature, which takes longest and can be looked
 * at on another thread. Throws COMMITMENT_INVALID naming what does not fit.
 */
export function matchCommitment(
  bytes: Uint8Array,
  expected: ExpectedCommitment
): { readonly body: CommitmentBody; readonly digest: Uint8Array } {
  const body = readCommitment(bytes)
  if (!bytesEqual(body.network, expected.network)) throw invalid('it is of another network')
  if (!bytesEqual(body.holder, expected.holder)) throw invalid('it names another holder')
  if (body.gateway !== expected.gateway) throw invalid('it names another gateway')
  if (body.request !== expected.request) throw invalid('it is for another call')
  if (body.layer !== expected.layer) throw invalid('it is for another layer')
  if (body.loads.length !== expected.loads.length) throw invalid('it has another number of experts')
  for (const [place, load] of committedLoads(expected.loads).entries()) {
    const named = body.loads[place]!
    if (named.weights !== load.weights) throw invalid(`expert ${place} has other weights`)
    if (named.rows !== load.rows || named.width !== load.width) throw invalid(`expert ${place} has another shape`)
    if (!bytesEqual(named.input, load.input)) throw invalid(`expert ${place} had another input`)
    if (!bytesEqual(named.output, load.output)) throw invalid(`expert ${place} gave another output`)
  }
  const digest = sha256(bytes)
  checkOrder(body, digest, expected.last)
  return { body, digest }
}

/** The same and the signature. Throws COMMITMENT_INVALID. */
export function verifyCommitment(
  bytes: Uint8Array,
  signature: Uint8Array,
  expected: ExpectedCommitment
): { readonly body: CommitmentBody; readonly digest: Uint8Array } {
  const matched = matchCommitment(bytes, expected)
  readSignedCommitment(bytes, signature, expected.network)
  return matched
}

/** Answers that were given up leave gaps, and hedged ones come late; but one number is never given twice. */
function checkOrder(body: CommitmentBody, digest: Uint8Array, last: ExpectedCommitment['last']): void {
  const { session, number, previous } = body
  if (number === 0 && previous.some(byte => byte !== 0)) throw invalid('the first of a session has one before it')
  if (last === undefined || !bytesEqual(last.session, session)) return
  if (number === last.number && !bytesEqual(digest, last.digest)) throw invalid(`there are two with number ${number}`)
  if (number === last.number + 1 && !bytesEqual(previous, last.digest)) throw invalid('it follows another commitment')
}

function loadsOf(value: unknown): CommittedLoad[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > commitmentLimits.loadsMax)
    throw invalid('its experts are no list')
  return value.map((entry: unknown) => {
    if (!Array.isArray(entry) || entry.length !== 5) throw invalid('an expert is not five values')
    const [weights, rows, width, input, output] = entry as readonly unknown[]
    return {
      weights: cidOf(weights),
      rows: numberField(rows, 'rows', commitmentLimits.rowsMax),
      width: numberField(width, 'width', commitmentLimits.widthMax),
      input: digestOf(input, 'input'),
      output: digestOf(output, 'output')
    }
  })
}

function cidOf(value: unknown): string {
  try {
    return parseCid(CID.asCID(value)?.toString() ?? '').toString()
  } catch (error) {
    throw invalid('weights are not a CID', error)
  }
}

function mapOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = decodeCanonical(bytes, { sizeBytesMax: commitmentLimits.commitmentBytesMax })
  } catch (error) {
    throw invalid('it is not canonical DAG-CBOR', error)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
    throw invalid('it is not a map')
  return value as Readonly<Record<string, unknown>>
}

function bytesField(fields: Readonly<Record<string, unknown>>, name: string, lengthBytes: number): Uint8Array {
  const value = fields[name]
  if (value instanceof Uint8Array && value.length === lengthBytes) return value
  throw invalid(`${name} is not ${lengthBytes} bytes`)
}

function digestOf(value: unknown, name: string): Uint8Array {
  if (value instanceof Uint8Array && value.length === digestBytes) return value
  throw invalid(`${name} is not a digest`)
}

function textField(fields: Readonly<Record<string, unknown>>, name: string, lengthMax: number): string {
  const value = fields[name]
  if (typeof value === 'string' && value.length > 0 && value.length <= lengthMax) return value
  throw invalid(`${name} is not a text of at most ${lengthMax} characters`)
}

function numberField(value: unknown, name: string, max: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value
  throw invalid(`${name} is not a number up to ${max}`)
}

function arithmeticOf(value: unknown): Arithmetic {
  const found = arithmetics.find(name => name === value)
  if (found === undefined) throw invalid(`arithmetic is not one of ${arithmetics.join(', ')}`)
  return found
}

function invalid(reason: string, cause?: unknown): BlyanError {
  return new BlyanError('COMMITMENT_INVALID', { reason }, { cause })
}
