import type { ErrorEntry } from './error-entry.ts'

/** Failures of events, chains and proofs. */
export const chainErrors = {
  EVENT_REFUSED: {
    message: 'event {eventId} is final at place {sequence}, and was refused there: {code}',
    nextStep: 'see "{code}" in docs/errors.md; the event changed nothing, submit a corrected one',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  EVENT_INVALID: {
    message: 'not a signed event: {reason}',
    nextStep: 'build it as docs/protocol.md, "Signed event", says',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  EVENT_SIGNATURE_WRONG: {
    message: 'the signature of the event is wrong, or it was made for another network',
    nextStep: 'sign the envelope with the key of its author for genesis {genesis}',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  EVENT_TYPE_UNKNOWN: {
    message: 'there is no event type "{type}"',
    nextStep: 'use one of: {known}',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  EVENT_PAYLOAD_INVALID: {
    message: 'the payload is not one of a "{type}" event: {reason}',
    nextStep: 'see "Event types" in docs/protocol.md',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  EVENT_PAYLOAD_TOO_LARGE: {
    message: 'a payload of {sizeBytes} bytes is over the limit of {limitBytes}',
    nextStep: 'store large data with "blyan-node tensor put" and refer to its CID',
    fault: 'user',
    retry: false,
    httpStatus: 413
  },
  EVENT_CLOCK_REPLAYED: {
    message: 'logicalClock {logicalClock} of this author is used already; the next is {expected}',
    nextStep: 'sign again with logicalClock {expected}',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  EVENT_CLOCK_GAP: {
    message: 'logicalClock {logicalClock} leaves a gap; the next of this author is {expected}',
    nextStep: 'send the events in between first, or sign again with logicalClock {expected}',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  EVENT_NOT_AUTHORISED: {
    message: 'the account may not submit "{type}" events: {reason}',
    nextStep: 'use an account that has stake in this network',
    fault: 'user',
    retry: false,
    httpStatus: 403
  },
  EVENT_UNKNOWN: {
    message: 'no event {eventId} is known here',
    nextStep:
      'check the id with "blyan-node event list"; an event that is not final yet is known only where it was submitted',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  NOT_FINAL_IN_TIME: {
    message: 'event {eventId} is not final after {timeoutMs} ms',
    nextStep:
      'it is still pending: ask with "blyan-node event show {eventId}", and see "blyan-node status" for the quorum',
    fault: 'machine',
    retry: true,
    exitCode: 7,
    httpStatus: 504
  },
  MEMPOOL_FULL: {
    message: 'this node has as many pending events as it takes',
    nextStep: 'wait a moment and send it again, or use another node',
    fault: 'machine',
    retry: true,
    httpStatus: 503
  },
  PART_PARENT_UNKNOWN: {
    message: '"{parent}" is not the newest block of {name}, which is {newest}',
    nextStep: 'build on the newest version ("blyan-node expert show {name}") and submit again',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  PART_SHAPE_WRONG: {
    message: '{name} has the shape {expected} in this model, not {shape}',
    nextStep: 'store a tensor of the right shape and submit its CID',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  BALANCE_TOO_LOW: {
    message: 'the account holds {balance} base units and {amount} are needed',
    nextStep: 'send a smaller amount, or top the account up first',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  PROOF_NOT_YET: {
    message: 'the checkpoint that covers event {eventId} does not have a quorum of signatures yet',
    nextStep: 'try again in a second',
    fault: 'machine',
    retry: true,
    exitCode: 7,
    httpStatus: 425
  },
  CHECKPOINT_UNKNOWN: {
    message: 'no checkpoint {sequence} is known here',
    nextStep: 'see "blyan-node status" for the newest one',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  CHAIN_CYCLE: {
    message: 'block {block} depends on itself',
    nextStep: 'the data folder is damaged: stop the node, move it away and join again',
    fault: 'machine',
    retry: false
  },
  CHAIN_DEPENDENCY_UNKNOWN: {
    message: 'block {block} depends on {dependency}, which is not there',
    nextStep: 'submit the blocks it builds on first',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  CHAIN_DAMAGED: {
    message: 'the data on disk does not verify: {reason}',
    nextStep:
      'stop the node and run "blyan-node snapshot restore FILE", or "blyan-node start --repair" to fetch everything from peers; keys and signer-state.json stay as they are',
    fault: 'machine',
    retry: false
  },
  PART_UNKNOWN_ON_CHAIN: {
    message: 'chain B has no part "{name}"',
    nextStep: 'see the names with "blyan-node expert list"',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  EXPERTS_DISABLED: {
    message: 'this node does not compute with the model (experts.enabled is false)',
    nextStep: 'set experts.enabled = true in config.toml and start again, or ask another node',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VALIDATOR_KEY_FOREIGN: {
    message: 'the validator key here ({key}) is not in the validator set, and does not ask to be',
    nextStep:
      'import the right key with "blyan-node keys import"; to become a validator start with --candidate and run "blyan-node validator join"; to follow the network start without the role validator',
    fault: 'user',
    retry: false,
    exitCode: 3
  },
  GENESIS_INVALID: {
    message: 'the genesis file does not make sense: {reason}',
    nextStep:
      'get the file again from where the network publishes it; "blyan-node devnet up" makes one for a network of your own',
    fault: 'user',
    retry: false,
    exitCode: 3
  },
  GENESIS_PACT_DIFFERS: {
    message: 'this build carries another Genesis Pact ({ours}) than the genesis file names ({theirs})',
    nextStep: 'install the version of blyan-node that this network runs, or use the right genesis file',
    fault: 'user',
    retry: false,
    exitCode: 3
  },
  ENCODING_INVALID: {
    message: 'not canonical DAG-CBOR within limits: {reason}',
    nextStep: 'encode the object as docs/protocol.md says and send it again',
    fault: 'peer',
    retry: false,
    httpStatus: 400
  },
  CID_INVALID: {
    message: '"{text}" is not a CID of this network (CIDv1, SHA-256)',
    nextStep: 'copy the whole CID as the command that made it printed it',
    fault: 'user',
    retry: false,
    httpStatus: 400
  }
} as const satisfies Record<string, ErrorEntry>
