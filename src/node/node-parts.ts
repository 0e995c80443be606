import type { Quorum, StateSync } from '../consensus/index.ts'
import type { Chains, Genesis, HandlerRegistry } from '../dag/index.ts'
import type { Network } from '../net/index.ts'
import type { TensorStore } from '../tiles/index.ts'
import type { EventService } from './event-service.ts'
import type { OpenExpertRooms } from './experts/expert-rooms.ts'
import type { LearningAccess } from './learning/learning-status-types.ts'
import type { NodeMetrics } from './metrics.ts'
import type { ModelImporter } from './models/model-import.ts'
import type { StartNodeInput } from './start-input.ts'
import type { ValidatorService } from './validator-service.ts'

/** The rooms of one node, wired. */
export type NodeParts = {
  readonly input: StartNodeInput
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly network: Network
  readonly chains: Chains
  readonly quorum: Quorum
  readonly tensors: TensorStore
  readonly events: EventService
  readonly experts: OpenExpertRooms
  readonly imports: ModelImporter
  readonly learning: LearningAccess
  readonly metrics: NodeMetrics
  /** How far a snapshot is fetched. */
  readonly stateSync: Pick<StateSync, 'progress'>
  readonly validators: ValidatorService
  /** Own place among the validators of now; undefined for a node that follows. */
  readonly validator: number | undefined
}
