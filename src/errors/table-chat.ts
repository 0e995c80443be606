import type { ErrorEntry } from './error-entry.ts'

/** Failures of chat interfaces. */
export const chatErrors = {
  OPEN_BODIES_FULL: {
    message: 'all {limitBytes} bytes for requests that are being read are taken',
    nextStep: 'ask again in {retryAfterMs} ms',
    fault: 'machine',
    retry: true,
    httpStatus: 429
  },
  TEXT_NOT_UTF8: {
    message: '{what} is not valid UTF-8',
    nextStep: 'send text as UTF-8, with every character whole',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  PROMPT_TEXT_TOO_LONG: {
    message: 'the messages have {characters} characters and the model "{model}" reads at most {tokensMax} tokens',
    nextStep: 'shorten the messages or leave out older ones',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  CHAT_FIELD_UNSUPPORTED: {
    message: '"{field}" cannot be had here: {reason}',
    nextStep: 'leave that field out',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  WEBSOCKET_NEEDED: {
    message: 'this address answers over WebSocket only',
    nextStep: 'open it as a WebSocket, or ask POST /v1/chat/completions with "stream": true',
    fault: 'user',
    retry: false,
    httpStatus: 426
  },
  STREAM_MESSAGE_INVALID: {
    message: 'the message makes no sense: {reason}',
    nextStep: 'see "Asking over a WebSocket" in docs/protocol.md',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  STREAM_ANSWER_OPEN: {
    message: 'an answer called "{id}" is being made on this connection already',
    nextStep: 'choose another id, or wait for its end',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  TAB_REFUSED: {
    message: 'holder {peer} does not go on with its tab: {reason}',
    nextStep: 'nothing to do here: it is tried again later, and other holders are asked meanwhile',
    fault: 'peer',
    retry: true,
    httpStatus: 502
  },
  STREAM_ANSWERS_FULL: {
    message: '{limit} answers are being made on this connection already',
    nextStep: 'wait for the end of one, cancel one, or open another connection',
    fault: 'user',
    retry: true,
    httpStatus: 429
  }
} as const satisfies Record<string, ErrorEntry>
