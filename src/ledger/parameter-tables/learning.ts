import { amount, count, dayMs, type Parameter, partsPerMillion } from './parameter.ts'

/** A phase of a round: below a second in tests. */
function phase(usualMs: bigint, purpose: string): Parameter {
  return { usual: usualMs, min: 100n, max: 7n * dayMs, purpose }
}

const minuteMs = 60_000n

export const learningParameters = {
  learningWindowMs: {
    usual: 0n,
    min: 0n,
    max: 7n * dayMs,
    purpose: 'how long learners train before they commit to what they learnt; 0: this network does not learn'
  },
  learningRevealMs: phase(minuteMs, 'how long learners have to show what they committed to'),
  learningAggregateMs: phase(minuteMs / 2n, 'how long the primary of a part has before its backups may act'),
  learningBackupMs: phase(1000n, 'how much later than the one before each backup may act'),
  learningMeasureMs: phase(10n * minuteMs, 'how long validators have to measure a candidate'),
  learningPublishMs: phase(2n * minuteMs, 'how long approved versions have to be published'),
  learningSequences: count(256n, { min: 8n, max: 65_536n }, 'held-out sequences that a measurement needs to accept'),
  learningGainPpm: partsPerMillion(500n, 'relative gain in loss that a candidate must show beyond doubt'),
  learningWorkBits: count(21n, { min: 0n, max: 40n }, 'leading zero bits of the light proof of work'),
  learningRewardUnits: amount({ coins: 10n }, 'BLY for an adopted candidate, shared by gain')
} as const satisfies Record<string, Parameter>
