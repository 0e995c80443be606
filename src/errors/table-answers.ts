import type { ErrorEntry } from './error-entry.ts'

/** Failures of answering. */
export const answersErrors = {} as const satisfies Record<string, ErrorEntry>
