import type { CID } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { Economy } from './economy.ts'
import type { EventEnvelope } from './event.ts'
import type { StateView } from './state.ts'

/** What a handler asks to be written to a chain; the chain's own fields are filled in by the executor. */
export type BlockDraft = {
  readonly chain: 'A' | 'B' | 'C' | 'D'
  readonly blockType: string
  readonly name: string | null
  readonly layer: number | null
  readonly payloadHash: Uint8Array
  readonly tensor: CID | null
  readonly nonce: number
  /** For chain B, beyond the meta block; the linear chains depend on the block before and nothing else. */
  readonly dependsOn: readonly CID[]
  readonly shape: readonly number[]
}

/** The block of an event that names no part and no tensor. */
export function plainBlock(chain: BlockDraft['chain'], blockType: string, payloadHash: Uint8Array): BlockDraft {
  return { chain, blockType, name: null, layer: null, payloadHash, tensor: null, nonce: 0, dependsOn: [], shape: [] }
}

export type ApplyInput = {
  readonly envelope: EventEnvelope
  /** SHA-256 of the envelope, hex: what the event's id is made of. */
  readonly eventDigest: string
  readonly state: StateView
  readonly timestampMs: number
}

/** Everything the node knows about one type of event. Consensus never looks inside an event; a handler never knows how it was ordered. */
export interface EventHandler {
  readonly type: string
  /** One line for people. */
  readonly purpose: string
  /** Payload bytes from JSON. Throws EVENT_PAYLOAD_INVALID. */
  encodePayload(json: unknown): Uint8Array
  /** What people are shown of a payload. Throws EVENT_PAYLOAD_INVALID. */
  describePayload(payload: Uint8Array): unknown
  /** Validates against the state and applies. Throws a BlyanError to refuse: nothing is changed then. */
  apply(input: ApplyInput): BlockDraft | undefined
}

export class HandlerRegistry {
  readonly #handlers = new Map<string, EventHandler>()
  /** What happens between events; undefined in a network without coins that are earned. */
  readonly economy: Economy | undefined

  constructor(handlers: readonly EventHandler[], economy?: Economy) {
    this.economy = economy
    for (const handler of handlers) {
      if (this.#handlers.has(handler.type)) throw new Error(`two handlers for ${handler.type}`)
      this.#handlers.set(handler.type, handler)
    }
  }

  /** Throws EVENT_TYPE_UNKNOWN. */
  get(type: string): EventHandler {
    const handler = this.#handlers.get(type)
    if (handler === undefined)
      throw new BlyanError('EVENT_TYPE_UNKNOWN', { type, known: [...this.#handlers.keys()].join(', ') })
    return handler
  }
}
