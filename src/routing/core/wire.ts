import { type CanonicalValue, CID, decodeCanonical, encodeCanonical, parseCid } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { Holdings } from '../routing-types.ts'

/** Frames of `/blyan/experts/1` and answers of `/blyan/holdings/1`, as docs/protocol.md has them. */
export type WireLoad = { readonly tensor: string; readonly rows: Float32Array }

export const refusals = ['busy', 'not-held', 'invalid', 'failed'] as const
export type Refusal = (typeof refusals)[number]

export type ExpertFrame =
  | {
      readonly kind: 'call'
      readonly call: number
      /** Names the call in its commitment. */
      readonly request: string
      readonly layer: number
      readonly isPrompt: boolean
      readonly loads: readonly WireLoad[]
    }
  | {
      readonly kind: 'answer'
      readonly call: number
      readonly results: readonly Float32Array[]
      readonly commitment: Uint8Array
      readonly signature: Uint8Array
    }
  | { readonly kind: 'refusal'; readonly call: number; readonly reason: Refusal }
  /** Sent while calls are open: how many. */
  | { readonly kind: 'heartbeat'; readonly openCalls: number }
  | { readonly kind: 'cancel'; readonly call: number }
  | { readonly kind: 'ping'; readonly number: number }
  | { readonly kind: 'pong'; readonly number: number; readonly openCalls: number }

export const wireLimits = Object.freeze({
  frameBytesMax: 16 * 1024 * 1024,
  loadsMax: 256,
  rowsMax: 65_536,
  requestLengthMax: 64,
  commitmentBytesMax: 48 * 1024,
  accountLengthMax: 128,
  tensorsMax: 65_536,
  holdingsBytesMax: 4 * 1024 * 1024
})

const numbers = { call: 1, answer: 2, refusal: 3, heartbeat: 4, cancel: 5, ping: 6, pong: 7 } as const

export function encodeExpertFrame(frame: ExpertFrame): Uint8Array {
  return encodeCanonical([numbers[frame.kind], ...valuesOf(frame)])
}

/** Throws ENCODING_INVALID. */
export function decodeExpertFrame(bytes: Uint8Array): ExpertFrame {
  const [number, ...values] = listOf(decodeCanonical(bytes, { sizeBytesMax: wireLimits.frameBytesMax }), 1, 8)
  switch (number) {
    case numbers.call: {
      const [call, request, layer, isPrompt, loads] = exactly(values, 5)
      return {
        kind: 'call',
        call: integerOf(call),
        request: textOf(request, wireLimits.requestLengthMax),
        layer: integerOf(layer, 65_535),
        isPrompt: integerOf(isPrompt, 1) === 1,
        loads: listOf(loads, 1, wireLimits.loadsMax).map(entry => {
          const [tensor, rows] = exactly(listOf(entry, 2, 2), 2)
          return { tensor: linkOf(tensor), rows: floatsOf(rows) }
        })
      }
    }
    case numbers.answer: {
      const [call, results, commitment, signature] = exactly(values, 4)
      return {
        kind: 'answer',
        call: integerOf(call),
        results: listOf(results, 1, wireLimits.loadsMax).map(floatsOf),
        commitment: bytesOf(commitment, wireLimits.commitmentBytesMax),
        signature: bytesOf(signature, 128)
      }
    }
    case numbers.refusal: {
      const [call, place] = exactly(values, 2)
      return { kind: 'refusal', call: integerOf(call), reason: refusals[integerOf(place, refusals.length - 1)]! }
    }
    case numbers.heartbeat:
      return { kind: 'heartbeat', openCalls: integerOf(exactly(values, 1)[0]) }
    case numbers.cancel:
      return { kind: 'cancel', call: integerOf(exactly(values, 1)[0]) }
    case numbers.ping:
      return { kind: 'ping', number: integerOf(exactly(values, 1)[0]) }
    case numbers.pong: {
      const [echo, openCalls] = exactly(values, 2)
      return { kind: 'pong', number: integerOf(echo), openCalls: integerOf(openCalls) }
    }
    default:
      throw invalid('an unknown frame')
  }
}

export function encodeHoldings(holdings: Holdings, knownVersion: number): Uint8Array {
  const { version, account, priceUnitsPer1000Rows, score, openCalls, tensors } = holdings
  const list = version === knownVersion ? null : tensors.slice(0, wireLimits.tensorsMax).map(parseCid)
  return encodeCanonical([
    1,
    version,
    account,
    priceUnitsPer1000Rows.toString(),
    Math.min(Number.MAX_SAFE_INTEGER, Math.round(Math.max(0, score) * 1000)),
    openCalls,
    list
  ])
}

/** `tensors` is null when they are those of the version that was named. Throws ENCODING_INVALID. */
export function decodeHoldings(bytes: Uint8Array): Omit<Holdings, 'tensors'> & { tensors: readonly string[] | null } {
  const values = listOf(decodeCanonical(bytes, { sizeBytesMax: wireLimits.holdingsBytesMax }), 7, 7)
  const [form, version, account, price, score, openCalls, tensors] = values
  if (form !== 1) throw invalid('holdings of an unknown form')
  const priceText = textOf(price, 30)
  if (!/^(0|[1-9]\d*)$/.test(priceText)) throw invalid('a price')
  return {
    version: integerOf(version),
    account: account === null ? null : textOf(account, wireLimits.accountLengthMax),
    priceUnitsPer1000Rows: BigInt(priceText),
    score: integerOf(score) / 1000,
    openCalls: integerOf(openCalls),
    tensors: tensors === null ? null : listOf(tensors, 0, wireLimits.tensorsMax).map(linkOf)
  }
}

export function encodeHoldingsRequest(knownVersion: number): Uint8Array {
  return encodeCanonical([1, knownVersion])
}

/** Throws ENCODING_INVALID. */
export function decodeHoldingsRequest(bytes: Uint8Array): number {
  const [form, knownVersion] = listOf(decodeCanonical(bytes, { sizeBytesMax: 64 }), 2, 2)
  if (form !== 1) throw invalid('a request of an unknown form')
  return integerOf(knownVersion)
}

function valuesOf(frame: ExpertFrame): CanonicalValue[] {
  switch (frame.kind) {
    case 'call': {
      const loads = frame.loads.map(({ tensor, rows }) => [parseCid(tensor), bytesOfFloats(rows)])
      return [frame.call, frame.request, frame.layer, frame.isPrompt ? 1 : 0, loads]
    }
    case 'answer':
      return [frame.call, frame.results.map(bytesOfFloats), frame.commitment, frame.signature]
    case 'refusal':
      return [frame.call, refusals.indexOf(frame.reason)]
    case 'heartbeat':
      return [frame.openCalls]
    case 'cancel':
      return [frame.call]
    case 'ping':
      return [frame.number]
    case 'pong':
      return [frame.number, frame.openCalls]
  }
}

function bytesOfFloats(floats: Float32Array): Uint8Array {
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength)
}

/** A copy: bytes of a frame lie anywhere, floats only at multiples of four. */
function floatsOf(value: CanonicalValue | undefined): Float32Array {
  if (!(value instanceof Uint8Array) || value.length % 4 !== 0 || value.length === 0) throw invalid('rows')
  return new Float32Array(value.slice().buffer)
}

function listOf(value: CanonicalValue | undefined, min: number, max: number): readonly CanonicalValue[] {
  if (!Array.isArray(value) || value.length < min || value.length > max) throw invalid('a list')
  return value
}

function exactly(values: readonly CanonicalValue[], count: number): readonly CanonicalValue[] {
  if (values.length !== count) throw invalid('the number of fields')
  return values
}

function integerOf(value: CanonicalValue | undefined, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) throw invalid('a number')
  return value
}

function textOf(value: CanonicalValue | undefined, lengthMax: number): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > lengthMax) throw invalid('a text')
  return value
}

function bytesOf(value: CanonicalValue | undefined, lengthMax: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length > lengthMax) throw invalid('bytes')
  return value
}

function linkOf(value: CanonicalValue | undefined): string {
  const link = CID.asCID(value)
  if (link === null) throw invalid('a link')
  return link.toString()
}

function invalid(reason: string): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason })
}
