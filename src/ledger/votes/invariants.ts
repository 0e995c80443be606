import type { Genesis, StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { checkedParameter, type ParameterName, parameterOf } from '../parameters.ts'
import type { ParameterChange } from './payloads.ts'

type ValueAfter = (name: ParameterName) => bigint

/** What must hold between parameters, whatever is voted. */
export type ParameterInvariant = {
  /** For people. */
  readonly text: string
  readonly names: readonly ParameterName[]
  readonly holds: (valueAfter: ValueAfter) => boolean
}

/** `names[0] <= names[1]`. */
function ordered(lesser: ParameterName, greater: ParameterName, reason: string): ParameterInvariant {
  return {
    text: `${lesser} <= ${greater}: ${reason}`,
    names: [lesser, greater],
    holds: valueAfter => valueAfter(lesser) <= valueAfter(greater)
  }
}

export const parameterInvariants: readonly ParameterInvariant[] = [
  ordered('quoteMs', 'holdMs', 'what is authorised lives at least as long as its quote'),
  ordered('periodMs', 'downtimeAfterMs', 'a validator is away for a whole period before it is jailed'),
  ordered('votingMs', 'unbondingMs', 'who votes still has stake at risk when it is carried out'),
  ordered('emergencyVotingMs', 'votingMs', 'an emergency is not slower than an ordinary vote'),
  ordered('bondMinUnits', 'selfStakeMinUnits', 'an operator can bond what it must'),
  ordered('feeUnits', 'bondMinUnits', 'who can stake can pay for an event'),
  ordered('feeUnits', 'proposalDepositUnits', 'a deposit is worth more than a fee'),
  ordered('voteRewardUnits', 'proposalDepositUnits', 'a vote does not pay for a proposal'),
  ordered('giftedServedPpm', 'meterTreasuryPpm', 'to charge oneself costs more than it earns'),
  ordered('giftedHeartbeatMs', 'giftedSilentMs', 'a heartbeat comes before the last one is worth nothing'),
  ordered('giftedSilentMs', 'giftedForgetMs', 'a gifted node is silent before it is forgotten'),
  ordered('healthDegradedAfterMs', 'healthFailedAfterMs', 'a node is degraded before it has failed'),
  ordered('observationGapMs', 'healthDegradedAfterMs', 'a node can be seen before it counts as gone'),
  ordered('invalidProposalPpm', 'censorshipPpm', 'what harms the network more costs more')
]

/**
 * Checks that the changes can be made now. Throws PARAMETER_UNKNOWN, PARAMETER_OUT_OF_RANGE, PROPOSAL_BREAKS_INVARIANT.
 * Only what the changes touch is looked at: genesis may have chosen otherwise, knowingly.
 */
export function checkChanges(state: StateView, genesis: Genesis, changes: readonly ParameterChange[]): void {
  const after = new Map<ParameterName, bigint>()
  for (const { name, value } of changes) after.set(checkedParameter(name, BigInt(value)), BigInt(value))
  const valueAfter: ValueAfter = name => after.get(name) ?? parameterOf(state, genesis, name)
  for (const { text, names, holds } of parameterInvariants)
    if (names.some(name => after.has(name)) && !holds(valueAfter))
      throw new BlyanError('PROPOSAL_BREAKS_INVARIANT', { invariant: text })
}
