import type { ErrorEntry } from './table.ts'

/** Failures of the quorum: signing, vertices, checkpoints, catching up. */
export const consensusErrors = {
  FRAME_TOO_LARGE: {
    message: 'a frame of {sizeBytes} bytes is over the limit of {frameBytesMax}',
    nextStep: 'nothing to do here: the peer that sent it is scored and cut off if it goes on',
    fault: 'peer',
    retry: false
  },
  FRAME_TRUNCATED: {
    message: 'the stream ended inside a frame',
    nextStep: 'nothing to do here: the request is tried with another peer',
    fault: 'peer',
    retry: true
  },
  PEER_REQUEST_FAILED: {
    message: 'peer {peerId} did not answer on {protocol}',
    nextStep: 'nothing to do here: another peer is asked; "blyan-node peers" shows who is there',
    fault: 'peer',
    retry: true,
    httpStatus: 504
  },
  LISTEN_ADDRESS_TAKEN: {
    message: 'cannot listen on {addresses}: the port is taken or the address is not of this machine',
    nextStep: 'choose another with --listen /ip4/0.0.0.0/tcp/PORT or network.listen in config.toml (port 0 takes any free one)',
    fault: 'user',
    retry: false
  },
  SIGN_TWICE: {
    message: 'this key already signed another vertex for round {round}',
    nextStep: 'make sure that no other process uses this validator key, then start again',
    fault: 'user',
    retry: false
  },
  SIGN_BELOW_FLOOR: {
    message: 'round {round} is below {floorRound}, which this key has signed already',
    nextStep: 'wait: the node goes on above its floor by itself once it has caught up',
    fault: 'machine',
    retry: true
  }
} as const satisfies Record<string, ErrorEntry>
