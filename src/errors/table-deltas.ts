import type { ErrorEntry } from './error-entry.ts'

/** Failures of deltas, codecs and versions of tiles. */
export const deltasErrors = {} as const satisfies Record<string, ErrorEntry>
