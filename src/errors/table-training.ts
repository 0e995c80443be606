import type { ErrorEntry } from './error-entry.ts'

/** Failures of the training engine. */
export const trainingErrors = {} as const satisfies Record<string, ErrorEntry>
