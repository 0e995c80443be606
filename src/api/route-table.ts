import type { Route } from './route.ts'
import { chainRoutes } from './routes/chain-routes.ts'
import { eventRoutes } from './routes/event-routes.ts'
import { expertRoutes } from './routes/expert-routes.ts'
import { operationRoutes } from './routes/operation-routes.ts'
import { snapshotRoutes } from './routes/snapshot-routes.ts'
import { statusRoutes } from './routes/status-routes.ts'
import { tensorRoutes } from './routes/tensor-routes.ts'
import { validatorRoutes } from './routes/validator-routes.ts'

/** Every route there is. The server and the OpenAPI document are both made from this list. */
export const routeTable: readonly Route[] = [
  ...statusRoutes,
  ...eventRoutes,
  ...chainRoutes,
  ...validatorRoutes,
  ...snapshotRoutes,
  ...tensorRoutes,
  ...expertRoutes,
  ...operationRoutes
]
