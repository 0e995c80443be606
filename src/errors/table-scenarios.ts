import type { ErrorEntry } from './error-entry.ts'

/** Failures of economic scenarios. */
export const scenariosErrors = {
  SCENARIO_INVALID: {
    message: 'this is no scenario: {reason}',
    nextStep: 'compare it with one that is shipped: "blyan-node simulate list --show NAME"',
    fault: 'user',
    retry: false,
    exitCode: 2
  },
  SCENARIO_UNKNOWN: {
    message: 'there is no scenario "{name}", and no such file',
    nextStep: 'see what is shipped with "blyan-node simulate list"',
    fault: 'user',
    retry: false,
    exitCode: 2
  }
} as const satisfies Record<string, ErrorEntry>
