import type { ErrorEntry } from './table.ts'

/** Failures of events, chains and proofs. */
export const chainErrors = {
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
