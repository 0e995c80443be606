/**
 * ledger: handlers of the state machine that move coins on chain C.
 * In: events of type `transfer`. Out: changed balances in the state, blocks on chain C.
 * Pure: it knows no network, disk, clock or logger. Amounts are `bigint` base units (1 BLY is 10^9).
 */
export { transferHandler } from './transfer.ts'
