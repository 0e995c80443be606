import { z } from 'zod'
import { importMoneyViews } from '../../node/index.ts'
import { type Route, route } from '../route.ts'

const account = z
  .string()
  .max(128)
  .regex(/^(@[a-z-]+|z[1-9A-HJ-NP-Za-km-z]+)$/, 'an account')
const limit = z.coerce.number().int().min(1).max(10_000).default(100)
const holdId = z.string().regex(/^[0-9a-f]{32}$/, 'the id of a hold')
const holdStatus = z.enum(['quoted', 'authorised', 'captured', 'credited', 'failed', 'reversed', 'expired'])

/** Who has which coins, what is held, and how many there are. Amounts are base units, as decimal strings. */
export const moneyRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/account',
    scope: 'read',
    summary: 'Coins of one account',
    query: z.strictObject({ account: account.optional().describe("this node's own unless given") }),
    answer: 'application/json',
    answerDescription:
      '`account`, `isOwn`, `balances` by coin, `staked`, `unbonding`, `earned`, `held` by coin, `isFrozen`',
    handle: async ({ query }, { node }) => {
      const { accountView } = await importMoneyViews()
      return { kind: 'json', body: await accountView(node.ledger, query.account ?? node.ledger.account) }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/accounts',
    scope: 'read',
    summary: 'Accounts that have coins to spend, those of the network first',
    query: z.strictObject({ limit }),
    answer: 'application/x-ndjson',
    answerDescription: 'one line each: `account`, `balances` by coin',
    handle: async ({ query }, { node }) => {
      const { listBalances } = await importMoneyViews()
      return { kind: 'lines', items: listBalances(node.ledger, query.limit) }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/accounts/:account/keys/:key',
    scope: 'read',
    summary: 'The event that used an idempotency key of an account',
    params: z.strictObject({ account, key: z.string().regex(/^[A-Za-z0-9._:-]{1,64}$/) }),
    answer: 'application/json',
    answerDescription: '`account`, `key`, `eventId`',
    handle: async ({ params }, { node }) => {
      const { eventKeyView } = await importMoneyViews()
      return { kind: 'json', body: eventKeyView(node.ledger, params.account, params.key) }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/supply',
    scope: 'read',
    summary: 'Where all coins are, and how many may still be issued this year',
    answer: 'application/json',
    answerDescription: '`coins`: for each where it is; `issuance`: of BLY, what the year allows and what is issued',
    handle: async (_input, { node }) => {
      const { supplyView } = await importMoneyViews()
      return { kind: 'json', body: supplyView(node.ledger, Date.now()) }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/holds',
    scope: 'read',
    summary: 'Payments in steps: quoted, authorised, captured, credited',
    query: z.strictObject({
      account: account.optional().describe('payer or payee'),
      status: holdStatus.optional(),
      limit
    }),
    answer: 'application/x-ndjson',
    answerDescription: 'one line each, as GET /v0/holds/{hold} answers',
    handle: async ({ query }, { node }) => {
      const { listHolds } = await importMoneyViews()
      return { kind: 'lines', items: listHolds(node.ledger, query) }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/holds/:hold',
    scope: 'read',
    summary: 'One hold',
    params: z.strictObject({ hold: holdId }),
    answer: 'application/json',
    answerDescription:
      '`hold`, `status`, `payee`, `payer`, `coin`, `quoted`, `authorised`, `captured`, `service`, `usage`, `key`, `reason`, `quotedAt`, `changedAt`, `dueAt`',
    handle: async ({ params }, { node }) => {
      const { holdView } = await importMoneyViews()
      return { kind: 'json', body: holdView(node.ledger, params.hold) }
    }
  })
]
