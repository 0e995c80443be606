import type { Route } from './route.ts'
import { chainRoutes } from './routes/chain-routes.ts'
import { chatRoutes } from './routes/chat-routes.ts'
import { continuityRoutes } from './routes/continuity-routes.ts'
import { dashboardRoutes } from './routes/dashboard-routes.ts'
import { eventRoutes } from './routes/event-routes.ts'
import { expertEvidenceRoutes } from './routes/expert-evidence-routes.ts'
import { expertRoutes } from './routes/expert-routes.ts'
import { giftedRoutes } from './routes/gifted-routes.ts'
import { learningRoutes } from './routes/learning-routes.ts'
import { modelRoutes } from './routes/model-routes.ts'
import { moneyRoutes } from './routes/money-routes.ts'
import { operationRoutes } from './routes/operation-routes.ts'
import { rewardsRoutes } from './routes/rewards-routes.ts'
import { slashingRoutes } from './routes/slashing-routes.ts'
import { snapshotRoutes } from './routes/snapshot-routes.ts'
import { stakingRoutes } from './routes/staking-routes.ts'
import { statusRoutes } from './routes/status-routes.ts'
import { tensorRoutes } from './routes/tensor-routes.ts'
import { validatorRoutes } from './routes/validator-routes.ts'
import { votesRoutes } from './routes/votes-routes.ts'

/** Every route there is. The server and the OpenAPI document are both made from this list. */
export const routeTable: readonly Route[] = [
  ...dashboardRoutes,
  ...statusRoutes,
  ...eventRoutes,
  ...moneyRoutes,
  ...chainRoutes,
  ...validatorRoutes,
  ...stakingRoutes,
  ...rewardsRoutes,
  ...slashingRoutes,
  ...expertEvidenceRoutes,
  ...votesRoutes,
  ...continuityRoutes,
  ...giftedRoutes,
  ...snapshotRoutes,
  ...tensorRoutes,
  ...expertRoutes,
  ...modelRoutes,
  ...learningRoutes,
  ...chatRoutes,
  ...operationRoutes
]
