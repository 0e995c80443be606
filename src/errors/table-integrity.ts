import type { ErrorEntry } from './error-entry.ts'

/** Failures of integrity checks in use. */
export const integrityErrors = {} as const satisfies Record<string, ErrorEntry>
