import type { z } from 'zod'
import { type EventHandler, type Genesis, plainBlock } from '../../dag/index.ts'
import { type LedgerInput, ledgerHandler } from '../../ledger/index.ts'
import { chainLimits } from './limits.ts'
import type { Moment } from './moment.ts'
import { requireLearning } from './settings.ts'

export type LearningEvent = Moment & { readonly author: string }

/** A handler of an event of learning: free of fee, a block on chain C, refused with LEARNING_OFF where nobody learns. */
export function learningHandler<Schema extends z.ZodType>(input: {
  readonly type: string
  readonly purpose: string
  readonly genesis: Genesis
  readonly schema: Schema
  readonly payloadBytesMax?: number
  readonly apply: (event: LearningEvent, payload: z.output<Schema>) => void
}): EventHandler {
  const { type, purpose, genesis, schema, payloadBytesMax = chainLimits.payloadBytes, apply } = input
  return ledgerHandler({
    type,
    purpose,
    genesis,
    schema,
    payloadBytesMax,
    isFree: true,
    apply: (given: LedgerInput, payload) => {
      requireLearning(given.state, genesis)
      const { state, author, timestampMs, eventDigest } = given
      apply({ state, genesis, nowMs: timestampMs, event: eventDigest, author }, payload)
    }
  })
}

/** The same, as a block on chain D. */
export function onDataChain(handler: EventHandler): EventHandler {
  const { type, purpose } = handler
  return {
    type,
    purpose,
    encodePayload: json => handler.encodePayload(json),
    describePayload: payload => handler.describePayload(payload),
    apply: input => plainBlock('D', type, handler.apply(input)!.payloadHash)
  }
}
