/** What people and programs see of learning, and what they can ask of it. Plain data: CIDs and accounts as text. */

export type LearningState =
  /** Nothing was asked for, or learning is off in this network. */
  | 'off'
  /** Reads the folder and makes shards of it. */
  | 'reading'
  | 'joining'
  | 'training'
  | 'encoding'
  /** For the round to decide. */
  | 'waiting'
  /** For prompts. */
  | 'paused'
  | 'stopping'
  | 'failed'

export type LearningPhase = 'training' | 'revealing' | 'aggregating' | 'measuring' | 'publishing'

export type LearningTrust = 'newcomer' | 'trusted' | 'established'

export type LearningFailure = { readonly code: string; readonly message: string; readonly nextStep: string }

export type LearningRound = {
  readonly number: number
  readonly phase: LearningPhase
  /** Until the phase is due; 0 where it is, or where it goes on until somebody commits. */
  readonly endsInMs: number
  readonly learners: number
  readonly commits: number
  readonly reveals: number
}

export type LearningCorpus = {
  readonly name: string
  readonly files: number
  readonly trainingBytes: number
  /** Never trained on. */
  readonly heldOutBytes: number
  /** Files that were passed over, by reason. */
  readonly skipped: Readonly<Record<string, number>>
}

/** What became of one delta of this node. */
export type LearningOutcome = {
  readonly round: number
  readonly accepted: boolean
  /** `none` where it was accepted. */
  readonly reason: string
  /** Billionths of a nat per token that it brought, as the primary measured; null where nobody did. */
  readonly gainNano: number | null
  readonly sizeBytes: number
  /** Decimal base units of BLY. */
  readonly earnedUnits: string
}

export type LearnerStatus = {
  /** On the machine of the node. */
  readonly folder: string
  /** Null until the folder was read. */
  readonly corpus: LearningCorpus | null
  readonly device: string
  /** Steps since it began, over all rounds. */
  readonly step: number
  /** Of the newest step on what is trained on, in nats per token; tokens are bytes in the genesis model. */
  readonly lossNats: number | null
  /** Of the newest adopted version on this node's own held-out text. */
  readonly heldOutLossNats: number | null
  readonly tokens: number
  readonly tokensPerSecond: number
  readonly deltas: {
    readonly committed: number
    readonly accepted: number
    readonly refused: number
    readonly pending: number
  }
  /** Newest last, 32 at most. */
  readonly outcomes: readonly LearningOutcome[]
  readonly bytesUp: number
  readonly bytesDown: number
  /** Decimal base units of BLY. */
  readonly earnedUnits: string
  readonly trust: LearningTrust
  /** Commits and proposals that are left today. */
  readonly quotaLeft: number
  readonly codec: string
  readonly stepsInWindow: number
  /** Time given to prompts since it began. */
  readonly pausedMs: number
}

export type LearningDuties = {
  readonly aggregated: number
  readonly replayed: number
  readonly challenged: number
  readonly measured: number
  readonly accepted: number
  readonly refused: number
  /** Time from a primary being late to this node's result in its place; null where that never happened. */
  readonly failoverMs: number | null
}

export type CandidateSource = 'round' | 'proposal'
export type CandidateStatus = 'measuring' | 'approved' | 'refused' | 'published' | 'lapsed'

/** New versions of parts that wait for measurement, or waited. */
export type CandidateLine = {
  readonly id: string
  readonly source: CandidateSource
  readonly round: number
  readonly author: string
  readonly status: CandidateStatus
  readonly reason: string
  readonly parts: number
  /** Billionths of a nat per token: means over the measurements so far; null where there is none. */
  readonly beforeNano: number | null
  readonly afterNano: number | null
  /** RFC 3339, UTC. */
  readonly openedAt: string
}

export type LearningStatus = {
  readonly state: LearningState
  /** Why `failed`; null otherwise. */
  readonly failure: LearningFailure | null
  readonly model: string
  /** Null where no round was opened yet. */
  readonly round: LearningRound | null
  /** Null where this node does not learn. */
  readonly learner: LearnerStatus | null
  /** What this node did as a validator's operator. */
  readonly duties: LearningDuties
  /** Newest last, bounded as the state bounds them. */
  readonly candidates: readonly CandidateLine[]
}

export type LearnRequest = {
  /** On the machine of the node; absolute. */
  readonly folder: string
  /** Undefined: the one of genesis. */
  readonly model?: string
  /** Short part names or patterns of those this learner can train (`layer0.expert3`, `*`); undefined: all. */
  readonly parts?: readonly string[]
  /** Undefined: as the node is set. */
  readonly codec?: string
  /** Most bytes of text; undefined: 1 GiB. */
  readonly bytesMax?: number
}

/** One expert trained outside rounds: the parts named, and of each layer's router the rows of the experts named. */
export type ProposeRequest = {
  /** On the machine of the node; absolute. */
  readonly folder: string
  readonly model?: string
  /** Short part names of experts: `layer0.expert3`. */
  readonly parts: readonly string[]
  /** Steps to train before proposing. */
  readonly steps: number
  readonly bytesMax?: number
  /** Stops it; nothing is proposed then. */
  readonly signal: AbortSignal
}

/** What is told while one expert is trained and proposed, in this order. */
export type MiningLine =
  | { readonly kind: 'corpus'; readonly corpus: LearningCorpus }
  | {
      readonly kind: 'step'
      readonly step: number
      readonly steps: number
      readonly lossNats: number
      readonly tokensPerSecond: number
    }
  /** Own held-out text, before and after; a candidate is proposed only where it is lower. */
  | {
      readonly kind: 'trained'
      readonly beforeNats: number
      readonly afterNats: number
      readonly parts: readonly { readonly name: string; readonly base: string; readonly tensor: string }[]
    }
  | { readonly kind: 'proposed'; readonly candidate: string; readonly eventId: string }
  | {
      readonly kind: 'decided'
      readonly candidate: string
      readonly status: CandidateStatus
      readonly reason: string
      readonly beforeNano: number | null
      readonly afterNano: number | null
    }

export interface LearningAccess {
  /** As things are now; cheap. */
  status(): LearningStatus
  /**
   * Begins to learn from a folder; resolves once the folder was read and this node has joined. Goes on after a restart of
   * the node with the setting `learning.data`. Throws LEARNING_OFF, LEARNING_RUNNING, MODEL_UNKNOWN, LEARNING_PART_UNKNOWN, LEARNING_CODEC_UNKNOWN,
   * CORPUS_*, and what reading the folder throws.
   */
  start(request: LearnRequest): Promise<void>
  /** Saves what was trained, leaves and resolves once all is on disk. Does nothing where this node does not learn. */
  stop(): Promise<void>
  /** Trains parts outside rounds and proposes them as new versions. Throws as `start`, and QUOTA, CANDIDATE_* codes of the event. */
  propose(request: ProposeRequest): AsyncIterable<MiningLine>
  /** A status after each change, at most a few a second, until `signal` aborts; slow readers lose statuses. */
  changes(signal: AbortSignal): AsyncIterable<LearningStatus>
}
