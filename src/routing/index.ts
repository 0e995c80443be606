/**
 * routing: who computes which expert: asks holders for results, and goes on when one is slow, gone or lying.
 * In: rows for experts that are elsewhere, what peers say they hold, answers. Out: results, tallies, plans, calls answered.
 * core/ decides (holder, deadline, hedge, prediction) and knows no clock; beside it is what talks over channels.
 * Never touches: weights, tokens, text, money; who is asked sees only rows of activations.
 */

export { createExpertCaller, type ExpertCallerNeeds, type HolderCaller } from './expert-caller.ts'
export { createExpertHolder, type ExpertHolder, type ExpertHolderNeeds } from './expert-holder.ts'
export { createHoldingsBook, type HoldingsBook, type HoldingsBookNeeds } from './holdings-book.ts'
export {
  type Asked,
  type AuditedCall,
  type CallAuditor,
  type CallAuditorNeeds,
  type CallVerdict,
  type Committer,
  type CommitterNeeds,
  createCallAuditor,
  createCommitter,
  createLastWord,
  createSpotChecks,
  type LastWord,
  type LastWordNeeds,
  type Recheck,
  type Recomputed,
  type SignedCommitment,
  type SpotChecks,
  type SpotChecksNeeds,
  type WeightsAt,
  type WrongRow
} from './integrity/index.ts'
export type {
  CallMode,
  ExpertAddress,
  ExpertCaller,
  ExpertHome,
  HolderNeeds,
  HolderView,
  Holdings,
  Plan,
  PlanRequest,
  RequestTally,
  RoutingLogger
} from './routing-types.ts'
