import type { ErrorEntry } from './error-entry.ts'

/** Failures of what is stored: damaged records, snapshots, history that was pruned. */
export const storageErrors = {
  DATABASE_RECORD_DAMAGED: {
    message:
      'in the database in {folder}, {record} is not what was written: the disk or the memory of this machine changed it',
    nextStep:
      'stop the node and run "blyan-node snapshot restore FILE", or "blyan-node start --repair" to fetch everything from peers; then check the disk',
    fault: 'machine',
    retry: false
  },
  DATABASE_NOT_REPLACED: {
    message: 'the database in {folder} could not be replaced: {reason}',
    nextStep: 'nothing was changed; see the reason, then try again',
    fault: 'machine',
    retry: true
  },
  GENESIS_CHANGED: {
    message: 'the database in {folder} belongs to genesis {stored}, and the genesis file is now {given}',
    nextStep: 'put the genesis file back as it was; a data folder is for one network, choose another one with --data',
    fault: 'user',
    retry: false,
    exitCode: 3
  },
  SNAPSHOT_NONE: {
    message: 'there is no snapshot {what}',
    nextStep: 'see "blyan-node snapshot list", or make one with "blyan-node snapshot create"',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  SNAPSHOT_NOT_YET: {
    message: 'no snapshot can be made now: {reason}',
    nextStep: 'try again once the node is ready ("blyan-node wait")',
    fault: 'machine',
    retry: true,
    exitCode: 7,
    httpStatus: 425
  },
  SNAPSHOT_INVALID: {
    message: 'not a snapshot: {reason}',
    nextStep: 'give a file that "blyan-node snapshot create" wrote',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  SNAPSHOT_TRUNCATED: {
    message: 'the snapshot ends too early: {part} is not whole',
    nextStep: 'copy the file again, and compare its size with the original',
    fault: 'user',
    retry: false
  },
  SNAPSHOT_DAMAGED: {
    message: 'the snapshot is damaged: {part} {reason}',
    nextStep: 'use another copy of it, or make a new one on another node; nothing was changed here',
    fault: 'user',
    retry: false
  },
  SNAPSHOT_FOREIGN: {
    message: 'the snapshot belongs to genesis {theirs}, this node to {ours}',
    nextStep: 'use a snapshot of this network',
    fault: 'user',
    retry: false,
    exitCode: 3
  },
  SNAPSHOT_UNSIGNED: {
    message: 'checkpoint {sequence} of the snapshot is not certified by the validators of this network: {reason}',
    nextStep: 'do not trust this snapshot; get one from a node of this network',
    fault: 'peer',
    retry: false
  },
  BLOCK_PRUNED: {
    message: 'block {index} of chain {chain} is older than the history that this node keeps',
    nextStep: 'ask a node that keeps all of it (storage.history = "archive")',
    fault: 'user',
    retry: false,
    httpStatus: 410
  },
  EVENT_PRUNED: {
    message:
      'event {eventId} is not in the history that this node keeps, which begins at event {eventFirst}; it may be older',
    nextStep: 'ask a node that keeps all of it (storage.history = "archive")',
    fault: 'user',
    retry: false,
    httpStatus: 410
  },
  CHECKPOINT_PRUNED: {
    message:
      'checkpoint {sequence} is older than the history that this node keeps, which begins after checkpoint {after}',
    nextStep: 'ask a node that keeps all of it (storage.history = "archive")',
    fault: 'user',
    retry: false,
    httpStatus: 410
  }
} as const satisfies Record<string, ErrorEntry>
