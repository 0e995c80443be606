/**
 * ledger: handlers of the state machine that move coins on chain C, and say who the validators are and what they did.
 * In: events `transfer`, `validator-*`, `evidence`. Out: changed state, blocks on chain C and (evidence) chain A.
 * Pure: it knows no network, disk, clock or logger. Amounts are `bigint` base units (1 BLY is 10^9).
 */
export { evidenceHandler, type Offence, offenceKey, offencePrefix } from './evidence.ts'
export { transferHandler } from './transfer.ts'
export { rotationPayload, rotationSigningBytes, validatorHandlers } from './validators.ts'
