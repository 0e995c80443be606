import type { ErrorEntry } from './error-entry.ts'

/** Failures of integrity checks in use. */
export const integrityErrors = {
  COMMITMENT_INVALID: {
    message: 'a holder sent a commitment that does not stand for its answer: {reason}',
    nextStep: 'nothing to do: the holder is in quarantine and others are asked',
    fault: 'peer',
    retry: true,
    httpStatus: 502
  },
  SPOT_PROOF_INVALID: {
    message: 'a holder could not prove that it has tensor {cid}: {reason}',
    nextStep: 'nothing to do: the holder is in quarantine and others are asked',
    fault: 'peer',
    retry: true,
    httpStatus: 502
  },
  EXPERT_EVIDENCE_INVALID: {
    message: 'this is not evidence against a holder: {part}',
    nextStep: 'send the commitment, its signature and the rows with their paths exactly as they were received',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  EXPERT_EVIDENCE_KNOWN: {
    message: 'this evidence against {holder} was brought by the same account before',
    nextStep: 'nothing to do: it stands',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  EXPERT_EVIDENCE_UNKNOWN: {
    message: 'there is no evidence against a holder with the number {number}',
    nextStep: 'list what there is with "blyan-node evidence holders"; only the newest 1024 are kept',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  EXPERT_EVIDENCE_WEIGHTS: {
    message: 'evidence {number} cannot be checked here: {reason}',
    nextStep: 'fetch the weights with "blyan-node tensor fetch {tensor}", then check again',
    fault: 'user',
    retry: true,
    httpStatus: 409
  }
} as const satisfies Record<string, ErrorEntry>
