import type { ErrorEntry } from './error-entry.ts'

/** Failures of changes of the validator set, and of evidence against validators. */
export const validatorErrors = {
  VALIDATOR_NOT_CANDIDATE: {
    message: '{key} is not a candidate',
    nextStep: 'its node must ask first, with "blyan-node validator join"; see "blyan-node validator list"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VALIDATOR_UNKNOWN: {
    message: '{key} is not a validator of this epoch',
    nextStep: 'see who is with "blyan-node validator list"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VALIDATOR_ALREADY: {
    message: '{key} is a validator already, or will be one with the next set',
    nextStep: 'nothing to do; see "blyan-node validator list"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VALIDATOR_APPROVED_TWICE: {
    message: 'this validator has approved that of {key} already',
    nextStep: 'nothing to do; "blyan-node validator list" shows who else has to approve',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VALIDATOR_NOTHING_TO_WITHDRAW: {
    message: 'this validator has nothing of that kind to take back about {key}',
    nextStep: 'see what is pending with "blyan-node validator list"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VALIDATOR_KEY_PROOF_WRONG: {
    message: 'the new key {key} has not signed for this change',
    nextStep: 'let the node make the change with "blyan-node validator rotate"; it signs with both keys',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VALIDATOR_KEY_UNFIT: {
    message: 'the key {key} cannot be one of a validator: it is not Ed25519',
    nextStep: 'use an Ed25519 key: "blyan-node keys new validator" makes one',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VALIDATOR_SET_FULL: {
    message: 'the set would have more than 256 validators, candidates or changes',
    nextStep: 'wait until somebody has left, or until the next epoch has begun',
    fault: 'user',
    retry: true,
    httpStatus: 409
  },
  VALIDATOR_SET_EMPTY: {
    message: 'this would leave no validator',
    nextStep: 'let another validator join first',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VALIDATOR_PEER_ID_TAKEN: {
    message: 'the peer id {peerId} belongs to another validator',
    nextStep: 'give each validator a node key of its own ("blyan-node keys rotate")',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VALIDATOR_NO_KEY: {
    message: 'this node has no validator key{detail}',
    nextStep: 'make one with "blyan-node keys new validator", set node.roles = ["validator"] and start again',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  EVIDENCE_INVALID: {
    message: 'the evidence proves nothing: {part}',
    nextStep: 'see "Evidence" in docs/protocol.md',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  EVIDENCE_KNOWN: {
    message: 'that offence of epoch {epoch} is recorded already',
    nextStep: 'nothing to do; see "blyan-node evidence list"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  PROOF_TOO_LARGE: {
    message: 'the proof would have to follow {epochs} epochs, more than the {epochsMax} that one file holds',
    nextStep: 'prove the event from a node that keeps an earlier certificate, or check it on a node of your own',
    fault: 'machine',
    retry: false,
    httpStatus: 409
  }
} as const satisfies Record<string, ErrorEntry>
