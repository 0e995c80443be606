import { z } from 'zod'
import { page } from '../inputs.ts'
import { type Route, route } from '../route.ts'

/** What is final: blocks and checkpoints. */
export const chainRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/chains/:chain/blocks',
    scope: 'read',
    summary: 'Blocks of a chain, in its order',
    params: z.strictObject({ chain: z.enum(['A', 'B', 'C', 'D']) }),
    query: page,
    answer: 'application/x-ndjson',
    answerDescription: 'one line each: `cid` and the header',
    handle: async ({ params, query }, { node }) => ({ kind: 'lines', items: node.chainBlocks(params.chain, query) })
  }),
  route({
    method: 'GET',
    path: '/v0/chains/verify',
    scope: 'read',
    summary: 'Check everything that is on disk',
    answer: 'application/json',
    answerDescription: '`valid`, `reason`, `blocks`, `events`, `stateRoot`, `since`',
    handle: async (_input, { node }) => ({ kind: 'json', body: await node.verifyChains() })
  }),
  route({
    method: 'GET',
    path: '/v0/checkpoint',
    scope: 'read',
    summary: 'A checkpoint: the newest, or the one of that sequence',
    query: z.strictObject({ sequence: z.coerce.number().int().min(0).optional() }),
    answer: 'application/json',
    answerDescription: 'the checkpoint and its signers',
    handle: async ({ query }, { node }) => ({ kind: 'json', body: await node.checkpoint(query.sequence) })
  })
]
