import { bytesEqual } from '../codec/index.ts'
import type { SignedEvent } from './core/event.ts'

const countMax = 32_768
const sizeBytesMax = 32 * 1024 * 1024

/** Events that are known to be rightly signed and wait for the vertex that brings them. Bounded; the oldest go first. */
export class RightEvents {
  readonly #events = new Map<number, SignedEvent>()
  #sizeBytes = 0

  add(event: SignedEvent): void {
    const name = nameOf(event.bytes)
    this.#forget(name)
    this.#events.set(name, event)
    this.#sizeBytes += event.bytes.length
    while (this.#events.size > countMax || this.#sizeBytes > sizeBytesMax)
      this.#forget(this.#events.keys().next().value!)
  }

  /** The event that these bytes are, once: it is forgotten with that. */
  take(bytes: Uint8Array): SignedEvent | undefined {
    if (this.#events.size === 0) return undefined
    const name = nameOf(bytes)
    const event = this.#events.get(name)
    if (event === undefined || !bytesEqual(event.bytes, bytes)) return undefined
    this.#forget(name)
    return event
  }

  #forget(name: number): void {
    const event = this.#events.get(name)
    if (event === undefined) return
    this.#events.delete(name)
    this.#sizeBytes -= event.bytes.length
  }
}

/** Thirty bits of the start of a signature: whoever makes two events with the same finds the older forgotten, no more. */
function nameOf(bytes: Uint8Array): number {
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) & 0x3fffffff
}
