import type { ErrorEntry } from './error-entry.ts'

/** Failures of parameters and proposals. */
export const votesErrors = {
  PARAMETER_UNKNOWN: {
    message: 'there is no parameter "{name}"',
    nextStep: 'see them all with "blyan-node parameters"',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  PARAMETER_OUT_OF_RANGE: {
    message: '{name} must be between {min} and {max}',
    nextStep: 'see the limits with "blyan-node parameters"',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  PROPOSAL_BREAKS_INVARIANT: {
    message: 'these values break what must hold between parameters: {invariant}',
    nextStep: 'change the other parameter in the same proposal; see "blyan-node parameters"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  PROPOSAL_UNKNOWN: {
    message: 'there is no proposal {proposal}, or it is over for long',
    nextStep: 'see them with "blyan-node proposal list"',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  PROPOSAL_CLOSED: {
    message: 'proposal {proposal} is not voted on: {status}',
    nextStep: 'see how it ended with "blyan-node proposal show ID"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  PROPOSALS_TOO_MANY: {
    message: '{count} proposals of {of} are open: that is the most',
    nextStep: 'wait until one of them is over, or withdraw one of your own',
    fault: 'user',
    retry: true,
    httpStatus: 409
  },
  PROPOSAL_NOT_YOURS: {
    message: 'proposal {proposal} is not yours to take back',
    nextStep: 'only its proposer can; vote "no" instead',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VOTE_TWICE: {
    message: 'this account has voted on proposal {proposal} already',
    nextStep: 'a vote is final: see it with "blyan-node proposal show ID"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VOTE_NOT_STAKED: {
    message: '{account} has nothing staked, so it has no vote here',
    nextStep: 'stake with "blyan-node stake", then vote',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VOTE_NOT_NODE: {
    message: '{account} answers for no active node, and here each node has one vote',
    nextStep: 'operate a validator or a gifted node; see "blyan-node gifted list"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VOTE_NOT_VALIDATOR: {
    message: '{account} answers for no validator of this set: emergencies are theirs alone',
    nextStep: 'see who is with "blyan-node validator list"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  VOTE_OUTWEIGHED: {
    message: 'the {votersMax} votes that are kept all stand for {weight} base units or more',
    nextStep: 'nothing to do: the operator that you bonded with votes for your stake',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  TREASURY_TOO_SHORT: {
    message: 'the treasury has {balance} base units of {coin}, not {amount}',
    nextStep: 'propose a smaller payment; see "blyan-node treasury"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  APPEAL_UNKNOWN_PUNISHMENT: {
    message: 'there is no punishment {punishment} that stands',
    nextStep: 'see them with "blyan-node slashes"',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  APPEAL_NOT_YOURS: {
    message: 'punishment {punishment} is not of this operator',
    nextStep: 'only the punished operator appeals',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  APPEAL_TOO_LATE: {
    message: 'punishment {punishment} could be appealed until {until}',
    nextStep: 'propose a payment from the treasury instead',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  APPEAL_TWICE: {
    message: 'punishment {punishment} is appealed already, or was',
    nextStep: 'see "blyan-node proposal list"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  EMERGENCY_ACTION_NOT_ALLOWED: {
    message: '{action} is not for {emergency}: that allows {allowed}',
    nextStep: 'choose an action of this emergency, or the emergency of this action',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  EMERGENCY_DURATION_WRONG: {
    message: '{action} lasts {durationMs} ms here: it must be from {minMs} to {maxMs}',
    nextStep: 'give another duration; what is done once has none',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  EMERGENCY_IN_FORCE: {
    message: 'proposal {proposal} has done that already, and is in force',
    nextStep: 'wait until it ends, or let its voters take their votes back with "blyan-node proposal withdraw"',
    fault: 'user',
    retry: true,
    httpStatus: 409
  },
  EMERGENCY_TOO_MUCH: {
    message: '{amount} base units are more than this emergency may issue or pay: {most}',
    nextStep: 'propose less; see "blyan-node parameters" and "blyan-node supply"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  EMERGENCY_OPERATOR_UNKNOWN: {
    message: '{operator} is no operator',
    nextStep: 'see them with "blyan-node validator list"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  NETWORK_PAUSED: {
    message: 'the validators have paused the network until {until} (proposal {proposal})',
    nextStep: 'wait; see why with "blyan-node proposal show ID"',
    fault: 'user',
    retry: true,
    httpStatus: 503
  }
} as const satisfies Record<string, ErrorEntry>
