/** What the state of one network is willing to hold of learning, and what one event may name. */
export const chainLimits = {
  models: 256,
  learnersOfModel: 4096,
  /** Parts of one model that can be learnt. */
  partsOfModel: 4096,
  patternsOfLearner: 64,
  regionChars: 64,
  shardsOfCorpus: 64,
  shardBytes: 64 * 1024 * 1024,
  corpora: 256,
  shardsOfLineage: 16,
  /** Parts that one event gives results of. */
  partsOfEvent: 256,
  /** Deltas that one event speaks of. */
  deltasOfEvent: 320,
  partsOfProposal: 16,
  proposalsMeasured: 16,
  regionsOfRound: 64,
  /** Primary and backups of a part that may give its result. */
  electedOfPart: 16,
  /** Elected edge aggregator of a region, and those after it. */
  electedOfRegion: 3,
  edgeReveals: 3,
  edgeRegions: 2,
  candidatesOfModel: 32,
  offences: 256,
  roundsOfHistory: 32,
  /** Payload of the largest events. */
  payloadBytes: 60 * 1024
} as const

/** Versions a delta may be behind. */
export const lagMax = 3
/** Rounds in which the author of a wrong result is no primary. */
export const barredRounds = 20
/** Windows without a commit after which a learner is taken off the list. */
export const expiryWindows = 20
