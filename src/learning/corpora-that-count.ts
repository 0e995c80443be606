import { memberOperators } from '../ledger/index.ts'
import { type Corpus, corporaOf, learnerOf, modelsLearnt, trustOf } from './chain/index.ts'
import type { LearningChain } from './learning-chain.ts'

/**
 * Corpora whose held-out text judges others. To name text costs nothing, so that of accounts that did nothing for the
 * network counts only where there is no other: first those of operators and of who had something adopted, then those of
 * learners that committed, then all.
 */
export function corporaThatCount({ state, genesis }: Pick<LearningChain, 'state' | 'genesis'>): readonly Corpus[] {
  const all = corporaOf(state).filter(({ heldOut }) => heldOut.length > 0)
  const operators = new Set(memberOperators(state, genesis).map(({ operator }) => operator))
  const models = modelsLearnt(state)
  const isProven = ({ account }: Corpus): boolean => {
    const { level, successesInRow } = trustOf(state, account)
    return operators.has(account) || level !== 'newcomer' || successesInRow > 0
  }
  const hasCommitted = ({ account }: Corpus): boolean =>
    models.some(model => (learnerOf(state, model, account)?.lastCommitRound ?? 0) > 0)
  return [isProven, hasCommitted].map(is => all.filter(is)).find(some => some.length > 0) ?? all
}
