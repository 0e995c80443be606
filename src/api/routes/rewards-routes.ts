import { z } from 'zod'
import { BlyanError } from '../../errors/index.ts'
import { type BlyanNode, importRewardsViews } from '../../node/index.ts'
import { type Route, route } from '../route.ts'

/** What validators and the holders of experts earned, with every number it was computed from. */
export const rewardsRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/rewards',
    scope: 'read',
    summary: 'Settled periods, the newest first, with every number that rewards were computed from',
    query: z.strictObject({
      period: z.coerce.number().int().min(1).optional().describe('only this one'),
      last: z.coerce.number().int().min(1).max(64).default(1).describe('how many, unless a period is given')
    }),
    answer: 'application/x-ndjson',
    answerDescription:
      'one line each: `period`, `rounds`, `spanMs`, `baseUnits`, `validatorScale`, `validators`, `experts`, ... (docs/protocol.md, "Rewards")',
    handle: async ({ query }, { node }) => {
      const { settlementViews } = await importRewardsViews()
      return { kind: 'lines', items: each(settlementViews(ledgerOf(node), query)) }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/rewards/running',
    scope: 'read',
    summary: 'The period that runs, and what everybody would earn if it ended now',
    answer: 'application/json',
    answerDescription: '`period`, `since`, `endsAt`, `rounds`, `spanMs`, `baseUnits`, `validators`',
    handle: async (_input, { node }) => {
      const { runningPeriodView } = await importRewardsViews()
      return { kind: 'json', body: runningPeriodView(ledgerOf(node)) }
    }
  })
]

function ledgerOf(node: BlyanNode): BlyanNode['ledger'] {
  const { ledger } = node
  if (ledger.genesis.file.economy === undefined) throw new BlyanError('ECONOMY_NONE')
  return ledger
}

async function* each<Item>(items: readonly Item[]): AsyncIterable<Item> {
  yield* items
}
