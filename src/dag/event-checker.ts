import { type SignaturePool, verifySignature } from '../codec/index.ts'
import { eventsOfBody, type Vertex } from '../consensus/index.ts'
import { decodeEvent, type SignedEvent, signatureCheckOf } from './core/event.ts'
import { RightEvents } from './right-events.ts'

/**
 * Checks events, each once: what was decoded and verified when it was submitted here is not decoded and verified again in a
 * vertex, and what was decoded in a vertex is kept for as long as the vertex lives, for execution.
 */
export class EventChecker {
  readonly #genesisDigest: Uint8Array
  readonly #signatures: SignaturePool | undefined
  readonly #decoded = new WeakMap<Vertex, readonly SignedEvent[]>()
  readonly #right = new RightEvents()

  /** Without a pool of threads every signature is one job of the process's thread pool. */
  constructor(genesisDigest: Uint8Array, signatures?: SignaturePool) {
    this.#genesisDigest = genesisDigest
    this.#signatures = signatures
  }

  /** Whether each is rightly signed. Those that are will not be verified again when a vertex brings them. */
  async verify(events: readonly SignedEvent[]): Promise<readonly boolean[]> {
    const verdicts = await this.#verdicts(events)
    for (const [place, event] of events.entries()) if (verdicts[place] === true) this.#right.add(event)
    return verdicts
  }

  async check(vertex: Vertex): Promise<boolean> {
    const events: SignedEvent[] = []
    const unknown: SignedEvent[] = []
    try {
      for (const bytes of eventsOfBody(vertex.body)) {
        const known = this.#right.take(bytes)
        events.push(known ?? decodeEvent(bytes))
        if (known === undefined) unknown.push(events.at(-1)!)
      }
    } catch {
      return false
    }
    if (events.length !== vertex.header.eventCount) return false
    if ((await this.#verdicts(unknown)).includes(false)) return false
    this.#decoded.set(vertex, events)
    return true
  }

  eventsOf(vertex: Vertex): readonly SignedEvent[] {
    const known = this.#decoded.get(vertex)
    if (known !== undefined) return known
    const events = eventsOfBody(vertex.body).map(bytes => this.#right.take(bytes) ?? decodeEvent(bytes))
    this.#decoded.set(vertex, events)
    return events
  }

  #verdicts(events: readonly SignedEvent[]): Promise<readonly boolean[]> {
    const checks = events.map(event => signatureCheckOf(event, this.#genesisDigest))
    return (
      this.#signatures?.verify(checks) ??
      Promise.all(checks.map(({ publicKey, message, signature }) => verifySignature(publicKey, message, signature)))
    )
  }
}
