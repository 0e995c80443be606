import {
  type Chains,
  decodeEvent,
  eventLimits,
  type Genesis,
  type HandlerRegistry,
  type SignedEvent
} from '../dag/index.ts'
import { BlyanError, isBlyanError } from '../errors/index.ts'

export type EventIntakeNeeds = {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly chains: Chains
}

/** Reads events that come from outside, and has their signatures verified together. Knows nothing of clocks and of order. */
export class EventIntake {
  readonly #needs: EventIntakeNeeds

  constructor(needs: EventIntakeNeeds) {
    this.#needs = needs
  }

  /** The event that each of these bytes are, or why they are none. */
  async check(batch: readonly Uint8Array[]): Promise<(SignedEvent | BlyanError)[]> {
    const read = batch.map(bytes => orRefusal(() => this.#read(bytes)))
    const verdicts = await this.#needs.chains.verifyEvents(
      read.filter((event): event is SignedEvent => !(event instanceof BlyanError))
    )
    let place = 0
    return read.map(event => {
      if (event instanceof BlyanError || verdicts[place++] === true) return event
      return new BlyanError('EVENT_SIGNATURE_WRONG', { genesis: this.#needs.genesis.cid })
    })
  }

  /** Throws EVENT_TYPE_UNKNOWN, EVENT_PAYLOAD_TOO_LARGE, EVENT_PAYLOAD_INVALID. */
  checkPayload(type: string, payload: Uint8Array): void {
    const handler = this.#needs.handlers.get(type)
    if (payload.length > eventLimits.payloadBytesMax)
      throw new BlyanError('EVENT_PAYLOAD_TOO_LARGE', {
        sizeBytes: payload.length,
        limitBytes: eventLimits.payloadBytesMax
      })
    handler.describePayload(payload)
  }

  #read(bytes: Uint8Array): SignedEvent {
    const event = decodeEvent(bytes)
    this.checkPayload(event.envelope.type, event.envelope.payload)
    return event
  }
}

/** What `work` gives, or the refusal it throws; anything else that it throws goes on. */
export function orRefusal<T>(work: () => T): T | BlyanError {
  try {
    return work()
  } catch (error) {
    if (isBlyanError(error)) return error
    throw error
  }
}
