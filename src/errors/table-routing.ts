import type { ErrorEntry } from './error-entry.ts'

/** Failures of calls to experts on other nodes. */
export const routingErrors = {} as const satisfies Record<string, ErrorEntry>
