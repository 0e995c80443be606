import { z } from 'zod'
import { importVotesView } from '../../node/index.ts'
import { flag } from '../inputs.ts'
import { type Route, route } from '../route.ts'

/** What is put to the vote, and what votes can change. To propose or vote is an event like others. */
export const votesRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/parameters',
    scope: 'read',
    summary: 'Every parameter of the economy: its value, its limits, who set it',
    answer: 'application/json',
    answerDescription:
      'a list: `name`, `value`, `usual`, `min`, `max`, `setBy` (`usual`, `genesis`, `proposal`), `proposal`, `setAt`, `purpose`, `invariants`',
    handle: async (_input, { node }) => ({
      kind: 'json',
      body: (await importVotesView()).parametersView(node.ledger)
    })
  }),
  route({
    method: 'GET',
    path: '/v0/proposals',
    scope: 'read',
    summary: 'Proposals that are voted on or in force, then the newest that are over',
    query: z.strictObject({ mine: flag('false').describe('only those of the account of this node') }),
    answer: 'application/json',
    answerDescription:
      'a list, the newest first: `id`, `kind`, `voteClass`, `title`, `proposer`, `status`, `openedAt`, `closesAt`, `decidedAt`, `endsAt`, `failure`, `voters`',
    handle: async ({ query }, { node }) => {
      const lines = (await importVotesView()).proposalsView(node.ledger)
      const body = query.mine ? lines.filter(({ proposer }) => proposer === node.ledger.account) : lines
      return { kind: 'json', body }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/proposals/:id',
    scope: 'read',
    summary: 'One proposal: what it asks for, its rule, its votes and how they stand',
    params: z.strictObject({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) }),
    answer: 'application/json',
    answerDescription: 'the line of the list, and `deposit`, `rule`, `tally`, `outcomeNow`, `content`, `votes`',
    handle: async ({ params }, { node }) => ({
      kind: 'json',
      body: (await importVotesView()).proposalView(node.ledger, params.id)
    })
  })
]
