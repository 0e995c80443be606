/**
 * ledger: handlers of the state machine that move coins on chain C, and say who the validators are and what they did.
 * In: events `transfer`, `validator-*`, `evidence`. Out: changed state, blocks on chain C and (evidence) chain A.
 * Pure: it knows no network, disk, clock or logger. Amounts are `bigint` base units (1 BLY is 10^9).
 */
export { schedule } from './book/agenda.ts'
export { circulating } from './book/begin.ts'
export { balanceOf, balancePrefix, frozenKey, move, systemAccounts } from './book/book.ts'
export { type Coin, coins, unitsPerCoin } from './book/coins.ts'
export { supplyOf } from './book/conservation.ts'
export { eventOfKey } from './book/event-keys.ts'
export { accountText } from './book/fields.ts'
export { issuanceAt } from './book/issuance.ts'
export { type LedgerInput, ledgerHandler } from './book/ledger-handler.ts'
export type { LedgerRule, RuleInput } from './book/rule.ts'
export { createEconomy, periodNow } from './economy.ts'
export { evidenceHandler, type Offence, offenceKey, offencePrefix } from './evidence.ts'
export {
  aurumValue,
  type GiftedNode,
  type GiftedPayment,
  type GifterKind,
  type GiftingPeriod,
  giftConsent,
  giftedNodes,
  giftedPayment,
  giftingPeriod,
  growthNames,
  type Impacts,
  isMetered,
  type MeterCoin,
  type MeteredKind,
  meterCoins,
  noteGiftedObserved,
  openOffer,
  quoteOf,
  type Resources,
  readGifted,
  type ScalingPeriod,
  scalingPeriod,
  specialisationCapacities,
  tariffs
} from './gifted/index.ts'
export { type Hold, type HoldStatus, holdIdOf, holdPrefix, readHold } from './holds/index.ts'
export { ledgerRules } from './ledger-rules.ts'
export { numberOf, parameterOf, parameterTable } from './parameters.ts'
export {
  countsOfAll,
  expertReward,
  isCorrect,
  isFast,
  lastSeenMs,
  periodsKept,
  presentPpm,
  readSettlement,
  type Settlement,
  scaled,
  type ValidatorWork,
  validatorReward,
  workOf
} from './rewards/index.ts'
export { chargeForEvidence } from './slashing/accuse.ts'
export {
  type Evidence as PunishmentEvidence,
  invalidOffenceKey,
  type Punishment,
  punishmentCount,
  readPunishment
} from './slashing/index.ts'
export {
  bondedStakeOf,
  bondsOf,
  candidatePools,
  claimableBy,
  entryUnits,
  isCandidate,
  keyProof,
  memberOperators,
  operatorOf,
  type Pool,
  peerProof,
  poolOfStored,
  poolOperators,
  poolPrefix,
  readPool,
  requireMemberOperator,
  requireStakeMatches,
  selfStakeOf,
  totalBonded,
  type UnbondingEntry,
  unbondingOf,
  unbondingTotal
} from './staking/index.ts'
export { transferHandler } from './transfer.ts'
export { rotationPayload, rotationSigningBytes, validatorHandlers } from './validators.ts'
export {
  ballotCount,
  ballotsOf,
  closedProposals,
  contentOf,
  gated,
  neededOf,
  openProposals,
  originOf,
  outcomeOf,
  type Pause,
  type Proposal,
  type ProposalPayload,
  parameterInvariants,
  pauseOf,
  proposalKinds,
  readProposal,
  storedTally,
  tallyOf,
  type VotePayment
} from './votes/index.ts'
