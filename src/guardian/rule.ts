import type { Genesis } from '../dag/index.ts'
import type { LedgerRule } from '../ledger/index.ts'
import { councilHandler, councilKind, endCouncilTerm } from './council.ts'
import { actOnDegraded, actOnHealth, degradedKind, giveBackOne, returnKind } from './failover.ts'
import { countHealth, forgetKind, forgetUnwatched, healthKind } from './health.ts'
import { observationHandler } from './observation-event.ts'
import { noteCheckpoint, recordHandlers } from './records.ts'
import { giveFirst, subjectsOf } from './responsibilities.ts'

/** Health of the owner's node and of holders, and who does what while the owner is away. */
export function continuityRule(genesis: Genesis): LedgerRule {
  return {
    name: 'continuity',
    handlers: [observationHandler(genesis), councilHandler(genesis), ...recordHandlers(genesis)],
    begin: input => giveFirst(input.state, genesis),
    afterCheckpoint: noteCheckpoint,
    due: {
      [healthKind]: actOnHealth,
      [forgetKind]: forgetUnwatched,
      [degradedKind]: actOnDegraded,
      [returnKind]: giveBackOne,
      [councilKind]: endCouncilTerm
    },
    urgent: [healthKind, degradedKind, returnKind, councilKind],
    // What was said gets old without an event, and where nobody could be elected somebody may be there now.
    settle: input => {
      for (const subject of subjectsOf(input.state, genesis)) {
        countHealth(input, subject)
        actOnHealth(input, subject)
      }
    }
  }
}
