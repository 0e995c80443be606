import { importContinuityView } from '../../node/index.ts'
import { type Route, route } from '../route.ts'

/** Whether the network does without its owner, and who does what then. */
export const continuityRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/continuity',
    scope: 'read',
    summary: "Health of the owner's node and of holders, responsibilities, emergency council, history",
    answer: 'application/json',
    answerDescription:
      '`stage` (`owner`, `failover`, `returning`), `owner`, `quorumWeight`, `watched`, `responsibilities`, `council`, `candidates`, `history`',
    handle: async (_input, { node }) => ({
      kind: 'json',
      body: (await importContinuityView()).continuityView(node.ledger)
    })
  })
]
