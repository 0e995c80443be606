/**
 * rewards: what validators and the holders of experts earn in a period, counted from what was committed and nothing else.
 */
import type { Genesis } from '../../dag/index.ts'
import type { LedgerRule } from '../book/rule.ts'
import { noteCheckpoint } from './checkpoint-votes.ts'
import { owedDue, owedIsDue } from './payout.ts'
import { scoreHandler } from './score-event.ts'
import { settlePeriod } from './settle.ts'
import { tallyCommit } from './tally.ts'

export { type Budget, type Scale, scaled } from './budget.ts'
export {
  type ExpertWork,
  expertReward,
  isCorrect,
  isFast,
  recentMs,
  type ValidatorWork,
  validatorReward
} from './formulas.ts'
export { type ExpertRow, periodsKept, readSettlement, type Settlement, type ValidatorRow } from './history.ts'
export { owedTo } from './payout.ts'
export type { Counts } from './places.ts'
export { type Quality, type Score, SetOpinion, scorePpmMax, scoresOf } from './scores.ts'
export { workOf } from './settle.ts'
export { countsOfAll, lastSeenMs, presentPpm } from './tally.ts'
export { type ExpertUsage, type HolderUsage, isExpert, noteUsage, readUsage } from './usage.ts'

export function rewardsRule(genesis: Genesis): LedgerRule {
  return {
    name: 'rewards',
    handlers: [scoreHandler(genesis)],
    afterCommit: tallyCommit,
    afterCheckpoint: noteCheckpoint,
    due: { [owedDue]: owedIsDue },
    settle: settlePeriod
  }
}
