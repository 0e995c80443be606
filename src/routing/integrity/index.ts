/** Checks of what holders answer: for routing (`committer`, `call-auditor`) and for the node that wires them. */
export type { AuditedCall, CallVerdict, Recheck, Recomputed, SignedCommitment } from './audit-types.ts'
export {
  type Asked,
  type CallAuditor,
  type CallAuditorNeeds,
  createCallAuditor,
  type WrongRow
} from './call-auditor.ts'
export { type Committer, type CommitterNeeds, createCommitter } from './committer.ts'
export type { WeightsAt } from './expert-weights.ts'
export { createLastWord, type LastWord, type LastWordNeeds } from './last-word.ts'
export { createSpotChecks, type SpotChecks, type SpotChecksNeeds } from './spot-checks.ts'
