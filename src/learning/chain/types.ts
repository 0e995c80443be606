/** Where a round is. It only ever goes forward; after the last comes the next round. */
export type Phase = 'training' | 'revealing' | 'aggregating' | 'measuring' | 'publishing'

/** One pass of learning for one model. Times are committed times. */
export type Round = {
  readonly model: string
  /** 1 for the first. */
  readonly number: number
  readonly phase: Phase
  readonly openedAtMs: number
  readonly phaseAtMs: number
  /** When the phase is over at the latest; in `aggregating`: from when on backups may act. */
  readonly dueAtMs: number
  /** Hex: what assignments, elections and draws of this round are made of. */
  readonly seed: string
  /** Learners on the list when it opened. */
  readonly learners: number
  readonly commits: number
  readonly reveals: number
  /** Parts that the learners who revealed work on, and how many of them have a result. */
  readonly parts: number
  readonly results: number
  /** Of the candidate that this round came to. */
  readonly candidate: string | null
}

/** What became of a learner's delta in the last round it took part in. */
export type Outcome = {
  readonly round: number
  readonly delta: string | null
  readonly isAccepted: boolean
  /** `none`, or why it earned nothing. */
  readonly reason: string
  readonly gainNano: number
  /** Base units of BLY. */
  readonly paidUnits: string
}

export type Learner = {
  readonly account: string
  readonly model: string
  readonly region: string
  /** Patterns: `*` stands for any text. */
  readonly parts: readonly string[]
  /** Parameters in bytes of fp32 that it can train at once; 0 for any number. */
  readonly bytesMax: number
  readonly joinedRound: number
  /** 0 before the first. */
  readonly lastCommitRound: number
  readonly outcome: Outcome | null
}

export type CommitRecord = {
  readonly account: string
  /** Hex. */
  readonly commitment: string
  readonly baseRound: number
  readonly tokens: number
  readonly atMs: number
  readonly isRevealed: boolean
}

/** Which data trained what: a verifier draws a sample of the batches again. */
export type Lineage = {
  readonly shards: readonly { readonly shard: string; readonly samples: number }[]
  /** Hex, 32 bytes. */
  readonly seed: string
  readonly batchesDigest: string
  readonly steps: number
  readonly tokens: number
}

export type Reveal = {
  readonly account: string
  readonly delta: string
  readonly baseRound: number
  readonly tokens: number
  readonly sizeBytes: number
  readonly region: string
  readonly lineage: Lineage
}

export type Assignment = {
  /** Names on chain. */
  readonly parts: readonly string[]
  /** Hex, of this learner in this round. */
  readonly seed: string
  /** Its part of the data. */
  readonly slice: { readonly index: number; readonly count: number }
}

export const refusalReasons = [
  'not-finite',
  'invalid',
  'poisoned',
  'copied',
  'lineage',
  'no-gain',
  'stale',
  'unavailable'
] as const
export type RefusalReason = (typeof refusalReasons)[number]

export type AcceptedDelta = {
  readonly account: string
  readonly delta: string
  readonly weightPpm: number
  readonly gainNano: number
}

export type RefusedDelta = { readonly account: string; readonly delta: string; readonly reason: RefusalReason }

/** What one event of a primary or backup said. */
export type Aggregate = {
  /** 0 for the first of its round. */
  readonly number: number
  readonly author: string
  /** Digest of the event, hex. */
  readonly event: string
  readonly update: string | null
  readonly updateBytes: number
  readonly accepted: readonly AcceptedDelta[]
  readonly refused: readonly RefusedDelta[]
  readonly edges: readonly { readonly region: string; readonly update: string }[]
}

/** The sum of a region. */
export type EdgeResult = {
  readonly region: string
  readonly author: string
  readonly event: string
  readonly update: string
  readonly updateBytes: number
  readonly accepted: readonly AcceptedDelta[]
  readonly refused: readonly RefusedDelta[]
}

export type PartResult = {
  readonly name: string
  /** What the deltas were added to. */
  readonly base: string
  /** Null when the part stays as it is. */
  readonly tensor: string | null
  readonly update: string | null
  readonly updateBytes: number
  readonly author: string
  readonly event: string
  /** Number of the aggregate it came with. */
  readonly aggregate: number
  /** Whether backups put another tensor in its place. */
  readonly isReplaced: boolean
}

export type CandidateStatus = 'measuring' | 'approved' | 'refused' | 'published' | 'lapsed'

export type CandidatePart = {
  readonly name: string
  readonly tensor: string
  readonly base: string
  readonly update: string | null
  readonly updateBytes: number
}

/** New versions of some parts that are measured together. */
export type Candidate = {
  readonly id: string
  readonly model: string
  /** Of a round: who completed its results. */
  readonly author: string
  readonly source: 'round' | 'proposal'
  readonly round: number
  readonly parts: readonly CandidatePart[]
  readonly status: CandidateStatus
  /** `none` while nothing is decided. */
  readonly reason: string
  readonly openedAtMs: number
  readonly dueAtMs: number
  readonly lineage: Lineage | null
  /** Sequence of the first checkpoint at or after the commit that opened it: its digest draws the sequences. */
  readonly checkpoint: number
  readonly measurements: number
  /** Parts that are approved and not published yet. */
  readonly left: number
  /** Whose deltas it is made of; only while it is measured. */
  readonly learners: readonly string[]
}

export const measurementReasons = [
  'none',
  'no-gain',
  'over-fitted',
  'copied',
  'poisoned',
  'no-change',
  'unavailable',
  'lineage'
] as const
export type MeasurementReason = (typeof measurementReasons)[number]

/** What one operator of a validator found. Losses in billionths of a nat per token. */
export type Measurement = {
  readonly candidate: string
  readonly operator: string
  readonly checkpoint: number
  readonly sequences: number
  readonly beforeNano: number | null
  readonly afterNano: number | null
  readonly gainNano: number | null
  readonly errorNano: number | null
  readonly verdict: 'accept' | 'refuse'
  readonly reason: MeasurementReason
  readonly atMs: number
}

export const trustLevels = ['newcomer', 'trusted', 'established'] as const
export type TrustLevel = (typeof trustLevels)[number]

export type Trust = {
  readonly level: TrustLevel
  readonly successesInRow: number
  readonly failuresInRow: number
  /** Commits and proposals that a day allows. */
  readonly quota: number
  /** Day (of committed time, UTC, days since 1970) that `used` counts. */
  readonly day: number
  readonly used: number
}

export type Shard = { readonly shard: string; readonly bytes: number }

export type Corpus = {
  readonly account: string
  readonly name: string
  readonly training: readonly Shard[]
  readonly heldOut: readonly Shard[]
  readonly trainingBytes: number
  readonly heldOutBytes: number
  readonly licence: string
  readonly atMs: number
}

/** A shard on chain, with whose it is. */
export type CorpusShard = Shard & { readonly corpus: string; readonly account: string }

/** What the state keeps of a result that backups found to be wrong. */
export type LearningOffence = {
  readonly number: number
  readonly author: string
  readonly model: string
  readonly round: number
  readonly part: string
  /** Digest of the event that gave the wrong result, hex. */
  readonly event: string
  readonly wrong: string | null
  readonly right: string | null
  readonly challengers: readonly string[]
  readonly atMs: number
}

/** What a round came to, in a line. */
export type RoundSummary = {
  readonly number: number
  readonly openedAtMs: number
  readonly closedAtMs: number
  readonly learners: number
  readonly commits: number
  readonly reveals: number
  /** Deltas that count in what was measured. */
  readonly accepted: number
  readonly candidate: string | null
  /** `adopted`, `nobody-revealed`, `unchanged`, `lapsed`, or why the quorum refused. */
  readonly result: string
  /** Base units of BLY. */
  readonly paidUnits: string
}
