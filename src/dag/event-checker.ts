import { eventsOfBody, type Vertex } from '../consensus/index.ts'
import { decodeEvent, type SignedEvent, verifyEvent } from './core/event.ts'

/**
 * Checks the events of vertices, and keeps what it decoded for as long as the vertex lives, so that execution need not
 * decode again.
 */
export class EventChecker {
  readonly #genesisDigest: Uint8Array
  readonly #decoded = new WeakMap<Vertex, readonly SignedEvent[]>()

  constructor(genesisDigest: Uint8Array) {
    this.#genesisDigest = genesisDigest
  }

  async check(vertex: Vertex): Promise<boolean> {
    let events: SignedEvent[]
    try {
      events = eventsOfBody(vertex.body).map(decodeEvent)
    } catch {
      return false
    }
    if (events.length !== vertex.header.eventCount) return false
    const verdicts = await Promise.all(events.map(event => verifyEvent(event, this.#genesisDigest)))
    if (verdicts.includes(false)) return false
    this.#decoded.set(vertex, events)
    return true
  }

  eventsOf(vertex: Vertex): readonly SignedEvent[] {
    const known = this.#decoded.get(vertex)
    if (known !== undefined) return known
    const events = eventsOfBody(vertex.body).map(decodeEvent)
    this.#decoded.set(vertex, events)
    return events
  }
}
