import type { Genesis } from '../../dag/index.ts'
import type { LedgerRule } from '../book/rule.ts'
import { beginPools } from './begin.ts'
import { isNewEpoch, wantChangedSet, wantExactSet } from './next-set.ts'
import { operatorHandlers } from './operator-events.ts'
import { actOnIdle, actOnUnbonded, followSet, idleKind, tidyPool, unbondedKind } from './pool-life.ts'
import { stakeHandlers } from './stake-events.ts'
import { matureUnbonding, unbondingKind } from './unbonding.ts'

export { bondedStakeOf, bondOperators, bondsOf, bondUnits, totalBonded, unbondingTotal } from './bonds.ts'
export { claimableBy } from './claimable.ts'
export { addEarnings } from './earnings.ts'
export { isMember, type MemberOperator, memberOperators, requireMemberOperator } from './members.ts'
export { candidatePools, forceNextEpoch, isCandidate, selfStakeOf, setByStake } from './next-set.ts'
export { operatorOf, type Pool, poolOfStored, poolOperators, poolPrefix, readPool } from './pool-records.ts'
export { keyProof, peerIdOf, peerProof } from './proofs.ts'
export { jail, liftJail, slashPool } from './punish.ts'
export { requireStakeMatches } from './stake-matches.ts'
export { entryUnits, type UnbondingEntry, unbondingOf } from './unbonding.ts'

/** Stake, and the sets of validators that are made from it. */
export function stakingRule(genesis: Genesis): LedgerRule {
  return {
    name: 'staking',
    handlers: [...operatorHandlers(genesis), ...stakeHandlers(genesis)],
    begin: beginPools,
    afterCommit: input => {
      if (isNewEpoch(input.state, input.genesis)) followSet(input)
      wantChangedSet(input)
    },
    due: {
      [unbondingKind]: (input, id) => {
        const operator = matureUnbonding(input, id)
        if (operator !== undefined) tidyPool(input.state, input.genesis, operator)
      },
      [unbondedKind]: actOnUnbonded,
      [idleKind]: actOnIdle
    },
    settle: wantExactSet
  }
}
