/**
 * slashing: what validators are punished for, how it is proven or counted, and how a punishment is undone.
 */
import type { Genesis } from '../../dag/index.ts'
import type { LedgerRule } from '../book/rule.ts'
import { judgeCensorship } from './censorship.ts'
import { noteCommit, noteRound } from './committed-time.ts'
import { chargeDay, downtimeDayKind, judgeAbsence } from './downtime.ts'
import { invalidEvidenceHandler } from './invalid-handler.ts'
import { forgetOffences } from './offence-counts.ts'
import { noteOmissions } from './omissions.ts'
import { RoomToJail } from './room-to-jail.ts'

export { undoPunishment } from './appeal.ts'
export { type InvalidOffence, invalidOffenceKey, invalidOffencePrefix } from './invalid-handler.ts'
export { type OffenceCount, offencesIn } from './offence-counts.ts'
export {
  type Evidence,
  type OffenceKind,
  type Punishment,
  punishmentCount,
  punishmentsOf,
  readPunishment
} from './punishments.ts'

/** Punishments by committed data; those by evidence come with their events. */
export function slashingRule(genesis: Genesis): LedgerRule {
  return {
    name: 'slashing',
    handlers: [invalidEvidenceHandler({ genesis })],
    afterCommit: (input, seen) => {
      noteCommit(input, seen)
      noteOmissions(input, seen)
    },
    due: { [downtimeDayKind]: chargeDay },
    settle: (input, period) => {
      noteRound(input.state, period)
      const room = new RoomToJail(input.state, input.genesis)
      judgeAbsence(input, period, room)
      judgeCensorship(input, period, room)
      forgetOffences(input.state, period.number)
    }
  }
}
