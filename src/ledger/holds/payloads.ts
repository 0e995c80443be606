import { z } from 'zod'
import { positiveAmount } from '../book/coins.ts'
import { accountText, coinText } from '../book/fields.ts'

const holdId = z.string().regex(/^[0-9a-f]{32}$/, 'not the id of a hold')
const reason = z.string().max(256).default('')
const calls = z.int().min(0).max(1_000_000_000)

export const quotePayload = z.strictObject({
  /** Anybody when null. */
  payer: accountText.nullable().default(null),
  coin: coinText.default('BLY'),
  amount: positiveAmount,
  service: z.strictObject({
    kind: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'a short word'),
    expert: z.string().min(1).max(64).nullable().default(null),
    calls: calls.default(1),
    amount: calls.default(0)
  }),
  key: z.string().regex(/^[A-Za-z0-9._:-]{1,64}$/, 'letters, digits, . _ : - and at most 64')
})

export const authorisePayload = z.strictObject({ hold: holdId, amount: positiveAmount })

export const capturePayload = z.strictObject({
  hold: holdId,
  amount: positiveAmount,
  usage: z.strictObject({
    calls,
    amount: calls.default(0),
    responseMsTotal: z.int().min(0).max(1_000_000_000_000)
  })
})

export const creditPayload = z.strictObject({ hold: holdId })

export const endPayload = z.strictObject({ hold: holdId, reason })
