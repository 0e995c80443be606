/** What people ask a model and what they are told of the answer: who makes it, how fast, for how much. Plain data. */
import type { Architecture } from '../../experts/index.ts'
import type { Tokenizer } from '../../models/index.ts'

export type { ChatMessage, TokenDecoder, Tokenizer } from '../../models/index.ts'

/** A model this network knows: the one of genesis, or one that somebody registered. */
export type ModelEntry = {
  /** `genesis`, or the name it was registered under. */
  readonly name: string
  readonly architecture: Architecture
  readonly isGenesis: boolean
  /** CID of its meta block on chain A. */
  readonly block: string
  /** Account that registered it; null for the one of genesis. */
  readonly author: string | null
  /** CID of the tokenizer's record; null where tokens are bytes. */
  readonly tokenizer: string | null
  /** Those that are on chain, newest versions, in the order of the architecture. */
  readonly parts: readonly ModelPart[]
  /** Whether every part of its architecture is on chain. */
  readonly isComplete: boolean
}

export type ModelPart = {
  /** As on chain: `olmoe.layer0.expert3`; of the genesis model without a first segment. */
  readonly name: string
  /** Without the model's name: `layer0.expert3`. */
  readonly part: string
  readonly blockType: string
  readonly layer: number | null
  /** Number of the expert in its layer; null for all other parts. */
  readonly expert: number | null
  readonly block: string
  /** CID of its tensor. */
  readonly tensor: string
  readonly shape: readonly number[]
  readonly lengthBytes: number
  /** Whether the tensor is on this machine. */
  readonly isHere: boolean
}

export const answerModes = ['standard', 'distributed', 'optimised', 'secure'] as const
/**
 * `standard`: all experts at home. `distributed`: those that are not here are asked of others. `optimised`: the same, and
 * experts used together are fetched together. `secure`: distributed, with every call checked.
 */
export type AnswerMode = (typeof answerModes)[number]

/** Name of a part, short or as on chain, to the CID of the tensor or of the block that shall stand in for its newest version. */
export type PartPicks = Readonly<Record<string, string>>

export const partPicksMax = 64

export type AnswerRequest = {
  /** Undefined: the newest complete model, else the one of genesis. */
  readonly model: string | undefined
  readonly tokens: Uint32Array
  readonly tokensMax: number
  readonly stopTokens: readonly number[]
  readonly sampling: { readonly temperature: number; readonly topP: number; readonly seed: string }
  /** Undefined: `standard` where everything is or fits here, else `distributed`. */
  readonly mode: AnswerMode | undefined
  /** Versions that stand in for the newest; such an answer is made with all experts at home. */
  readonly parts?: PartPicks | undefined
  readonly signal: AbortSignal
}

export type AnswerPlan = {
  readonly mode: AnswerMode
  /** Null where nothing was measured yet. */
  readonly predictedTokensPerSecond: number | null
  /** Experts of the model that are computed here, and that others are asked for. */
  readonly localExperts: number
  readonly remoteExperts: number
  readonly holders: readonly {
    readonly peerId: string
    readonly experts: number
    readonly roundTripMs: number | null
  }[]
  /** One sentence for people. */
  readonly why: string
}

export type AnswerHolder = {
  readonly peerId: string
  /** Null where it never said whom to pay. */
  readonly account: string | null
  readonly calls: number
  readonly rows: number
  /** Decimal base units of BLY. */
  readonly costUnits: string
}

/** Right at any time: while the answer is made, after its end, after a cancel. */
export type AnswerReport = {
  readonly promptTokens: number
  readonly tokens: number
  readonly elapsedMs: number
  readonly firstTokenMs: number | null
  /** Of the tokens after the first one; 0 until there are two. */
  readonly tokensPerSecond: number
  readonly predictedTokensPerSecond: number | null
  readonly holders: readonly AnswerHolder[]
  /** Decimal base units of BLY: what the holders ask for. */
  readonly costUnits: string
  readonly coin: 'BLY'
}

export interface RunningAnswer {
  readonly id: string
  /** Name of the model that answers. */
  readonly model: string
  readonly plan: AnswerPlan
  /** Ends after a stop token (which is not handed on) or `tokensMax` tokens. Leaving the loop cancels the rest. */
  readonly steps: AsyncIterable<{ readonly tokens: Uint32Array }>
  report(): AnswerReport
}

export interface AnswerService {
  /** Genesis first, then by name. */
  models(): ModelEntry[]
  /** Throws MODEL_UNKNOWN, MODEL_INCOMPLETE; and as fetching its tensor does. */
  tokenizerOf(model: string | undefined): Promise<Tokenizer>
  /**
   * Rejects before anything runs with EXPERTS_DISABLED, MODEL_UNKNOWN, MODEL_INCOMPLETE, PROMPT_TOO_LONG, ANSWER_QUEUE_FULL
   * (`retryAfterMs`). What goes wrong later, `steps` throws.
   */
  answer(request: AnswerRequest): Promise<RunningAnswer>
}
