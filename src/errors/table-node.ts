import type { ErrorEntry } from './error-entry.ts'

/** Failures of the daemon, its configuration, its data folder, its keys and its command line. */
export const nodeErrors = {
  DEVNET_RUNNING: {
    message: 'the network in {root} runs already: {name} is process {pid}',
    nextStep:
      'look at it with "blyan-node status --data {root}/{name}", or stop it with "blyan-node devnet down --data {root}"',
    fault: 'user',
    retry: false,
    exitCode: 4
  },
  DEVNET_MISSING: {
    message: 'there is no network in {root}',
    nextStep: 'start one with "blyan-node devnet up --data {root}"',
    fault: 'user',
    retry: false
  },
  DEVNET_DIFFERS: {
    message: 'the network in {root} has {found} validators, not {asked}',
    nextStep: 'give -n {found}, or another folder with --data',
    fault: 'user',
    retry: false,
    exitCode: 2
  },
  DEVNET_NODE_FAILED: {
    message: '{name} did not come up: {reason}',
    nextStep: 'see logs/console.log and logs/node.log in its data folder',
    fault: 'machine',
    retry: true
  },
  DEVNET_WILL_NOT_STOP: {
    message: 'these processes do not end: {pids}',
    nextStep: 'end them by hand (kill -9); their data survives it',
    fault: 'machine',
    retry: false
  },
  MAIN_JOB_FAILED: {
    message: 'the main job did not work: {reason}',
    nextStep: 'run it again with --data FOLDER and look at the logs of the nodes there',
    fault: 'us',
    retry: true
  },
  INPUT_EMPTY: {
    message: 'there is no text in {path}',
    nextStep: 'give a file or folder with text to --input',
    fault: 'user',
    retry: false,
    exitCode: 2
  },
  INTERNAL: {
    message: 'something went wrong inside blyan-node: {reason}',
    nextStep: 'run the command again with --verbose and report what it prints',
    fault: 'us',
    retry: false
  },
  USAGE: {
    message: '{reason}',
    nextStep: '{hint}',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  FILE_UNREADABLE: {
    message: 'cannot read {path}: {reason}',
    nextStep: 'check the path and its permissions',
    fault: 'user',
    retry: false
  },
  FILE_UNWRITABLE: {
    message: 'cannot write {path}: {reason}',
    nextStep: 'choose another place, or make room for it there',
    fault: 'user',
    retry: false
  },
  INPUT_TOO_LARGE: {
    message: '{what} is over its limit of {limitBytes} bytes',
    nextStep: 'make it smaller, or split it',
    fault: 'user',
    retry: false,
    httpStatus: 413
  },
  NETWORK_UNKNOWN: {
    message: 'no network "{network}" comes with this version; known: {known}',
    nextStep: 'choose one of those, or give its genesis file with --genesis',
    fault: 'user',
    retry: false,
    exitCode: 3
  },
  GENESIS_MISSING: {
    message: 'the genesis file {path} is missing',
    nextStep: 'run "blyan-node init --genesis FILE --data {dataFolder}" with the file of your network',
    fault: 'user',
    retry: false,
    exitCode: 3
  },
  GENESIS_DIFFERS: {
    message: 'the data folder {path} belongs to another network: its genesis file differs from {given}',
    nextStep: 'choose another folder with --data; one folder is for one network',
    fault: 'user',
    retry: false,
    exitCode: 3
  },

  CONFIG_KEY_UNKNOWN: {
    message: 'unknown setting "{key}" in {origin}',
    nextStep: '{hint}',
    fault: 'user',
    retry: false,
    exitCode: 3
  },
  CONFIG_VALUE_INVALID: {
    message: '{key} cannot be {value} (from {origin}): {allowed}',
    nextStep: 'change it there; "blyan-node config show --origin" prints every setting',
    fault: 'user',
    retry: false,
    exitCode: 3
  },
  CONFIG_FILE_INVALID: {
    message: '{path} is not TOML: {reason}',
    nextStep: 'correct that line, or move the file away and run "blyan-node init" for a new one',
    fault: 'user',
    retry: false,
    exitCode: 3
  },

  DATA_FOLDER_IN_USE: {
    message: 'the data folder {path} is in use by process {pid}',
    nextStep: 'stop it with "blyan-node stop --data {path}", or choose another folder with --data',
    fault: 'user',
    retry: false,
    exitCode: 4
  },
  DATA_FOLDER_NOT_READY: {
    message: 'no node lives in {path} yet: {missing} is missing',
    nextStep: 'run "blyan-node init --data {path}" first, or "start --init"',
    fault: 'user',
    retry: false,
    exitCode: 3
  },
  DATA_FOLDER_UNUSABLE: {
    message: 'cannot use the data folder {path}: {reason}',
    nextStep: 'give this user rights on it, or choose another folder with --data',
    fault: 'machine',
    retry: false,
    exitCode: 3
  },
  DATA_TOO_NEW: {
    message: 'the data in {path} has format {found}; this version of blyan-node knows up to {known}',
    nextStep: 'install the newer blyan-node that wrote it',
    fault: 'user',
    retry: false,
    exitCode: 8
  },
  DISK_SPACE_LOW: {
    message: 'only {freeBytes} bytes are free in {path}; {neededBytes} are needed',
    nextStep: 'make room there, or lower storage.minimumFreeBytes',
    fault: 'machine',
    retry: true,
    httpStatus: 507
  },

  KEY_INVALID: {
    message: 'not a key: {reason}',
    nextStep: 'check the file or text against "blyan-node keys list", or restore it from a backup',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  KEY_PASSWORD_WRONG: {
    message: 'the password does not open the key "{name}"',
    nextStep: 'give the right one with --password-file or BLYAN_PASSWORD_FILE',
    fault: 'user',
    retry: false,
    exitCode: 5
  },
  KEYS_LOCKED: {
    message: 'the keys are locked and no password was given',
    nextStep: 'give --password-file FILE, set BLYAN_PASSWORD_FILE, or run it on a terminal',
    fault: 'user',
    retry: false,
    exitCode: 5
  },
  KEY_UNKNOWN: {
    message: 'no key "{name}" in {path}',
    nextStep: 'see "blyan-node keys list"',
    fault: 'user',
    retry: false
  },
  KEY_EXISTS: {
    message: 'a key "{name}" is there already ({path}); keys are never overwritten',
    nextStep: 'choose another name, or move that file away yourself',
    fault: 'user',
    retry: false
  },
  KEY_NAME_INVALID: {
    message: '"{name}" cannot name a key: a to z, 0 to 9, "-" and "_", up to 32 characters, a letter first',
    nextStep: 'choose such a name',
    fault: 'user',
    retry: false,
    exitCode: 2
  },
  KEY_ROTATION_REFUSED: {
    message: 'the key "{name}" cannot be rotated: {reason}',
    nextStep: '{hint}',
    fault: 'user',
    retry: false
  },
  PASSWORD_UNUSABLE: {
    message: 'cannot use the password: {reason}',
    nextStep: 'give a file whose first line is a password of at least 8 characters',
    fault: 'user',
    retry: false,
    exitCode: 5
  },

  DAEMON_NOT_REACHABLE: {
    message: 'no blyan-node daemon answers for {path}: {reason}',
    nextStep: 'start it with "blyan-node start --data {path}", or choose its folder with --data',
    fault: 'user',
    retry: true,
    exitCode: 6
  },
  DAEMON_GONE: {
    message: 'the daemon went away while it was telling: it was stopped or it died',
    nextStep: 'see "blyan-node status" and logs/node.log in its data folder; start it again and repeat the command',
    fault: 'machine',
    retry: true,
    exitCode: 6
  },
  DAEMON_TOO_SLOW: {
    message: 'the daemon did not answer {what} within {timeoutMs} ms',
    nextStep: 'see "blyan-node status"; try again when the machine is less busy',
    fault: 'machine',
    retry: true
  },
  DAEMON_ANSWER_INVALID: {
    message: 'the daemon gave an answer that makes no sense: {reason}',
    nextStep: 'check that the daemon and this command are the same version',
    fault: 'us',
    retry: false
  },
  NOT_READY_IN_TIME: {
    message: 'not ready within {timeoutSeconds} s: {reasons}',
    nextStep: 'see "blyan-node status" and "blyan-node peers"; wait longer with --timeout',
    fault: 'machine',
    retry: true,
    exitCode: 7
  },
  INTERRUPTED: {
    message: 'interrupted before it was done',
    nextStep: 'run it again',
    fault: 'user',
    retry: true,
    exitCode: 130
  },

  API_PORT_TAKEN: {
    message: 'the API cannot listen on {host}:{port}: {reason}',
    nextStep: 'choose another with --api-port (0 takes any free one)',
    fault: 'machine',
    retry: false
  },
  REQUEST_INVALID: {
    message: 'the request makes no sense: {reason}',
    nextStep: 'see /v0/openapi.json for what is expected',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  ROUTE_UNKNOWN: {
    message: 'no route {method} {path}',
    nextStep: 'see /v0/openapi.json for the routes there are',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  TOKEN_INVALID: {
    message: 'the bearer token is missing or wrong',
    nextStep: 'send "Authorization: Bearer TOKEN" with a token from the data folder (api-token)',
    fault: 'user',
    retry: false,
    httpStatus: 401
  },
  TOKEN_SCOPE_TOO_SMALL: {
    message: 'this token may not do that: it needs the scope "{needed}"',
    nextStep: 'use a token of that scope (api-token holds the one that may do all)',
    fault: 'user',
    retry: false,
    httpStatus: 403
  },
  TOO_MANY_BAD_TOKENS: {
    message: 'too many wrong tokens from this address',
    nextStep: 'wait a minute, then send a right one',
    fault: 'user',
    retry: true,
    httpStatus: 429
  },
  TOO_MANY_STREAMS: {
    message: 'all {limit} places for open streams are taken',
    nextStep: 'close one, or wait',
    fault: 'user',
    retry: true,
    httpStatus: 503
  }
} as const satisfies Record<string, ErrorEntry>
