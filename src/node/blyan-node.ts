/**
 * What a running node can do. The HTTP routes and, through them, the command line stand on this and nothing else.
 * Values are plain JSON: CIDs and keys as text, amounts as decimal strings, times RFC 3339 in UTC.
 */
import type { BlyanError } from '../errors/index.ts'
import type { Tokenizer } from '../models/index.ts'
import type { AnswerRequest, ModelEntry, PartPicks, RunningAnswer } from './answers/answer-types.ts'
import type { ExpertsStatus } from './experts/experts-status-types.ts'
import type { ExpertEvidenceCheck } from './experts/integrity-types.ts'
import type { LearningAccess } from './learning/learning-status-types.ts'
import type { LedgerAccess } from './ledger-access.ts'
import type { ImportLine, ImportRequest } from './models/import-types.ts'
import type {
  DivergenceStatus,
  MemberStatus,
  OriginRisk,
  QuorumMode,
  RecoveryStatus,
  SyncStatus,
  TransitionLine
} from './status-types.ts'
import type { TensorFormat, TensorPut, TensorView } from './tensor-types.ts'
import type { OffenceView, ValidatorChange, ValidatorsView } from './validator-types.ts'

export type * from './answers/answer-types.ts'
export type * from './experts/experts-status-types.ts'
export type * from './experts/integrity-types.ts'
export type * from './learning/learning-status-types.ts'
export type * from './ledger-access.ts'
export type { ImportLine, ImportRequest } from './models/import-types.ts'
export type * from './staking-types.ts'
export type * from './status-types.ts'
export type * from './tensor-types.ts'
export type * from './validator-types.ts'

export type NodeState = 'starting' | 'locked' | 'syncing' | 'ready' | 'degraded' | 'stopping'
export type ChainId = 'A' | 'B' | 'C' | 'D'
export type Role = 'validator' | 'learner' | 'miner' | 'gifted' | 'gateway'

export type NodeStatus = {
  readonly schema: 'blyan.status/1'
  readonly version: string
  readonly network: string
  readonly genesis: string
  readonly nodeId: string
  readonly roles: readonly Role[]
  readonly state: NodeState
  /** Whether the node does its work: takes events in and has them ordered. What `/readyz` answers. */
  readonly ready: boolean
  /** Why it is not ready, or what it lacks while it goes on degraded. */
  readonly reasons: readonly string[]
  readonly quorum: {
    readonly validators: number
    readonly connected: number
    readonly needed: number
    readonly faultsTolerated: number
    readonly epoch: number
    readonly round: number
    readonly finalRound: number
    readonly commits: number
    /** One honest sentence on what this quorum survives. */
    readonly promise: string
    readonly mode: QuorumMode
    /** Weight that orders events; less than `needed` where the network goes on without a full quorum. */
    readonly orderingNeeded: number
    /** Weight of the validators that are there. */
    readonly connectedWeight: number
    /** Names of validators that are not there. */
    readonly missing: readonly string[]
    readonly members: readonly MemberStatus[]
    /** What is lost with each origin and each region. */
    readonly origins: readonly OriginRisk[]
  }
  /** `degraded`: ordered and executed, and not final yet. */
  readonly events: { readonly pending: number; readonly final: number; readonly degraded: number }
  readonly checkpoint: {
    readonly sequence: number
    readonly digest: string | null
    readonly signers: number
    readonly stateRoot: string | null
  }
  readonly chains: {
    readonly A: { readonly height: number; readonly head: string | null }
    readonly B: { readonly blocks: number; readonly tips: readonly string[] }
    readonly C: { readonly height: number; readonly head: string | null }
    readonly D: { readonly height: number; readonly head: string | null }
  }
  readonly peers: number
  readonly stake: string
  readonly disk: { readonly usedBytes: number; readonly freeBytes: number }
  /** What experts are computed on, and why; `score` and `tier` are null until it was measured. */
  readonly device: {
    readonly provider: string
    readonly name: string
    readonly score: number | null
    readonly tier: number | null
    readonly why: string
  }
  readonly experts: ExpertsStatus
  /** Null when nothing is being caught up. */
  readonly sync: SyncStatus | null
  readonly genesisPact: { readonly asked: number; readonly agree: number; readonly alarm: boolean }
  readonly alarms: readonly string[]
  readonly divergence: DivergenceStatus | null
  /** Null when it is known what this validator key signed last. */
  readonly recovery: RecoveryStatus | null
  /** What has changed lately, oldest first. */
  readonly transitions: readonly TransitionLine[]
  readonly account: string
  readonly addresses: readonly string[]
  readonly dataFolder: string
  readonly startedAt: string
  readonly nextStep: string | null
}

export type PeerView = {
  readonly peerId: string
  readonly address: string
  readonly direction: 'inbound' | 'outbound'
  readonly version: string | null
  readonly roles: readonly string[]
  readonly validator: string | null
  readonly round: number | null
  readonly latencyMs: number | null
  readonly score: number
  /** Of a validator: what `quorum.members` in the status says of it. */
  readonly member: MemberStatus | null
}

export type Finality = 'final' | 'degraded' | 'pending'

export type SubmitRequest =
  /** Signed by this node's own account. */
  | { readonly type: string; readonly payload: Uint8Array; readonly tenantId?: string; readonly logicalClock?: number }
  /** Signed elsewhere: the bytes of docs/protocol.md, "Signed event". */
  | { readonly signedEvent: Uint8Array }

export type SubmittedEvent = {
  readonly eventId: string
  readonly final: boolean
  readonly finality: Finality
  readonly sequence: number | null
  /** CID of the block this event became, if its type makes one. */
  readonly block: string | null
  /** While it is degraded: validators whose confirmation it lacks, as far as is known. */
  readonly missing: readonly string[]
  readonly elapsedMs: number
}

export type EventView = {
  readonly eventId: string
  readonly type: string
  readonly author: string
  readonly final: boolean
  readonly finality: Finality
  /** Error code when the event is final and was refused there; null when it was applied. */
  readonly refusal: string | null
  readonly sequence: number | null
  readonly prepared: readonly string[]
  readonly committed: readonly string[]
  readonly tenantId: string
  readonly logicalClock: number
  readonly region: string
  readonly origin: string
  readonly createdAt: string
  readonly hash: string
  readonly signature: string
  readonly payloadBytes: number
  /** Text of a note, the decoded object of other types. */
  readonly payload: unknown
  readonly commit: number | null
  readonly committedAt: string | null
  readonly block: string | null
}

export type EventLine = {
  readonly sequence: number
  readonly eventId: string
  readonly type: string
  readonly author: string
  readonly finality: Finality
}

export type BlockView = {
  readonly cid: string
  readonly index: number
  readonly chain_id: ChainId
  readonly depends_on: readonly string[]
  readonly block_type: string
  readonly expert_name: string | null
  readonly layer_id: number | null
  readonly payload_hash: string
  readonly nonce: number
  readonly miner_pub: string
  readonly payload_sig: string
  readonly event: string | null
}

export type ChainVerification = {
  readonly valid: boolean
  readonly reason: string | null
  readonly blocks: number
  readonly events: number
  readonly stateRoot: string
  /** The certified checkpoint that was trusted to begin with; null when it was genesis. */
  readonly since: { readonly sequence: number; readonly commit: number } | null
  readonly elapsedMs: number
}

/** A snapshot on this machine. */
export type SnapshotView = {
  readonly id: string
  readonly sequence: number
  readonly commit: number
  readonly epoch: number
  readonly stateRoot: string
  readonly time: string
  readonly chunks: number
  readonly entries: number
  readonly sizeBytes: number
  readonly folder: string
}

export type ExpertView = {
  readonly name: string
  readonly blockType: string
  readonly layer: number | null
  readonly block: string
  readonly tensor: string
  readonly shape: readonly number[]
  readonly versions: number
  readonly local: boolean
  /** Other nodes that say they answer for it. */
  readonly holders: number
}

/** Another node that answers for experts, as this one finds it. */
export type ExpertHolderView = {
  readonly peerId: string
  readonly account: string | null
  /** Decimal base units of BLY. */
  readonly priceUnitsPer1000Rows: string
  readonly score: number
  readonly openCalls: number
  readonly roundTripMs: number | null
  readonly standing: 'good' | 'probation' | 'suspect' | 'excluded' | 'quarantined'
  readonly experts: number
}

export type CheckpointView = {
  readonly sequence: number
  readonly digest: string
  readonly commit: number
  readonly commitDigest: string
  readonly stateRoot: string
  readonly eventRoot: string
  readonly eventFirst: number
  readonly eventCount: number
  readonly chainHeads: Readonly<Record<ChainId, string | null>>
  readonly time: string
  readonly signers: readonly string[]
}

export type EvaluateResult = {
  readonly lossNatsPerByte: number
  readonly bytes: number
  readonly elapsedMs: number
  readonly device: string
  readonly replaced: { readonly name: string; readonly tensor: string } | null
}

export type Wait = { readonly wait: boolean; readonly timeoutMs: number; readonly signal?: AbortSignal }
export type Page = { readonly from: number; readonly limit: number }

export type StreamMessage =
  | { readonly kind: 'status'; readonly status: NodeStatus }
  | { readonly kind: 'event'; readonly event: EventLine }

/** Read by the views (`node/views/*`) that the API shows of the ledger. */
export interface BlyanNode {
  status(): Promise<NodeStatus>
  peers(): PeerView[]
  /** Why the node is not ready; empty when it is. A node that goes on degraded, as genesis allows, is ready. */
  notReadyReasons(): string[]
  /** What it lacks while it is ready: who has to confirm what is degraded. */
  degradedReasons(): string[]
  /** Prometheus text format. */
  metrics(): Promise<string>

  /**
   * Throws EVENT_* codes when the event is refused, NOT_FINAL_IN_TIME when it is only pending after `timeoutMs`. Answers
   * with `degraded` soon after execution where a full quorum is missing.
   */
  submitEvent(request: SubmitRequest, wait: Wait): Promise<SubmittedEvent>
  /** Many that are signed already, verified together: an answer or a refusal for each, in their order. */
  submitSignedEvents(signedEvents: readonly Uint8Array[], wait: Wait): Promise<readonly (SubmittedEvent | BlyanError)[]>
  /** Throws EVENT_UNKNOWN. */
  showEvent(eventId: string): Promise<EventView>
  listEvents(page: Page): AsyncIterable<EventLine>
  /** The bytes of a finality proof. Throws EVENT_UNKNOWN, or PROOF_NOT_YET while its checkpoint lacks signatures. */
  eventProof(eventId: string): Promise<Uint8Array>
  /** JSON of an event payload to its canonical bytes, by the handler of its type. Throws EVENT_TYPE_UNKNOWN, EVENT_PAYLOAD_INVALID. */
  encodePayload(type: string, json: unknown): Uint8Array

  validators(): ValidatorsView
  /** Asks for a change of the validator set with this node's validator key. Throws VALIDATOR_*, and as submitEvent does. */
  changeValidators(change: ValidatorChange, wait: Wait): Promise<SubmittedEvent>
  /** Validators that were proven to have signed twice. */
  listOffences(limit: number): AsyncIterable<OffenceView>

  /** What the state says of coins, stake, rewards, votes and all that the ledger keeps; read it at once, it goes on changing. */
  readonly ledger: LedgerAccess
  /** What this node does for the network to learn. */
  readonly learning: LearningAccess
  /** Computes again what evidence against a holder says. Throws EXPERT_EVIDENCE_UNKNOWN, EXPERT_EVIDENCE_WEIGHTS. */
  checkExpertEvidence(number: number): Promise<ExpertEvidenceCheck>

  chainBlocks(chain: ChainId, page: Page): AsyncIterable<BlockView>
  verifyChains(): Promise<ChainVerification>
  /** A snapshot of the newest certified checkpoint, made now unless there is one. Throws SNAPSHOT_NOT_YET. */
  createSnapshot(): Promise<SnapshotView>
  /** Oldest first. */
  listSnapshots(): Promise<SnapshotView[]>
  checkpoint(sequence?: number): Promise<CheckpointView>

  putTensor(input: { format: TensorFormat; name: string; bytes: AsyncIterable<Uint8Array> }): Promise<TensorPut>
  /** Fetches it from the network when it is not here. Throws TENSOR_UNKNOWN, TENSOR_FETCH_TIMEOUT. */
  exportTensor(
    cid: string,
    options: { timeoutMs: number; signal?: AbortSignal }
  ): Promise<{ format: TensorFormat; fileName: string; sizeBytes: number; bytes: AsyncIterable<Uint8Array> }>
  /** Fetches a tensor into this node's own store, verified; does nothing when it is here. */
  fetchTensor(cid: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<TensorView>
  showTensor(cid: string): Promise<TensorView>
  verifyTensor(
    cid: string
  ): Promise<{ readonly valid: boolean; readonly reason: string | null; readonly leavesChecked: number }>
  pinTensor(cid: string, pinned: boolean): Promise<void>

  listExperts(): ExpertView[]
  showExpert(name: string): ExpertView & {
    /** Blocks of its versions, oldest first, and their tensors. */
    readonly history: readonly string[]
    readonly tensors: readonly string[]
    readonly heldBy: readonly ExpertHolderView[]
  }
  listHolders(): ExpertHolderView[]
  /** Loss of the network's newest model on `text`, in nats per byte. Fetches and maps the parts it lacks. */
  evaluate(input: { text: Uint8Array; timeoutMs: number; parts?: PartPicks | undefined }): Promise<EvaluateResult>
  /** Bytes of an answer as they are made. */
  generate(input: {
    prompt: Uint8Array
    tokensMax: number
    temperature: number
    seed: number
    parts?: PartPicks | undefined
    signal?: AbortSignal
  }): AsyncIterable<Uint8Array>

  /** The models of this network: the one of genesis first, then by name. */
  models(): ModelEntry[]
  /** Makes a registered model of a checkpoint's folder, and tells how far it is. An abort stops it; started again, it goes on. */
  importModel(request: ImportRequest): AsyncIterable<ImportLine>
  /** Tokens of a model's texts; `undefined` is the model `answer` would take. Throws MODEL_UNKNOWN, MODEL_INCOMPLETE, and as fetchTensor does. */
  tokenizer(model: string | undefined): Promise<Tokenizer>
  /**
   * Begins an answer. Rejects before anything runs: EXPERTS_DISABLED, MODEL_UNKNOWN, MODEL_INCOMPLETE, PROMPT_TOO_LONG,
   * ANSWER_QUEUE_FULL (`retryAfterMs`).
   */
  answer(request: AnswerRequest): Promise<RunningAnswer>

  /** Status every `statusEveryMs` and each event once it is ordered; once more when one that was degraded is final. Ends when `signal` aborts; slow readers lose statuses, never events. */
  stream(options: { statusEveryMs: number; signal: AbortSignal }): AsyncIterable<StreamMessage>
  setLogLevel(component: string, level: string): void
  /** Drains and stops everything; resolves when all is on disk. */
  stop(): Promise<void>
}
