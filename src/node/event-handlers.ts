import {
  datasetHandler,
  type Genesis,
  HandlerRegistry,
  modelHandler,
  modelRegisterHandler,
  noteHandler,
  partHandler
} from '../dag/index.ts'
import { continuityRule, expertEvidenceHandler } from '../guardian/index.ts'
import { learningPartRules, learningRule } from '../learning/index.ts'
import {
  createEconomy,
  evidenceHandler,
  gated,
  ledgerRules,
  transferHandler,
  validatorHandlers
} from '../ledger/index.ts'

/** What every event type does, and what happens between events: the same at every node, or their states would differ. */
export function createHandlers(genesis: Genesis): HandlerRegistry {
  const hasEconomy = genesis.file.economy !== undefined
  const partRules = hasEconomy ? learningPartRules(genesis) : undefined
  const handlers = [
    noteHandler,
    modelHandler,
    modelRegisterHandler,
    ...(['expert', 'router', 'attention', 'embedding'] as const).map(type => partHandler(type, partRules)),
    datasetHandler,
    expertEvidenceHandler(genesis)
  ]
  if (!hasEconomy)
    return new HandlerRegistry([
      ...handlers,
      transferHandler,
      ...validatorHandlers({ genesis }),
      evidenceHandler({ genesis })
    ])
  const rules = ledgerRules(genesis)
  const continuity = continuityRule(genesis)
  const learning = learningRule(genesis)
  return new HandlerRegistry(
    gated(
      [...handlers, evidenceHandler({ genesis }), ...[...rules, learning].flatMap(rule => rule.handlers)],
      continuity.handlers
    ),
    createEconomy(genesis, [...rules, continuity, learning])
  )
}
