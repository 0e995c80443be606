import type { ErrorEntry } from './error-entry.ts'

/** Failures of reading and drawing text to learn from. */
export const datasetsErrors = {
  CORPUS_UNREADABLE: {
    message: '{folder} cannot be read: {reason}',
    nextStep: 'name a folder of text or code that this user may read',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  CORPUS_EMPTY: {
    message: 'there is no text to learn from in {folder}; it holds: {found}',
    nextStep: 'name a folder with text or code in UTF-8; hidden files, links and private keys are never read',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  CORPUS_TOO_SMALL: {
    message:
      '{folder} holds {training} bytes of text to train on and {heldOut} to hold out; {trainingBytesMin} and {heldOutBytesMin} are needed',
    nextStep: 'add more text: 100 KB is enough, more is better',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  CORPUS_LIMIT_INVALID: {
    message: '{bytesMax} is no amount of text to read, which is 1 to {highestBytes} bytes',
    nextStep: 'name an amount within these limits',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  SHARD_INVALID: {
    message: 'shard {shard} is not what the chain says: {reason}',
    nextStep: 'nothing: who published it loses by it, other shards are drawn from',
    fault: 'peer',
    retry: false
  },
  DRAW_IMPOSSIBLE: {
    message: 'no text of {bytesEach} bytes can be drawn from {shards} shards',
    nextStep: 'publish more text, or use shorter sequences',
    fault: 'user',
    retry: false
  }
} as const satisfies Record<string, ErrorEntry>
