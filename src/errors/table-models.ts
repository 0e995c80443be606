import type { ErrorEntry } from './error-entry.ts'

/** Failures of importing models. */
export const modelsErrors = {} as const satisfies Record<string, ErrorEntry>
