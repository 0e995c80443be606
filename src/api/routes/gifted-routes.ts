import { z } from 'zod'
import { importGiftedViews } from '../../node/index.ts'
import { type Route, route } from '../route.ts'

const account = z
  .string()
  .max(128)
  .regex(/^z[1-9A-HJ-NP-Za-km-z]+$/, 'an account')
const count = z.coerce.number().int().min(0).max(1_000_000_000)

/** Nodes that people give, what metered services cost, and what the treasury does. Amounts are base units, as decimal strings. */
export const giftedRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/gifted',
    scope: 'read',
    summary: 'All gifted nodes, in the order in which they came',
    answer: 'application/json',
    answerDescription:
      '`nodes`: `account`, `name`, `peerId`, `specialisation`, `giftedBy`, `isActive`, `isOwn`, `uptimePpm`, `sharePpm`, `heartbeat`',
    handle: async (_input, { node }) => {
      const { listGifted } = await importGiftedViews()
      return { kind: 'json', body: { nodes: listGifted(node.ledger) } }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/gifted/:account',
    scope: 'read',
    summary: 'One gifted node, with what it was paid for the last period and why',
    params: z.strictObject({ account }),
    answer: 'application/json',
    answerDescription:
      'what it has (`claimed`, `measured`), what it promises, `served` so far, `bonus`, `grant`, `payment` with every number it comes from, `period` with the prices',
    handle: async ({ params }, { node }) => {
      const { giftedView } = await importGiftedViews()
      return { kind: 'json', body: giftedView(node.ledger, params.account) }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/meter/prices',
    scope: 'read',
    summary: 'What metered services cost, and in which coin',
    answer: 'application/json',
    answerDescription: '`prices`: `service`, `coin`, `callUnits`, `amountUnits`, `amountOf`',
    handle: async (_input, { node }) => {
      const { meterPrices } = await importGiftedViews()
      return { kind: 'json', body: { prices: meterPrices(node.ledger) } }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/meter/quote',
    scope: 'read',
    summary: 'The price of a metered service',
    query: z.strictObject({
      service: z.string().max(32),
      calls: count.default(1),
      amount: count.default(0).describe('KiB, seconds or MiB days, by the service')
    }),
    answer: 'application/json',
    answerDescription: '`coin`, `units`, `aurumUnits`, `treasuryPpm`, and what was asked',
    handle: async ({ query }, { node }) => {
      const { meterQuote } = await importGiftedViews()
      return { kind: 'json', body: meterQuote(node.ledger, query) }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/treasury',
    scope: 'read',
    summary: 'Coins of the treasury, what it keeps, and what it decided last about growth',
    answer: 'application/json',
    answerDescription:
      '`coins` (balance, minimum, open places), `bly`, `scaling` (the last decision with its numbers), `gifting` (what gifts brought in for what was paid)',
    handle: async (_input, { node }) => {
      const { treasuryView } = await importGiftedViews()
      return { kind: 'json', body: treasuryView(node.ledger) }
    }
  })
]
