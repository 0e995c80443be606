import type { ErrorEntry } from './error-entry.ts'

/** Failures of rounds, candidates and measurements. */
export const learningErrors = {
  LEARNING_OFF: {
    message: 'this network does not learn: {reason}',
    nextStep: 'join a network whose genesis file sets learningWindowMs; "blyan-node devnet up" makes one',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  LEARNING_RUNNING: {
    message: 'this node learns from {folder} already',
    nextStep: 'see it with "blyan-node learn status", or end it first with "blyan-node learn stop"',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  LEARNING_ENDED: {
    message: 'the node no longer learns from {folder}: {reason}',
    nextStep: 'start it again with "blyan-node learn --data {folder}"; it goes on where it was',
    fault: 'user',
    retry: true,
    httpStatus: 409
  },
  LEARNING_PART_UNKNOWN: {
    message: 'the model {model} has no part "{part}" that can be trained; it has {known}',
    nextStep: 'name parts as "blyan-node expert list" shows them, or "*" for all',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  LEARNING_CODEC_UNKNOWN: {
    message: 'there is no delta codec "{codec}"; there are {known}',
    nextStep: 'name one of those, or leave it away',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  LEARNING_DATA_IS_NODE: {
    message: '{path} is the data folder of a node, no folder with texts',
    nextStep: 'give the texts as well: blyan-node learn --data FOLDER_WITH_TEXTS --data {path}',
    fault: 'user',
    retry: false,
    exitCode: 2
  },
  CANDIDATE_UNKNOWN: {
    message: 'there is no candidate {candidate} in the state of this node',
    nextStep: 'see "blyan-node expert candidates"; only the newest are kept there, older ones are events on chain',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  PROPOSAL_REFUSED: {
    message: 'candidate {candidate} was not adopted: {reason}',
    nextStep:
      'see every measurement with "blyan-node expert candidates {candidate}"; the versions stay usable with --part',
    fault: 'user',
    retry: false
  },
  PROPOSAL_NOT_BETTER: {
    message:
      'not proposed: on held-out text of the folder the loss is {afterNats} nats per token with the new version and {beforeNats} with the old one',
    nextStep: 'train longer with --steps, or give more text',
    fault: 'user',
    retry: true,
    httpStatus: 409
  },
  PART_VERSION_UNFIT: {
    message: '{tensor} cannot stand in for {name}: {reason}',
    nextStep: 'see "blyan-node expert show {name}" for the versions there are',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  LEARNING_MODEL_UNKNOWN: {
    message: 'there is no model {model} with parts that can be learnt',
    nextStep:
      'name a model that "blyan-node models" shows; its parts must have been published while the network learnt',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  LEARNING_FULL: {
    message: 'no more {what}: there are {limit} already',
    nextStep: 'wait until others have left, or learn another model',
    fault: 'user',
    retry: true,
    httpStatus: 409
  },
  LEARNING_QUOTA_SPENT: {
    message: '{account} has used the {quota} contributions a day of level {level}',
    nextStep: 'go on tomorrow (UTC); three adopted contributions in a row raise the level',
    fault: 'user',
    retry: true,
    httpStatus: 429
  },
  LEARNING_WORK_TOO_LIGHT: {
    message: 'the proof of work has {bits} leading zero bits of {needed}',
    nextStep: 'look for a nonce as docs/protocol.md says, with the commitment, round and account of this event',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  LEARNER_UNKNOWN: {
    message: '{account} is no learner of {model}',
    nextStep:
      'join with "blyan-node learn --data FOLDER"; learners who commit nothing for 20 windows are taken off the list',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  ROUND_WRONG: {
    message: 'round {round} of {model} is not the one of now, which is {now}',
    nextStep: 'read the round of now and take part in that one',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  ROUND_PHASE_WRONG: {
    message: 'round {round} of {model} is {phase}, not {needed}',
    nextStep: 'wait for that phase of the next round; committed time alone counts, not the clock of a machine',
    fault: 'peer',
    retry: true,
    httpStatus: 409
  },
  ROUND_NOT_DUE: {
    message: 'nothing of round {round} of {model} is due',
    nextStep: 'wait until dueAtMs of the round, in committed time',
    fault: 'peer',
    retry: true,
    httpStatus: 409
  },
  DELTA_TWICE: {
    message: '{account} has given a delta to round {round} already',
    nextStep: 'wait for the next round: each learner gives one delta to a round',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  DELTA_TOO_OLD: {
    message:
      'the delta starts from the version of round {baseRound}; in round {round} it may start from {oldest} to {round}',
    nextStep: 'take the newest version and train on that one',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  DELTA_NOT_COMMITTED: {
    message: '{account} has not committed to a delta in round {round}',
    nextStep: 'commit while the round is in its training phase, then reveal',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  DELTA_COMMITMENT_WRONG: {
    message: 'the delta of {account} is not the one it committed to in round {round}',
    nextStep: 'reveal the CID and salt that the commitment was made of',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  LINEAGE_HELD_OUT: {
    message: 'shard {shard} is held out for measuring: nobody may train on it',
    nextStep: 'train on shards that a corpus names for training',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  LINEAGE_SHARD_UNKNOWN: {
    message: 'no corpus names shard {shard} for training',
    nextStep: 'publish the corpus first, then train on its shards',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  CORPUS_SHARD_TAKEN: {
    message: 'shard {shard} is on chain for another use ({use}) already',
    nextStep:
      'leave the shard away: what one holds out nobody trains on, and what one trains on nobody holds out later',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  CORPUS_SHARD_LENGTH_WRONG: {
    message: 'shard {shard} is on chain with {known} bytes, not {bytes}',
    nextStep: 'give the length that the shard has; if the one on chain is false, cut the text in another way',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  RESULT_PART_UNKNOWN: {
    message: '{part} is not among the parts of round {round}',
    nextStep: 'give results of the parts that those who revealed work on',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  RESULT_NOT_ELECTED: {
    message: '{account} is neither primary nor backup of {part} in round {round}',
    nextStep: 'leave it to those who were drawn',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  RESULT_TOO_EARLY: {
    message: '{account} is place {place} for {part}: its turn is in {waitMs} ms',
    nextStep: 'give the result then, if those before stay silent',
    fault: 'peer',
    retry: true,
    httpStatus: 409
  },
  RESULT_EXISTS: {
    message: 'there is a result of {part} in round {round} already',
    nextStep: 'compare it with your own, and challenge it where it differs',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  RESULT_DELTA_UNKNOWN: {
    message: 'the result names a delta of {account} that was not revealed in round {round}, or names it twice',
    nextStep: 'name each revealed delta at most once, accepted or refused',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  RESULT_WEIGHT_WRONG: {
    message: 'the delta of {account} counts {wanted} millionths in round {round}, not {weightPpm}',
    nextStep: 'weigh each delta by the age of its version: 1000000 / (1 + round - baseRound), rounded down',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  RESULT_WITHOUT_DELTAS: {
    message: 'the result gives {part} a new version and names no delta that it is made of',
    nextStep: 'name what was accepted, or leave the part unchanged',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  EDGE_NOT_ELECTED: {
    message: '{account} is not elected to sum up region {region}',
    nextStep: 'leave it to those who were drawn; a region needs 3 deltas, and a round 2 regions',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  EDGE_UNKNOWN: {
    message: 'there is no such sum of region {region} in round {round}',
    nextStep: 'name the update that the region published, or take its deltas one by one',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  CHALLENGE_WITHOUT_RESULT: {
    message: 'there is no result of {part} in round {round} that can be challenged with this tensor',
    nextStep: 'challenge results that differ from your own replay, once, while they are not replaced',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  CANDIDATE_PART_UNKNOWN: {
    message: 'a candidate for {part} of model {model} is not possible: {reason}',
    nextStep: 'name parts of that model that have a version on chain, each once',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  CANDIDATE_NO_CHANGE: {
    message: '{tensor} is what {part} is now',
    nextStep: 'propose a version that differs',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  CANDIDATE_COPIED: {
    message: '{tensor} is or was a version, or is being measured already',
    nextStep: 'propose what you trained yourself',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  CANDIDATE_DECIDED: {
    message: 'candidate {candidate} is not being measured: it is {status}',
    nextStep: 'measure those that wait for it',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  MEASURED_ALREADY: {
    message: '{operator} has measured candidate {candidate} already',
    nextStep: 'each operator measures a candidate once',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  MEASUREMENT_CHECKPOINT_WRONG: {
    message: 'the sequences of candidate {candidate} are drawn from checkpoint {needed}, not {checkpoint}',
    nextStep: 'wait for that checkpoint and draw from its digest',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  MEASUREMENT_INCONSISTENT: {
    message: 'the measurement of candidate {candidate} says "{verdict}" and its figures do not: {reason}',
    nextStep: 'accept only what is better by more than two standard errors and the gain wanted, on enough sequences',
    fault: 'peer',
    retry: false,
    httpStatus: 409
  },
  PART_NOT_MEASURED: {
    message: 'no approved candidate names {tensor} as the next version of {part}',
    nextStep: 'propose it: "blyan-node learn --experts NAME"; a quorum of validators measures it first',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  PART_UPDATE_WRONG: {
    message: 'the update named for {part} is not the one of its candidate',
    nextStep: 'name the update of the candidate with at most its size, or none: then the version is a snapshot',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  PART_ROUND_BUSY: {
    message: '{part} is being aggregated or measured in round {round} of {model}',
    nextStep: 'publish the version while the next round trains, if its base is still the newest version',
    fault: 'user',
    retry: true,
    httpStatus: 409
  }
} as const satisfies Record<string, ErrorEntry>
