import type { ErrorEntry } from './error-entry.ts'

const refusal = { fault: 'user', retry: false, httpStatus: 409 } as const

/** Failures of health of nodes and the handing over of responsibilities. */
export const continuityErrors = {
  OBSERVATION_SUBJECT_UNKNOWN: {
    message: 'the health of {subject} is not watched',
    nextStep: 'only the owner and holders of responsibilities are; see "blyan-node continuity"',
    ...refusal
  },
  OBSERVATION_OF_SELF: {
    message: '{subject} cannot say how healthy it is itself',
    nextStep: 'the other validators do; see "blyan-node continuity"',
    ...refusal
  },
  OBSERVATION_TOO_SOON: {
    message: 'the last observation of {subject} by this validator is too new: {elapsedMs} of {neededMs} ms',
    nextStep: 'wait, or say something else than the last time',
    ...refusal,
    retry: true
  },
  OBSERVATION_LOT_WRONG: {
    message: 'the observation opens another lot than the one that this validator laid down',
    nextStep: 'open the lot of the last observation; a running node does that by itself',
    ...refusal
  },
  RESPONSIBILITY_UNKNOWN: {
    message: 'there is no responsibility "{responsibility}"; there are: {known}',
    nextStep: 'choose one of those',
    ...refusal,
    httpStatus: 400
  },
  RESPONSIBILITY_NOT_HELD: {
    message: 'the responsibility "{responsibility}" is held by {holder}, not by {author}',
    nextStep: 'only its holder publishes its records; see "blyan-node continuity"',
    ...refusal
  },
  DUTY_TOO_SOON: {
    message: 'the last record of "{responsibility}" is too new: {elapsedMs} of {neededMs} ms',
    nextStep: 'wait until the next record is due',
    ...refusal,
    retry: true
  },
  DUTY_CHECKPOINT_WRONG: {
    message: 'checkpoint {sequence} is not one of the newest, or has another digest',
    nextStep: 'name the newest certified checkpoint; see "blyan-node checkpoint show"',
    ...refusal
  },
  COUNCIL_MISSING: {
    message: 'there is no emergency council',
    nextStep: 'one is elected when the node of the owner has failed; see "blyan-node continuity"',
    ...refusal
  },
  COUNCIL_NOT_MEMBER: {
    message: '{author} is not a member of the emergency council',
    nextStep: 'see who is with "blyan-node continuity"',
    ...refusal
  },
  COUNCIL_VOTE_OUTDATED: {
    message: 'the responsibility "{responsibility}" is in term {term} by now, not {asked}',
    nextStep: 'look at its present holder with "blyan-node continuity" and vote again',
    ...refusal
  },
  COUNCIL_VOTE_AGAIN: {
    message: 'this member has voted for {nominee} already',
    nextStep: 'wait for the other members, or vote for another node',
    ...refusal
  },
  COUNCIL_NOMINEE_UNFIT: {
    message: '{nominee} cannot hold "{responsibility}": {reason}',
    nextStep: 'choose an active gifted node or an operator of a validator that has not failed',
    ...refusal
  }
} as const satisfies Record<string, ErrorEntry>
