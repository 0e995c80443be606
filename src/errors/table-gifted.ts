import type { ErrorEntry } from './error-entry.ts'

/** Failures of gifted nodes, the billing meter and the treasury. */
export const giftedErrors = {
  GIFTED_UNKNOWN: {
    message: 'account {account} is no gifted node',
    nextStep: 'see "blyan-node gifted list"; a node becomes one by "blyan-node start --role gifted"',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  GIFTED_ALREADY: {
    message: 'account {account} is a gifted node already',
    nextStep: 'to change what it promises, "blyan-node gifted retire" first, then start it anew',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  GIFTED_CONSENT_WRONG: {
    message: 'account {gifter} has not signed that it gives this node on these terms',
    nextStep:
      'have the gifter run "blyan-node gifted consent" with the same uptime and share, and give its answer to "start"',
    fault: 'user',
    retry: false,
    httpStatus: 403
  },
  GIFTED_GIFTER_NOT_VALIDATOR: {
    message: 'account {gifter} operates no validator',
    nextStep: 'give the node as miner or deployer, or "blyan-node validator join" first',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  GIFTED_PRIORITY_WRONG: {
    message: 'a deployment priority belongs to nodes that a deployer gives, and to no others',
    nextStep: 'give "--gifted-priority low|normal|high" with "--gifted-by deployer", and leave it out otherwise',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  GIFTED_PEER_TAKEN: {
    message: 'another gifted node has peer id {peerId}',
    nextStep: 'a node has one account: retire the other registration first',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  GIFTED_FULL: {
    message: 'there are {most} gifted nodes, and all of them serve',
    nextStep: 'try again later: nodes that fall silent give way',
    fault: 'user',
    retry: true,
    httpStatus: 409
  },
  GIFTED_HEARTBEAT_EARLY: {
    message: 'the last heartbeat is too recent: the next is due in {waitMs} ms',
    nextStep: 'nothing is to be done: the node sends them by itself',
    fault: 'user',
    retry: true,
    httpStatus: 429
  },
  GIFTED_NOT_YOURS: {
    message: 'the gifted node {account} can be retired by itself or by whoever gave it',
    nextStep: 'run the command on the node itself, or on the gifter',
    fault: 'user',
    retry: false,
    httpStatus: 403
  },
  METER_NOT_GIFTED: {
    message: 'only a gifted node that serves can offer "{service}", which is metered',
    nextStep: 'register the node with "blyan-node start --role gifted", or offer a service that is not metered',
    fault: 'user',
    retry: false,
    httpStatus: 403
  },
  METER_COIN_WRONG: {
    message: 'service "{service}" is charged in {expected}, not in {coin}',
    nextStep: 'see "blyan-node meter prices"',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  METER_PRICE_WRONG: {
    message: '{amount} base units are not the price of this "{service}": that is {price} base units of {coin}',
    nextStep: 'see "blyan-node meter quote" for what it costs now',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  METER_USAGE_MISMATCH: {
    message: '{amount} is more than the {quoted} that the quote was for',
    nextStep: 'capture what was agreed, and quote the rest anew',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  METER_SERVICE_UNKNOWN: {
    message: '"{service}" is not metered',
    nextStep: 'the metered services are {known}',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  }
} as const satisfies Record<string, ErrorEntry>
