import type { ErrorEntry } from './error-entry.ts'

/** Failures of deltas, codecs and versions of tiles. */
export const deltasErrors = {
  DELTA_INVALID: {
    message: 'this is no valid delta: {reason}',
    nextStep: 'whoever made it has to encode and publish it again; nothing of it was used',
    fault: 'peer',
    retry: false,
    httpStatus: 422
  },
  DELTA_TOO_LARGE: {
    message: 'a delta of {sizeBytes} bytes is larger than the {limitBytes} that are allowed',
    nextStep: 'choose a codec that compresses more, or train fewer parts',
    fault: 'peer',
    retry: false,
    httpStatus: 413
  },
  DELTA_FOREIGN_NETWORK: {
    message: 'this delta is for network {network}, not for this one',
    nextStep: 'send it to a node of that network',
    fault: 'peer',
    retry: false,
    httpStatus: 422
  },
  DELTA_BASE_WRONG: {
    message: 'the delta of part {part} starts from version {base}, but {expected} belongs there',
    nextStep: 'start again from the version that the round names',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  DELTA_SHAPE_WRONG: {
    message: 'the delta does not have the shape of part {part}: {reason}',
    nextStep: 'make it with the architecture of the model that the round is for',
    fault: 'peer',
    retry: false,
    httpStatus: 422
  },
  PART_UPDATE_BASELESS: {
    message: 'part {name} has no version yet that an update could change',
    nextStep: 'publish its first version whole, without "update"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  PART_CHAIN_TOO_LONG: {
    message: 'part {name} has {limit} updates since its last snapshot, and takes no more',
    nextStep: 'publish this version whole, without "update": that is a snapshot, and the updates begin anew',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  PART_VERSION_UNAVAILABLE: {
    message: 'version {tensor} of part {name} is not here and could not be made or fetched: {reason}',
    nextStep: 'connect to more peers ("blyan-node peers"); the node tries again with the next round',
    fault: 'machine',
    retry: true,
    httpStatus: 503
  }
} as const satisfies Record<string, ErrorEntry>
