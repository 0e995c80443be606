import type { PendingEvent } from '../consensus/index.ts'
import type { SignedEvent } from '../dag/index.ts'

const eventsMax = 4096
const sizeBytesMax = 32 * 1024 * 1024

type Relayed = { readonly event: SignedEvent; readonly dueAtMs: number; readonly mustYield: boolean }

/** Events of nodes that are no validators, each until it is this validator's turn to bring it in. Bounded by count and bytes. */
export class RelayedEvents {
  readonly #events = new Map<string, Relayed>()
  #sizeBytes = 0

  /** False when it is there already or there is no room; what must yield may take half of it. */
  add(entry: Relayed): boolean {
    const { event, mustYield } = entry
    const parts = mustYield ? 2 : 1
    if (this.#events.has(event.digest) || this.#events.size >= eventsMax / parts) return false
    if (this.#sizeBytes >= sizeBytesMax / parts) return false
    this.#events.set(event.digest, entry)
    this.#sizeBytes += event.bytes.length
    return true
  }

  forget(digest: string): void {
    const entry = this.#events.size === 0 ? undefined : this.#events.get(digest)
    if (entry === undefined) return
    this.#events.delete(digest)
    this.#sizeBytes -= entry.event.bytes.length
  }

  /** Takes those out whose turn has come and which `isOpen` still holds for. */
  takeDue(nowMs: number, isOpen: (event: SignedEvent) => boolean): PendingEvent[] {
    const due: PendingEvent[] = []
    for (const { event, dueAtMs, mustYield } of [...this.#events.values()]) {
      if (dueAtMs > nowMs) continue
      this.forget(event.digest)
      if (isOpen(event)) due.push({ id: event.digest, bytes: event.bytes, mustYield })
    }
    return due
  }
}
