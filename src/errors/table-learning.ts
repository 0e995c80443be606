import type { ErrorEntry } from './error-entry.ts'

/** Failures of rounds, candidates and measurements. */
export const learningErrors = {} as const satisfies Record<string, ErrorEntry>
