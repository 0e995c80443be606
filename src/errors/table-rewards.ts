import type { ErrorEntry } from './error-entry.ts'

/** Failures of settlements and rewards. */
export const rewardsErrors = {
  SCORE_EXPERT_UNKNOWN: {
    message: '{expert} is no expert of the model',
    nextStep: 'see "blyan-node expert list" for their names',
    fault: 'user',
    retry: false,
    exitCode: 3,
    httpStatus: 404
  },
  SCORE_OUT_OF_RANGE: {
    message: 'a score of {score} is not between 0 and 1000000 parts per million',
    nextStep: 'give a whole number from 0 (useless) to 1000000 (as good as can be)',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  SCORED_ALREADY: {
    message: 'this operator has scored {expert} of {holder} in period {period} already',
    nextStep: 'score it again in the next period',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  SCORES_TOO_MANY: {
    message: 'this operator has given {limit} scores in period {period} already',
    nextStep: 'score the others in the next period, those that are used most first',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  PERIOD_UNKNOWN: {
    message: 'there is no settlement of period {period}; kept are {oldest} to {newest}',
    nextStep: 'choose a period that is kept; the one that runs now is settled at its end',
    fault: 'user',
    retry: false,
    exitCode: 3,
    httpStatus: 404
  },
  REWARDS_FILE_INVALID: {
    message: '{file} does not hold the answer of "rewards --json": {reason}',
    nextStep: 'save what "blyan-node rewards --json" prints and give that file',
    fault: 'user',
    retry: false,
    exitCode: 2
  },
  REWARDS_DIFFER: {
    message: '{count} of the numbers recomputed differ from what the network says; the first: {first}',
    nextStep:
      'ask another node for the same period; when it says the same, its rules are not those of docs/protocol.md: report it',
    fault: 'peer',
    retry: false
  }
} as const satisfies Record<string, ErrorEntry>
