import type { ConsensusParameters } from './parameters.ts'

/**
 * An event that waits for its place in the agreed order. `id` is its CID's digest in hex. One that must yield cost its
 * author nothing: it may not take the second half of the room.
 */
export type PendingEvent = { readonly id: string; readonly bytes: Uint8Array; readonly mustYield?: boolean }

const earlyMax = 8

/**
 * Events that this node has promised to bring in: waiting, or in one of its own vertices and not yet in a commit.
 * Events of a vertex that is forgotten uncommitted wait again. Bounded by count and bytes.
 */
export class Mempool {
  readonly #parameters: ConsensusParameters
  /** In order of arrival; `round` is that of the own vertex that carries it. */
  readonly #events = new Map<string, { bytes: Uint8Array; round: number | undefined; early: number }>()
  #waitingCount = 0
  #sizeBytes = 0

  constructor(parameters: ConsensusParameters) {
    this.#parameters = parameters
  }

  get size(): number {
    return this.#events.size
  }

  get waitingCount(): number {
    return this.#waitingCount
  }

  has(id: string): boolean {
    return this.#events.has(id)
  }

  list(): PendingEvent[] {
    return [...this.#events].map(([id, { bytes }]) => ({ id, bytes }))
  }

  /** False when it is full. Adding what is there already changes nothing. */
  add(event: PendingEvent): boolean {
    if (this.#events.has(event.id)) return true
    const parts = event.mustYield === true ? 2 : 1
    if (this.#events.size >= this.#parameters.mempoolEventsMax / parts) return false
    if (this.#sizeBytes + event.bytes.length > this.#parameters.mempoolBytesMax / parts) return false
    this.#events.set(event.id, { bytes: event.bytes, round: undefined, early: 0 })
    this.#waitingCount++
    this.#sizeBytes += event.bytes.length
    return true
  }

  /** After a restart: an event that an own vertex of `round` carries, not yet in a commit. */
  restore(event: PendingEvent, round: number): void {
    if (!this.add(event)) return
    const entry = this.#events.get(event.id)!
    if (entry.round === undefined) this.#waitingCount--
    entry.round = round
  }

  /** The next events for an own vertex of `round`, oldest first, within the limits of a vertex. */
  take(round: number): Uint8Array[] {
    const taken: Uint8Array[] = []
    if (this.#waitingCount === 0) return taken
    let bodyBytes = 0
    for (const event of this.#events.values()) {
      if (event.round !== undefined) continue
      bodyBytes += 4 + event.bytes.length
      if (taken.length >= this.#parameters.eventsPerVertexMax || bodyBytes > this.#parameters.bodyBytesMax) break
      event.round = round
      this.#waitingCount--
      taken.push(event.bytes)
      if (this.#waitingCount === 0) break
    }
    return taken
  }

  /** These are ordered now, by whichever vertex. */
  remove(ids: Iterable<string>): void {
    for (const id of ids) {
      const event = this.#events.get(id)
      if (event === undefined) continue
      if (event.round === undefined) this.#waitingCount--
      this.#sizeBytes -= event.bytes.length
      this.#events.delete(id)
    }
  }

  /** These were ordered before their predecessors: they wait again, and are given up after a few times. */
  early(ids: Iterable<string>): void {
    for (const id of ids) {
      const event = this.#events.get(id)
      if (event?.round === undefined) continue
      if (++event.early > earlyMax) {
        this.remove([id])
        continue
      }
      event.round = undefined
      this.#waitingCount++
    }
  }

  /** Own vertices for which `isLost` holds will never be committed: what they carried waits again, in its old order. */
  requeue(isLost: (round: number) => boolean): void {
    for (const event of this.#events.values()) {
      if (event.round === undefined || !isLost(event.round)) continue
      event.round = undefined
      this.#waitingCount++
    }
  }
}
