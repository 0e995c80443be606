import type { ErrorEntry } from './error-entry.ts'

/** Failures of offences and their punishment. */
export const slashingErrors = {
  EVIDENCE_KEY_WRONG: {
    message: 'the {part} was not signed by the key of the validator that it accuses',
    nextStep: 'nothing to do: whoever signed it cannot be named by this evidence',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  EVIDENCE_EPOCH_UNKNOWN: {
    message: 'the validators of epoch {epoch} are not known (any more): it is epoch {now}',
    nextStep: 'bring evidence within the eight epochs after the offence',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  EVIDENCE_NO_FAULT: {
    message: 'what the evidence shows breaks no rule ({kind})',
    nextStep: 'see "Evidence" in docs/protocol.md for what counts as invalid',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  EVIDENCE_CHECKPOINT_UNKNOWN: {
    message: 'the digest of checkpoint {sequence} is not known here any more, or not yet',
    nextStep: 'show two signed checkpoints of that sequence instead ("Evidence" in docs/protocol.md)',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  PUNISHMENT_UNKNOWN: {
    message: 'there is no punishment {punishment}',
    nextStep: 'see "blyan-node slashes list" for those there are',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  PUNISHMENT_UNDONE: {
    message: 'punishment {punishment} is undone already',
    nextStep: 'nothing to do; see "blyan-node slashes show {punishment}"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  }
} as const satisfies Record<string, ErrorEntry>
