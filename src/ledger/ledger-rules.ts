import type { Genesis } from '../dag/index.ts'
import type { LedgerRule } from './book/rule.ts'
import { giftedRule } from './gifted/index.ts'
import { moneyRule } from './money/index.ts'
import { rewardsRule } from './rewards/index.ts'
import { slashingRule } from './slashing/index.ts'
import { stakingRule } from './staking/index.ts'
import { votesRule } from './votes/index.ts'

/** The rules of the ledger, in the order in which they act on a commit and at a settlement. */
export function ledgerRules(genesis: Genesis): LedgerRule[] {
  return [
    moneyRule(genesis),
    rewardsRule(genesis),
    slashingRule(genesis),
    votesRule(genesis),
    giftedRule(genesis),
    stakingRule(genesis)
  ]
}
