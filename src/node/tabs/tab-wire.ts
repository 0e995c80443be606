import { type CanonicalValue, decodeCanonical, encodeCanonical } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'

/** Requests and answers of `/blyan/tabs/1`, as docs/protocol.md has them. */
export type TabRequest =
  | { readonly kind: 'open'; readonly account: string; readonly amountUnits: bigint }
  | { readonly kind: 'settle'; readonly hold: string }

/** To `open`: the hold that was quoted. To `settle`: what was captured of it. */
export type TabAnswer =
  | { readonly kind: 'hold'; readonly hold: string }
  | { readonly kind: 'captured'; readonly units: bigint }
  | { readonly kind: 'refusal'; readonly reason: string }

const frameBytesMax = 1024
const holdText = /^[0-9a-f]{32}$/
const unitsText = /^(0|[1-9]\d{0,26})$/
const accountText = /^[A-Za-z0-9]{1,128}$/
const reasonText = /^[A-Z][A-Z0-9_]{0,63}$/

export function encodeTabRequest(request: TabRequest): Uint8Array {
  return request.kind === 'open'
    ? encodeCanonical([1, request.account, request.amountUnits.toString()])
    : encodeCanonical([2, request.hold])
}

/** Throws ENCODING_INVALID. */
export function decodeTabRequest(bytes: Uint8Array): TabRequest {
  const [kind, first, second] = listOf(bytes)
  if (kind === 1)
    return { kind: 'open', account: matching(first, accountText), amountUnits: BigInt(matching(second, unitsText)) }
  if (kind === 2) return { kind: 'settle', hold: matching(first, holdText) }
  throw invalid()
}

export function encodeTabAnswer(answer: TabAnswer): Uint8Array {
  if (answer.kind === 'hold') return encodeCanonical([1, answer.hold])
  if (answer.kind === 'captured') return encodeCanonical([2, answer.units.toString()])
  return encodeCanonical([0, answer.reason])
}

/** Throws ENCODING_INVALID. */
export function decodeTabAnswer(bytes: Uint8Array): TabAnswer {
  const [kind, value] = listOf(bytes)
  if (kind === 1) return { kind: 'hold', hold: matching(value, holdText) }
  if (kind === 2) return { kind: 'captured', units: BigInt(matching(value, unitsText)) }
  if (kind === 0) return { kind: 'refusal', reason: matching(value, reasonText) }
  throw invalid()
}

function listOf(bytes: Uint8Array): readonly CanonicalValue[] {
  const value = decodeCanonical(bytes, { sizeBytesMax: frameBytesMax })
  if (!Array.isArray(value)) throw invalid()
  return value
}

function matching(value: CanonicalValue | undefined, pattern: RegExp): string {
  if (typeof value === 'string' && pattern.test(value)) return value
  throw invalid()
}

function invalid(): BlyanError {
  return new BlyanError('ENCODING_INVALID', { reason: 'not a message about a tab' })
}
