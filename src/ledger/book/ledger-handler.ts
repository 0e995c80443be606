import type { z } from 'zod'
import { publicKeyToText, sha256 } from '../../codec/index.ts'
import { type ApplyInput, type EventHandler, type Genesis, plainBlock } from '../../dag/index.ts'
import { decodedPayload, encodePayloadOf, readPayload } from '../payload.ts'
import { chargeFee } from './fees.ts'

export type LedgerInput = ApplyInput & {
  readonly genesis: Genesis
  /** Text of the author's key: the account that asks. */
  readonly author: string
  /** SHA-256 of the payload. */
  readonly payloadHash: Uint8Array
}

const payloadBytesUsual = 4096

/**
 * A handler whose event is a block on chain C and costs its author the fee. When `apply` refuses, nothing is taken.
 * The payload is the canonical map of its JSON meaning, nothing left to a default.
 */
export function ledgerHandler<Schema extends z.ZodType>(input: {
  readonly type: string
  readonly purpose: string
  readonly genesis: Genesis
  readonly schema: Schema
  readonly payloadBytesMax?: number
  /** For duties that nobody should have to pay for. */
  readonly isFree?: boolean
  readonly apply: (input: LedgerInput, payload: z.output<Schema>) => void
}): EventHandler {
  const { type, purpose, genesis, schema, payloadBytesMax = payloadBytesUsual, isFree = false, apply } = input
  return {
    type,
    purpose,
    encodePayload: json => encodePayloadOf(type, schema, json),
    describePayload: payload => decodedPayload(type, payload, payloadBytesMax),
    apply: given => {
      const payload = readPayload(type, schema, given.envelope.payload, payloadBytesMax)
      const author = publicKeyToText(given.envelope.author)
      const payloadHash = sha256(given.envelope.payload)
      if (!isFree) chargeFee(given.state, genesis, author)
      apply({ ...given, genesis, author, payloadHash }, payload)
      return plainBlock('C', type, payloadHash)
    }
  }
}
