import type { ErrorEntry } from './error-entry.ts'

/** Failures of chat interfaces. */
export const chatErrors = {} as const satisfies Record<string, ErrorEntry>
