/** What a liar may do, each by its name in the summary table. */
export const strategies = [
  'splitBrain',
  'twins',
  'manyTwins',
  'sendToSome',
  'sendLate',
  'stayAway',
  'restless',
  'withholdReferences',
  'weakReferences',
  'wrongVotes',
  'wrongTime',
  'copiedEvents',
  'farFuture',
  'unknownParents',
  'misnamedParents',
  'otherEpoch',
  'tooFewParents',
  'malformed',
  'forgedSignature',
  'replayOld',
  'flood',
  'noAnswers',
  'wrongAnswers',
  'lateAnswers',
  'wrongCommits',
  'lyingProgress',
  'lyingWitness',
  'forgedSnapshot'
] as const

export type Strategy = (typeof strategies)[number]
