import type { ErrorEntry } from './error-entry.ts'

/** Failures of reading and drawing text to learn from. */
export const datasetsErrors = {} as const satisfies Record<string, ErrorEntry>
