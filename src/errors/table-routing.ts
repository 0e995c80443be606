import type { ErrorEntry } from './error-entry.ts'

/** Failures of calls to experts on other nodes. */
export const routingErrors = {
  EXPERT_NOT_AVAILABLE: {
    message: 'nobody computes experts {experts} of layer {layer} of model "{model}": {reason}',
    nextStep: 'ask again in a moment; see who holds them with "blyan-node experts", or give this node room for them',
    fault: 'peer',
    retry: true,
    httpStatus: 503
  },
  EXPERT_CALL_INVALID: {
    message: 'the experts cannot be called like that: {reason}',
    nextStep: 'run the command again with --verbose and report what it prints',
    fault: 'us',
    retry: false
  }
} as const satisfies Record<string, ErrorEntry>
