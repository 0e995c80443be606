import type { ErrorEntry } from './error-entry.ts'

/** Failures of engines, devices, graphs and models. */
export const expertErrors = {
  ENGINE_LOST: {
    message: 'the engine process ended while it was working: {reason}',
    nextStep: 'ask again: the engine is started anew by itself',
    fault: 'machine',
    retry: true,
    httpStatus: 503
  },
  ENGINE_TIMEOUT: {
    message: 'the engine gave no answer to {operation} within {timeoutMs} ms',
    nextStep: 'ask again, or with less at once; look at the load of this machine',
    fault: 'machine',
    retry: true,
    httpStatus: 504
  },
  ENGINE_BUSY: {
    message: 'the engine has {openRequests} open requests already',
    nextStep: 'ask again in a moment',
    fault: 'machine',
    retry: true,
    httpStatus: 503
  },
  ENGINE_STOPPED: {
    message: 'the engine is not running',
    nextStep: 'start the node, or its engine, first',
    fault: 'us',
    retry: false,
    httpStatus: 503
  },
  ENGINE_FAILED: {
    message: 'the engine process was given up after {restarts} restarts; the last end was: {reason}',
    nextStep: 'run "blyan-node doctor", mend what it names, then start the node again',
    fault: 'machine',
    retry: false,
    httpStatus: 503
  },
  ENGINE_FAULT: {
    message: 'the engine could not do {operation}: {reason}',
    nextStep: 'run the command again with --verbose and report what it prints',
    fault: 'us',
    retry: false
  },
  ENGINE_REQUEST_INVALID: {
    message: 'the engine cannot be asked that: {reason}',
    nextStep: 'correct the request and send it again',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  ARCHITECTURE_INVALID: {
    message: 'the architecture record is not one of family blyan-moe/1 or blyan-moe/2: {reason}',
    nextStep: 'correct the record named in the message',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  MODEL_NOT_LOADED: {
    message: 'no model "{model}" is loaded in this engine',
    nextStep: 'load the model first',
    fault: 'us',
    retry: false,
    httpStatus: 409
  },
  PART_NOT_LOADED: {
    message: 'model "{model}" has no part "{part}" in this engine',
    nextStep: 'fetch and load the part first',
    fault: 'machine',
    retry: true,
    httpStatus: 409
  },
  PART_UNKNOWN: {
    message: 'the architecture has no part "{part}"',
    nextStep: 'use a name that "blyan-node model parts" lists',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  PART_FILE_INVALID: {
    message: 'the file of part "{part}" does not hold its tensor: {reason}',
    nextStep: 'delete the file and fetch the part again',
    fault: 'machine',
    retry: false
  },
  EXPERT_MEMORY_TOO_SMALL: {
    message: 'expert "{part}" cannot be computed in {memoryBytesMax} bytes of memory; it needs {leastBytes} at least',
    nextStep: 'give experts more memory in the configuration, or leave this one to others',
    fault: 'user',
    retry: false
  }
} as const satisfies Record<string, ErrorEntry>
