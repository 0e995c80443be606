import { z } from 'zod'
import type { EventHandler, Genesis } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { accountText } from '../book/fields.ts'
import { ledgerHandler } from '../book/ledger-handler.ts'
import { periodNow } from '../economy.ts'
import { refuse } from '../payload.ts'
import { requireMemberOperator } from '../staking/members.ts'
import { addScore, scorePpmMax, scoresMax, scoresOf } from './scores.ts'
import { isExpert } from './usage.ts'

const schema = z.strictObject({
  expert: z.string().min(1).max(64),
  holder: accountText,
  scorePpm: z.custom<number>(Number.isSafeInteger, 'expected a whole number').superRefine((score, context) => {
    if (score < 0 || score > scorePpmMax) refuse(context, 'SCORE_OUT_OF_RANGE', { score: String(score) })
  })
})

/** `expert-score`: once for each expert, holder and period, by who answers for a validator of the set. */
export function scoreHandler(genesis: Genesis): EventHandler {
  return ledgerHandler({
    type: 'expert-score',
    purpose: 'what the operator of a validator thinks of how an account serves an expert, in this period',
    genesis,
    schema,
    isFree: true,
    apply: ({ state, author }, score) => {
      const { expert, holder } = score
      requireMemberOperator(state, genesis, author)
      if (!isExpert(state, expert)) throw new BlyanError('SCORE_EXPERT_UNKNOWN', { expert })
      const { number: period } = periodNow(state, genesis)
      const { now } = scoresOf(state, author, period)
      if (now.some(one => one.expert === expert && one.holder === holder))
        throw new BlyanError('SCORED_ALREADY', { expert, holder, period })
      if (now.length >= scoresMax) throw new BlyanError('SCORES_TOO_MANY', { limit: scoresMax, period })
      addScore(state, author, period, score)
    }
  })
}
