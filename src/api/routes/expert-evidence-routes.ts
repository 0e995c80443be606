import { z } from 'zod'
import { importExpertEvidenceViews } from '../../node/index.ts'
import { type Route, route } from '../route.ts'

/** Evidence against holders of experts, for anybody to check who has the weights. */
export const expertEvidenceRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/evidence/holders',
    scope: 'read',
    summary: 'Evidence that holders of experts answered with other weights than they named, the newest first',
    query: z.strictObject({ limit: z.coerce.number().int().min(1).max(1024).default(100) }),
    answer: 'application/json',
    answerDescription: 'a list: `number`, `holder`, `peerId`, `reporter`, `event`, `weights`, `exhibits`, `time`',
    handle: async ({ query }, { node }) => ({
      kind: 'json',
      body: (await importExpertEvidenceViews()).expertEvidenceViews(node.ledger, query.limit)
    })
  }),
  route({
    method: 'GET',
    path: '/v0/evidence/holders/:number/check',
    scope: 'read',
    summary: 'Computes again what evidence against a holder says, with the weights on this machine',
    params: z.strictObject({ number: z.coerce.number().int().min(1) }),
    answer: 'application/json',
    answerDescription:
      'as in the list, and `isProven`, `checked`: of each exhibit `weights`, `difference`, `doubt`, `isProven`',
    handle: async ({ params }, { node }) => ({ kind: 'json', body: await node.checkExpertEvidence(params.number) })
  })
]
