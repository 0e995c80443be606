import type { Stream } from '@libp2p/interface'
import { writeFrame } from './framing.ts'
import { networkLimits } from './protocols.ts'

/** One-way pushes to one peer, in order. */
export interface FeedSender {
  /** Queues a frame. When the peer reads too slowly the oldest frames are dropped: it fetches what it misses. */
  push(frame: Uint8Array): void
  close(): void
}

export function createFeedSender(openStream: () => Promise<Stream>, onEnd: () => void): FeedSender {
  return new StreamFeedSender(openStream, onEnd)
}

const reopenAfterMs = 1000

class StreamFeedSender implements FeedSender {
  readonly #openStream: () => Promise<Stream>
  readonly #onEnd: () => void
  #stream: Stream | undefined
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #isSending = false
  #isClosed = false
  #opensAgainAtMs = 0

  constructor(openStream: () => Promise<Stream>, onEnd: () => void) {
    this.#openStream = openStream
    this.#onEnd = onEnd
  }

  push(frame: Uint8Array): void {
    if (this.#isClosed || performance.now() < this.#opensAgainAtMs) return
    this.#queue.push(frame)
    this.#queuedBytes += frame.length
    while (this.#queuedBytes > networkLimits.feedQueueBytesMax) this.#queuedBytes -= this.#queue.shift()!.length
    if (!this.#isSending) void this.#send()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#queue = []
    this.#stream?.close().catch(() => this.#stream?.abort(new Error('feed closed')))
  }

  async #send(): Promise<void> {
    this.#isSending = true
    try {
      this.#stream ??= await this.#openStream()
      for (let frame = this.#queue.shift(); frame !== undefined; frame = this.#queue.shift()) {
        this.#queuedBytes -= frame.length
        await writeFrame(this.#stream, frame)
      }
    } catch {
      // The stream may end while the connection lives on: the next push opens another, not at once.
      this.#stream?.abort(new Error('feed failed'))
      this.#stream = undefined
      this.#opensAgainAtMs = performance.now() + reopenAfterMs
      this.#queue = []
      this.#queuedBytes = 0
      this.#onEnd()
    } finally {
      this.#isSending = false
    }
  }
}
