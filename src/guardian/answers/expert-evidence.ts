import { bytesEqual, type CanonicalValue, decodeCanonical, encodeCanonical, sha256 } from '../../codec/index.ts'
import { eventLimits } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { type AnsweredLoad, type Arithmetic, type CommitmentBody, readSignedCommitment } from './commitment.ts'
import { expertTruth } from './expert-truth.ts'
import { type ExpertWeights, lengthOf } from './expert-weights.ts'
import { tolerances } from './row-difference.ts'
import { floatsOf, isRowUnder, littleEndian, pathOfRow, rowOf } from './row-tree.ts'

/**
 * Evidence that a holder signed an answer that the named weights do not give: its signed commitment, and one row of what
 * it was given and of what it gave, with their paths to the roots in the commitment. Whoever has the weights can compute
 * that row. Source: docs/protocol.md, "Evidence against a holder".
 */
export type Exhibit = {
  readonly commitment: Uint8Array
  readonly signature: Uint8Array
  /** Place of the expert among those of the call. */
  readonly load: number
  readonly row: number
  readonly input: Uint8Array
  readonly output: Uint8Array
  readonly inputPath: readonly Uint8Array[]
  readonly outputPath: readonly Uint8Array[]
}

/** An exhibit whose signature and paths were checked: this holder did sign that this input gave this output. */
export type Statement = {
  readonly body: CommitmentBody
  readonly digest: Uint8Array
  readonly weights: string
  readonly input: Float32Array
  readonly output: Float32Array
}

export const exhibitsMax = 4

/** Shows one row of an answer that came with this commitment. */
export function exhibitOf(
  commitment: { readonly bytes: Uint8Array; readonly signature: Uint8Array },
  loads: readonly AnsweredLoad[],
  { load, row }: { readonly load: number; readonly row: number }
): Exhibit {
  const { width, input, output } = loads[load]!
  return {
    commitment: commitment.bytes,
    signature: commitment.signature,
    load,
    row,
    // Copies: the exhibit is kept when the answer is gone.
    input: littleEndian(rowOf(input, width, row)).slice(),
    output: littleEndian(rowOf(output, width, row)).slice(),
    inputPath: pathOfRow(input, width, row),
    outputPath: pathOfRow(output, width, row)
  }
}

/** Payload of an `expert-evidence` event; undefined when not even the first exhibit fits into one. Others are left out. */
export function encodeExpertEvidence(exhibits: readonly Exhibit[]): Uint8Array | undefined {
  for (let count = Math.min(exhibits.length, exhibitsMax); count > 0; count--) {
    const payload = encodeCanonical(exhibits.slice(0, count) as unknown as CanonicalValue)
    if (payload.length <= eventLimits.payloadBytesMax) return payload
  }
  return undefined
}

/** Reads a payload: nothing is left to chance, encoding it again gives the same bytes. Throws EXPERT_EVIDENCE_INVALID. */
export function readExpertEvidence(payload: Uint8Array): readonly Exhibit[] {
  let value: unknown
  try {
    value = decodeCanonical(payload, { sizeBytesMax: eventLimits.payloadBytesMax })
  } catch (error) {
    throw invalid('it is not canonical DAG-CBOR', error)
  }
  if (!Array.isArray(value) || value.length === 0 || value.length > exhibitsMax)
    throw invalid(`it is not a list of 1 to ${exhibitsMax} exhibits`)
  const exhibits = value.map(exhibitFrom)
  if (!bytesEqual(encodeCanonical(exhibits as unknown as CanonicalValue), payload)) throw invalid('it has other fields')
  return exhibits
}

/**
 * What the holder said, for all exhibits: one holder, no row twice. Everything that can be seen without the weights is
 * checked here. Throws EXPERT_EVIDENCE_INVALID.
 */
export function statementsOf(exhibits: readonly Exhibit[], network: Uint8Array): readonly Statement[] {
  const statements = exhibits.map((exhibit, place) => statementOf(exhibit, network, place))
  const [first] = statements
  if (statements.some(({ body }) => !bytesEqual(body.holder, first!.body.holder)))
    throw invalid('the exhibits are of several holders')
  const rows = exhibits.map(({ commitment, load, row }) => `${sha256(commitment).join()}/${load}/${row}`)
  if (new Set(rows).size !== rows.length) throw invalid('a row is shown twice')
  return statements
}

export type Judgement = {
  /** Whether no honest machine can have given this row, in any arithmetic that these weights allow. */
  readonly isProven: boolean
  /** Relative to the length of the right row, for the arithmetic that fits best: how far it is, and how far an honest one can be. */
  readonly difference: number
  readonly doubt: number
  readonly arithmetic: Arithmetic
}

/** Computes the row again with the weights that were named. Yields now and then. */
export function* judge(statement: Statement, weights: ExpertWeights): Generator<void, Judgement, void> {
  const { input, output, digest } = statement
  const isWhole = weights.gate.values instanceof Int8Array
  let best: Judgement | undefined
  for (const arithmetic of isWhole ? (['integer', 'float'] as const) : (['float'] as const)) {
    const truth = yield* expertTruth(weights, input, arithmetic, digest)
    const length = lengthOf(truth.output)
    const apart = lengthOf(truth.output.map((value, place) => value - output[place]!))
    const isProven =
      Number.isFinite(truth.doubt) &&
      !(apart <= truth.doubt * doubtFactor) &&
      !(apart <= tolerances[arithmetic] * length)
    const judgement = { isProven, difference: apart / length, doubt: truth.doubt / length, arithmetic }
    // The best that can be said for the holder counts.
    if (!isProven) return judgement
    if (best === undefined || judgement.difference < best.difference) best = judgement
  }
  return best!
}

/** Room beyond what was reckoned. */
const doubtFactor = 2

function statementOf(exhibit: Exhibit, network: Uint8Array, place: number): Statement {
  const { body, digest } = signedBody(exhibit, network, place)
  const load = body.loads[exhibit.load]
  if (load === undefined) throw invalid(`exhibit ${place} names an expert that the call did not have`)
  const [input, output] = [floatsOf(exhibit.input), floatsOf(exhibit.output)]
  if (input?.length !== load.width || output?.length !== load.width)
    throw invalid(`exhibit ${place} has rows of another width`)
  const at = { row: exhibit.row, rows: load.rows }
  if (!isRowUnder(load.input, input, { ...at, path: exhibit.inputPath }))
    throw invalid(`exhibit ${place} has an input that the holder did not sign`)
  if (!isRowUnder(load.output, output, { ...at, path: exhibit.outputPath }))
    throw invalid(`exhibit ${place} has an output that the holder did not sign`)
  return { body, digest, weights: load.weights, input, output }
}

function signedBody({ commitment, signature }: Exhibit, network: Uint8Array, place: number) {
  try {
    return readSignedCommitment(commitment, signature, network)
  } catch (error) {
    throw invalid(`exhibit ${place}: ${error instanceof Error ? error.message : 'no commitment'}`, error)
  }
}

function exhibitFrom(value: unknown): Exhibit {
  if (typeof value !== 'object' || value === null) throw invalid('an exhibit is not a map')
  const fields = value as Readonly<Record<string, unknown>>
  return {
    commitment: bytesField(fields, 'commitment'),
    signature: bytesField(fields, 'signature'),
    load: countField(fields, 'load'),
    row: countField(fields, 'row'),
    input: bytesField(fields, 'input'),
    output: bytesField(fields, 'output'),
    inputPath: pathField(fields, 'inputPath'),
    outputPath: pathField(fields, 'outputPath')
  }
}

function bytesField(fields: Readonly<Record<string, unknown>>, name: string): Uint8Array {
  const value = fields[name]
  if (value instanceof Uint8Array) return value
  throw invalid(`${name} is not bytes`)
}

function countField(fields: Readonly<Record<string, unknown>>, name: string): number {
  const value = fields[name]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw invalid(`${name} is not a number`)
}

function pathField(fields: Readonly<Record<string, unknown>>, name: string): readonly Uint8Array[] {
  const value = fields[name]
  if (Array.isArray(value) && value.length <= 32 && value.every(entry => entry instanceof Uint8Array)) return value
  throw invalid(`${name} is not a path`)
}

function invalid(part: string, cause?: unknown): BlyanError {
  return new BlyanError('EXPERT_EVIDENCE_INVALID', { part }, { cause })
}
