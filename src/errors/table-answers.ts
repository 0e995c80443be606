import type { ErrorEntry } from './error-entry.ts'

/** Failures of answering. */
export const answersErrors = {
  MODEL_UNKNOWN: {
    message: 'this network has no model called "{model}"; it has {known}',
    nextStep: 'name one of those, or none for that of the network; "blyan-node model list" shows them',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  MODEL_INCOMPLETE: {
    message: '{missing} of {parts} parts of the model "{model}" are not on chain yet, {first} among them',
    nextStep:
      'wait until its import is done, or have its author run "blyan-node model import" again: it goes on where it was',
    fault: 'user',
    retry: true,
    httpStatus: 409
  },
  PROMPT_TOO_LONG: {
    message: 'the prompt has {tokens} tokens and the model "{model}" reads at most {tokensMax}',
    nextStep: 'shorten the prompt or leave out older messages',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  PROMPT_EMPTY: {
    message: 'the prompt has no tokens',
    nextStep: 'give a text to answer',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  PROMPT_INVALID: {
    message: 'the prompt is not one of the model "{model}": {reason}',
    nextStep: 'make its tokens with the tokenizer of that model',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  ANSWER_QUEUE_FULL: {
    message: '{running} answers are being made and {waiting} wait already',
    nextStep: 'ask again in {retryAfterMs} ms',
    fault: 'machine',
    retry: true,
    httpStatus: 429
  },
  MODEL_TOO_LARGE: {
    message:
      '{experts} experts of the model "{model}" are not here; they need {neededBytes} bytes and the limit of this node leaves {leftBytes}',
    nextStep: 'ask in mode "distributed", or raise experts.diskBytesMax in config.toml',
    fault: 'machine',
    retry: false,
    httpStatus: 507
  }
} as const satisfies Record<string, ErrorEntry>
