import type { ErrorEntry } from './error-entry.ts'

/** Failures of the quorum: signing, vertices, checkpoints, catching up. */
export const consensusErrors = {
  SIGNER_STATE_DAMAGED: {
    message: '{file} cannot be read, so it is not known what this validator key signed last',
    nextStep:
      'restore the file from a backup that is not older than the last run; signing without it risks signing twice',
    fault: 'machine',
    retry: false
  },
  DATABASE_IN_USE: {
    message: 'the database in {folder} is open in another process',
    nextStep: 'stop the other process, or give this one another folder with --data',
    fault: 'user',
    retry: true,
    exitCode: 4
  },
  DATABASE_DAMAGED: {
    message: 'the database in {folder} is damaged',
    nextStep:
      'stop the node and run "blyan-node snapshot restore FILE", or "blyan-node start --repair" to fetch everything from peers; keys and signer-state.json stay as they are',
    fault: 'machine',
    retry: false
  },
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
    nextStep:
      'choose another with --listen /ip4/0.0.0.0/tcp/PORT or network.listen in config.toml (port 0 takes any free one)',
    fault: 'user',
    retry: false
  },
  SIGN_TWICE: {
    message: 'this key already signed another vertex for round {round}',
    nextStep: 'make sure that no other process uses this validator key, then start again',
    fault: 'user',
    retry: false
  },
  VALIDATOR_KEY_IN_USE: {
    message: 'another process signs with this validator key: it has signed a vertex of round {round} that is not ours',
    nextStep:
      'stop the other one before you start this again; one validator key is for one process, never for a spare beside it',
    fault: 'user',
    retry: false,
    exitCode: 4
  },
  SIGNER_RECOVERY_WAITING: {
    message:
      'it is not known here what this validator key signed last; waiting until {waitsFor} say what they saw of it',
    nextStep:
      'bring those validators back or mend the connection; or stop the node and import an export of this key that was made after its last run ("blyan-node keys import")',
    fault: 'machine',
    retry: true,
    exitCode: 7,
    httpStatus: 503
  },
  SIGN_BELOW_FLOOR: {
    message: 'round {round} is below {floorRound}, which this key has signed already',
    nextStep: 'wait: the node goes on above its floor by itself once it has caught up',
    fault: 'machine',
    retry: true
  }
} as const satisfies Record<string, ErrorEntry>
