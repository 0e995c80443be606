import { z } from 'zod'
import { BlyanError } from '../../errors/index.ts'
import { type BlyanNode, importStakingViews } from '../../node/index.ts'
import { type Route, route } from '../route.ts'

const account = z
  .string()
  .min(1)
  .max(128)
  .regex(/^z[1-9A-HJ-NP-Za-km-z]+$/, 'a public key')

/** Stake, and the operators who answer for validators. */
export const stakingRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/validators/:validator',
    scope: 'read',
    summary: 'One operator by its account, its name, or a key that its validator has or had',
    params: z.strictObject({ validator: z.string().min(1).max(128) }),
    answer: 'application/json',
    answerDescription:
      '`operator`, `name`, `key`, `stake`, `selfStake`, `commissionBasisPoints`, `state`, `jailedUntil`, `isMember`, `inNextSet`, `weight`',
    handle: async ({ params }, { node }) => {
      const { findOperator } = await importStakingViews()
      return { kind: 'json', body: findOperator(ledgerOf(node), params.validator) }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/stake',
    scope: 'read',
    summary: 'What an account has staked, what it earned with it, and what is on its way out',
    query: z.strictObject({ account: account.optional().describe("this node's own unless given") }),
    answer: 'application/json',
    answerDescription:
      '`account`, `total`, `bonds` (`operator`, `name`, `amount`, `earned`, `commission`), `unbonding` (`number`, `operator`, `name`, `amount`, `began`, `free`)',
    handle: async ({ query }, { node }) => {
      const { stakeView } = await importStakingViews()
      const ledger = ledgerOf(node)
      return { kind: 'json', body: stakeView(ledger, query.account ?? ledger.account) }
    }
  })
]

function ledgerOf(node: BlyanNode): BlyanNode['ledger'] {
  const { ledger } = node
  if (ledger.genesis.file.economy === undefined) throw new BlyanError('ECONOMY_NONE')
  return ledger
}
