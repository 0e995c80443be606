import { z } from 'zod'
import { importSlashingViews } from '../../node/index.ts'
import { type Route, route } from '../route.ts'

/** Who was punished for what, and how anybody can check it. */
export const slashingRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/slashes',
    scope: 'read',
    summary: 'Punishments of validators, the newest first',
    query: z.strictObject({
      operator: z.string().min(1).max(128).optional().describe('account of an operator'),
      limit: z.coerce.number().int().min(1).max(4096).default(100)
    }),
    answer: 'application/json',
    answerDescription:
      'a list: `id`, `operator`, `name`, `key`, `offence` (`double-signing`, `downtime`, `invalid`, `censorship`), `epoch`, `time`, `penaltyPpm`, `burnt`, `banUntil`, `appealUntil`, `state` (`standing`, `undone`), `repaid`, `evidence`',
    handle: async ({ query }, { node }) => ({
      kind: 'json',
      body: (await importSlashingViews()).slashViews(node.ledger, query)
    })
  }),
  route({
    method: 'GET',
    path: '/v0/slashes/:id',
    scope: 'read',
    summary: 'One punishment and its evidence',
    params: z.strictObject({ id: z.string().regex(/^[1-9][0-9]{0,15}$/, 'the number of a punishment') }),
    answer: 'application/json',
    answerDescription:
      'as in the list; `evidence` names the event that proves it (its payload has the signed bytes), or has all the numbers that were counted',
    handle: async ({ params }, { node }) => ({
      kind: 'json',
      body: (await importSlashingViews()).slashView(node.ledger, params.id)
    })
  })
]
