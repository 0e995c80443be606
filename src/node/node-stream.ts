import { hexToBytes, publicKeyToText } from '../codec/index.ts'
import { type ExecutedEvent, eventId } from '../dag/index.ts'
import type { EventLine, NodeStatus, StreamMessage } from './blyan-node.ts'
import { committeeOf, finalityOf } from './finality.ts'
import type { NodeParts } from './node-parts.ts'
import { mayDegrade } from './quorum-health.ts'
import { eventLine } from './views.ts'

export type StreamNeeds = {
  readonly parts: Pick<NodeParts, 'chains' | 'genesis'>
  readonly status: () => Promise<NodeStatus>
  readonly statusEveryMs: number
  readonly signal: AbortSignal
}

const queueMax = 10_000
const pageEvents = 256

/**
 * Statuses now and then, and every event once it is ordered. Where that is not final yet, the event comes again when it
 * is; those are read from disk, so that hours of degraded order cost no memory.
 */
export async function* nodeStream({ parts, status, statusEveryMs, signal }: StreamNeeds): AsyncIterable<StreamMessage> {
  const { chains } = parts
  const queue: EventLine[] = []
  const confirming = await Confirming.begin(parts)
  let wake = Promise.withResolvers<void>()
  const stopExecuted = chains.onFinal((executed, commitIndex) => {
    if (queue.length >= queueMax) return
    const line = lineOf(executed, finalityOf(parts, commitIndex))
    if (line.finality === 'degraded') confirming.note(line.sequence)
    queue.push(line)
    wake.resolve()
  })
  const stopCertified = chains.onCertified(() => wake.resolve())
  const onAbort = (): void => wake.resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (let statusAtMs = 0; !signal.aborted; ) {
      for (let event = queue.shift(); event !== undefined; event = queue.shift()) yield { kind: 'event', event }
      for await (const event of confirming.confirmed()) yield { kind: 'event', event }
      if (performance.now() >= statusAtMs) {
        yield { kind: 'status', status: await status() }
        statusAtMs = performance.now() + statusEveryMs
      }
      if (queue.length > 0 || confirming.isDue || signal.aborted) continue
      wake = Promise.withResolvers<void>()
      const timer = setTimeout(() => wake.resolve(), Math.max(0, statusAtMs - performance.now()))
      await wake.promise
      clearTimeout(timer)
    }
  } finally {
    stopExecuted()
    stopCertified()
    signal.removeEventListener('abort', onAbort)
  }
}

/** Which events were told as degraded and have still to be told as final. */
class Confirming {
  readonly #parts: StreamNeeds['parts']
  #next: number
  #last: number
  #seenCommitIndex = -1

  constructor(parts: StreamNeeds['parts'], next: number, last: number) {
    this.#parts = parts
    this.#next = next
    this.#last = last
  }

  /** What was degraded before the stream began is told too once it is final. */
  static async begin(parts: StreamNeeds['parts']): Promise<Confirming> {
    const { chains } = parts
    if (!mayDegrade(committeeOf(parts))) return new Confirming(parts, 1, 0)
    const certified = (await chains.checkpoint(chains.certifiedSequence))?.checkpoint
    const next = certified === undefined ? 1 : certified.eventFirst + certified.eventCount
    return new Confirming(parts, next, chains.eventCount)
  }

  /** A certificate came since the last look, and something waits for one. */
  get isDue(): boolean {
    return this.#next <= this.#last && this.#parts.chains.certifiedCommitIndex !== this.#seenCommitIndex
  }

  note(sequence: number): void {
    if (this.#next > this.#last) this.#next = sequence
    this.#last = sequence
  }

  async *confirmed(): AsyncIterable<EventLine> {
    while (this.isDue) {
      const certifiedCommitIndex = this.#parts.chains.certifiedCommitIndex
      let count = 0
      for await (const found of this.#parts.chains.events(
        this.#next,
        Math.min(pageEvents, this.#last - this.#next + 1)
      )) {
        if (found.record.commitIndex > certifiedCommitIndex) break
        count++
        this.#next = found.record.sequence + 1
        yield eventLine(found, 'final')
      }
      if (count < pageEvents) this.#seenCommitIndex = certifiedCommitIndex
    }
  }
}

function lineOf({ event, sequence }: ExecutedEvent, finality: EventLine['finality']): EventLine {
  return {
    sequence,
    eventId: eventId(hexToBytes(event.digest)!).toString(),
    type: event.envelope.type,
    author: publicKeyToText(event.envelope.author),
    finality
  }
}
