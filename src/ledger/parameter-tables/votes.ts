import { amount, dayMs, duration, hourMs, type Parameter, partsPerMillion } from './parameter.ts'

export const voteParameters = {
  votingMs: duration(3n * dayMs, 'how long a proposal is voted on'),
  emergencyVotingMs: duration(24n * hourMs, 'how long an emergency proposal is voted on'),
  appealVotingMs: duration(7n * dayMs, 'how long an appeal against a punishment is voted on'),
  voteQuorumPpm: partsPerMillion(334_000n, 'share of the bonded stake that must vote'),
  voteThresholdPpm: partsPerMillion(500_000n, 'share of the votes for and against that must be exceeded'),
  nodeQuorumPpm: partsPerMillion(10_000n, 'share of the active nodes that must vote where one node has one vote'),
  proposalDepositUnits: amount({ coins: 100n }, 'BLY held while a proposal is voted on; kept when too few vote'),
  voteRewardUnits: amount({ thousandths: 200n }, 'BLY for a vote on a proposal that reached its quorum'),
  voteRewardStakeMinUnits: amount({ coins: 1000n }, 'BLY that a voter must have bonded to be paid for a vote by stake'),
  voteBudgetPpm: partsPerMillion(200_000n, 'most of the validation pool that votes may cost in a period'),
  emergencyMintPpm: {
    ...partsPerMillion(10_000n, 'most BLY that one emergency may issue, of the whole supply'),
    max: 100_000n
  }
} as const satisfies Record<string, Parameter>
