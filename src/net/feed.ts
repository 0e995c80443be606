import type { Stream } from '@libp2p/interface'
import { writeFrame } from './framing.ts'
import { networkLimits } from './protocols.ts'

/** One-way pushes to one peer, in order. */
export interface FeedSender {
  /** Queues a frame. When the peer reads too slowly the oldest frames are dropped: it fetches what it misses. */
  push(frame: Uint8Array): void
  close(): void
}

/**
 * `openStream` is given what to call when the stream ends. A feed can end while the connection lives (a slow peer, a
 * busy machine): it begins again after a while, empty, and `onReopened` pushes what the peer needs first.
 */
export function createFeedSender(
  openStream: (onEnd: () => void) => Promise<Stream>,
  onReopened: () => void
): FeedSender {
  return new StreamFeedSender(openStream, onReopened)
}

class StreamFeedSender implements FeedSender {
  readonly #openStream: (onEnd: () => void) => Promise<Stream>
  readonly #onReopened: () => void
  #stream: Stream | undefined
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #isSending = false
  #isClosed = false
  #pause: NodeJS.Timeout | undefined

  constructor(openStream: (onEnd: () => void) => Promise<Stream>, onReopened: () => void) {
    this.#openStream = openStream
    this.#onReopened = onReopened
  }

  push(frame: Uint8Array): void {
    if (this.#isClosed || this.#pause !== undefined) return
    this.#queue.push(frame)
    this.#queuedBytes += frame.length
    while (this.#queuedBytes > networkLimits.feedQueueBytesMax) this.#queuedBytes -= this.#queue.shift()!.length
    if (!this.#isSending) void this.#send()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#pause)
    this.#queue = []
    this.#stream?.close().catch(() => this.#stream?.abort(new Error('feed closed')))
  }

  async #send(): Promise<void> {
    this.#isSending = true
    let stream = this.#stream
    try {
      if (stream === undefined) {
        const opened: { stream?: Stream } = {}
        stream = await this.#openStream(() => this.#ended(opened.stream))
        opened.stream = stream
        if (this.#isClosed) throw new Error('feed closed')
        this.#stream = stream
      }
      for (let frame = this.#queue.shift(); frame !== undefined; frame = this.#queue.shift()) {
        this.#queuedBytes -= frame.length
        await writeFrame(stream, frame)
      }
    } catch {
      stream?.abort(new Error('feed failed'))
      this.#ended(stream)
    } finally {
      this.#isSending = false
    }
  }

  /** `stream` is the one that ended: what an older one says late must not end the present one. */
  #ended(stream: Stream | undefined): void {
    if (this.#isClosed || this.#pause !== undefined || this.#stream !== stream) return
    this.#stream = undefined
    this.#queue = []
    this.#queuedBytes = 0
    this.#pause = setTimeout(() => {
      this.#pause = undefined
      if (!this.#isClosed) this.#onReopened()
    }, networkLimits.reopenFeedMs)
    this.#pause.unref()
  }
}
