/**
 * errors: every failure this program can name, in one table.
 * In: a code and its payload. Out: a message, the next step, an exit code and an HTTP status.
 * Never touches: anything else; every room may import this one.
 */
export { BlyanError, describeError, type ErrorDescription, type ErrorPayload, isBlyanError } from './blyan-error.ts'
export type { ErrorEntry } from './error-entry.ts'
export { type ErrorCode, errorTable } from './table.ts'
