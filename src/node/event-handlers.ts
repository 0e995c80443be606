import { datasetHandler, type Genesis, HandlerRegistry, modelHandler, noteHandler, partHandler } from '../dag/index.ts'
import { evidenceHandler, transferHandler, validatorHandlers } from '../ledger/index.ts'

/** What every event type does: the same list at every node, or their states would differ. */
export function createHandlers(genesis: Genesis): HandlerRegistry {
  return new HandlerRegistry([
    noteHandler,
    modelHandler,
    ...(['expert', 'router', 'attention', 'embedding'] as const).map(partHandler),
    datasetHandler,
    transferHandler,
    ...validatorHandlers({ genesis }),
    evidenceHandler({ genesis })
  ])
}
