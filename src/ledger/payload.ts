import type { z } from 'zod'
import { bytesEqual, type CanonicalValue, decodeCanonical, encodeCanonical, publicKeyFromText } from '../codec/index.ts'
import { BlyanError, type ErrorCode, type ErrorPayload } from '../errors/index.ts'

/** Payload bytes of a meaning given as JSON. Throws EVENT_PAYLOAD_INVALID. */
export function encodePayloadOf(type: string, schema: z.ZodType, json: unknown): Uint8Array {
  return encodeCanonical(checked(type, schema, json) as CanonicalValue)
}

/** The meaning of a payload; nothing is left to a default, so that one meaning has one payload. Throws EVENT_PAYLOAD_INVALID. */
export function readPayload<Schema extends z.ZodType>(
  type: string,
  schema: Schema,
  payload: Uint8Array,
  sizeBytesMax: number
): z.output<Schema> {
  const value = checked(type, schema, decoded(type, payload, sizeBytesMax))
  if (!bytesEqual(encodeCanonical(value as CanonicalValue), payload))
    throw invalid(type, 'not the canonical payload of its meaning')
  return value as z.output<Schema>
}

export function decodedPayload(type: string, payload: Uint8Array, sizeBytesMax: number): unknown {
  return decoded(type, payload, sizeBytesMax)
}

export function isPublicKeyText(text: string): boolean {
  try {
    publicKeyFromText(text)
    return true
  } catch {
    return false
  }
}

/** For schemas: refuses a field with a code of its own, instead of as a payload that cannot be read. */
export function refuse(context: z.core.$RefinementCtx, code: ErrorCode, payload: ErrorPayload): void {
  context.addIssue({ code: 'custom', message: code, params: { code, payload } })
}

function checked(type: string, schema: z.ZodType, json: unknown): unknown {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  if (issue.code === 'custom' && issue.params?.code !== undefined)
    throw new BlyanError(issue.params.code as ErrorCode, issue.params.payload as ErrorPayload)
  throw invalid(type, `${issue.path.join('.') || 'payload'}: ${issue.message}`)
}

function decoded(type: string, payload: Uint8Array, sizeBytesMax: number): unknown {
  try {
    return decodeCanonical(payload, { sizeBytesMax })
  } catch (error) {
    throw invalid(type, error instanceof Error ? error.message : 'not DAG-CBOR')
  }
}

function invalid(type: string, reason: string): BlyanError {
  return new BlyanError('EVENT_PAYLOAD_INVALID', { type, reason })
}
