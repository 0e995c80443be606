import { z } from 'zod'
import { flag, timeoutMs } from '../inputs.ts'
import { type Route, route } from '../route.ts'

const label = z.string().max(64)
const commission = z.int().min(0).max(10_000)
const website = z.string().max(128)
const key = z
  .string()
  .min(1)
  .max(128)
  .regex(/^z[1-9A-HJ-NP-Za-km-z]+$/, 'a public key')
const change = z.discriminatedUnion('change', [
  z.strictObject({
    change: z.literal('join'),
    name: label.optional(),
    origin: label.optional(),
    region: label.optional(),
    commissionBasisPoints: commission.optional(),
    website: website.optional()
  }),
  z.strictObject({
    change: z.literal('edit'),
    name: label.nullable().default(null),
    origin: label.nullable().default(null),
    region: label.nullable().default(null),
    commissionBasisPoints: commission.nullable().default(null),
    website: website.nullable().default(null)
  }),
  z.strictObject({ change: z.literal('unjail') }),
  z.strictObject({ change: z.enum(['approve', 'remove']), validator: key }),
  z.strictObject({ change: z.literal('leave') }),
  z.strictObject({
    change: z.literal('rotate'),
    key: z
      .string()
      .regex(/^validator(-[0-9]{1,4})?$/, 'the name of a validator key')
      .optional()
  }),
  z.strictObject({
    change: z.literal('withdraw'),
    what: z.enum(['approve', 'remove', 'leave', 'rotate']),
    validator: key.optional()
  })
])

/** Who the validators are, how that changes, and which of them were caught. */
export const validatorRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/validators',
    scope: 'read',
    summary: 'Validators of this epoch, candidates, and what changes with the next',
    answer: 'application/json',
    answerDescription:
      '`epoch`, `closesAt`, `members`, `candidates`, `next`, `own`; where stake decides, `operators` and `stakeRules`',
    handle: async (_input, { node }) => ({ kind: 'json', body: node.validators() })
  }),
  route({
    method: 'POST',
    path: '/v0/validators/changes',
    scope: 'sign',
    summary:
      "Ask for a change of the validator set, signed by this node's validator key, or by its account where stake decides",
    query: z.strictObject({ wait: flag('true'), timeoutMs: timeoutMs(30_000) }),
    body: change,
    answer: 'application/json',
    answerDescription: 'the event, as POST /v0/events answers',
    handle: async ({ query, body, signal }, { node }) => ({
      kind: 'json',
      body: await node.changeValidators(body, { ...query, signal })
    })
  }),
  route({
    method: 'GET',
    path: '/v0/evidence',
    scope: 'read',
    summary: 'Validators that were proven to have signed twice',
    query: z.strictObject({ limit: z.coerce.number().int().min(1).max(10_000).default(1000) }),
    answer: 'application/x-ndjson',
    answerDescription: 'one line each: `epoch`, `key`, `name`, `round`, `first`, `second`, `reporter`, `time`',
    handle: async ({ query }, { node }) => ({ kind: 'lines', items: node.listOffences(query.limit) })
  })
]
