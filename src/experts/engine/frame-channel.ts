import type { Duplex } from 'node:stream'
import { BlyanError } from '../../errors/index.ts'
import { decodeFrame, encodeFrame, type Frame, lengthBytes } from './frame-codec.ts'

export type { Frame } from './frame-codec.ts'

/** Frames over a byte stream, as frame-codec.ts writes them. */
export interface FrameChannel {
  /** Queues a frame; bytes in it must not change any more. Throws ENGINE_REQUEST_INVALID if it is larger than the limit; does nothing once the channel ended. */
  send(frame: Frame): void
  /** Ends the stream after what is queued. */
  close(): void
}

export type FrameChannelNeeds = {
  readonly stream: Duplex
  readonly frameBytesMax: number
  readonly onFrame: (frame: Frame) => void
  /** Called once, when the stream ends, fails, or carries what is no frame; it is destroyed then. */
  readonly onEnd: (reason: string) => void
}

/** The reason `onEnd` hears when nothing went wrong. */
export const closedReason = 'the channel was closed'

/** Reads frames from `stream` until it ends. Nothing that arrives can throw past it or make it hold more than one frame. */
export function createFrameChannel(needs: FrameChannelNeeds): FrameChannel {
  return new StreamFrameChannel(needs)
}

class StreamFrameChannel implements FrameChannel {
  readonly #needs: FrameChannelNeeds
  #chunks: Buffer[] = []
  #heldBytes = 0
  #ended = false

  constructor(needs: FrameChannelNeeds) {
    this.#needs = needs
    const { stream } = needs
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.on('end', () => this.#end(closedReason))
    stream.on('close', () => this.#end(closedReason))
    stream.on('error', error => this.#end(error.message))
  }

  send(frame: Frame): void {
    const pieces = encodeFrame(frame)
    const sizeBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    if (sizeBytes > this.#needs.frameBytesMax) {
      throw new BlyanError('ENGINE_REQUEST_INVALID', { reason: `a message of ${sizeBytes} bytes is too large` })
    }
    if (this.#ended) return
    const { stream } = this.#needs
    stream.cork()
    for (const piece of pieces) stream.write(piece)
    stream.uncork()
  }

  close(): void {
    if (!this.#ended) this.#needs.stream.end()
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return
    this.#chunks.push(chunk)
    this.#heldBytes += chunk.length
    while (!this.#ended && this.#heldBytes >= lengthBytes) {
      const sizeBytes = this.#joinedHead(lengthBytes).readUInt32BE(0)
      if (sizeBytes + lengthBytes > this.#needs.frameBytesMax) {
        this.#end(`a frame of ${sizeBytes} bytes is larger than allowed`)
        return
      }
      if (this.#heldBytes < lengthBytes + sizeBytes) return
      const payload = this.#joinedHead(lengthBytes + sizeBytes).subarray(lengthBytes, lengthBytes + sizeBytes)
      this.#drop(lengthBytes + sizeBytes)
      this.#deliver(payload)
    }
  }

  #deliver(payload: Buffer): void {
    let frame: Frame
    try {
      frame = decodeFrame(payload)
    } catch {
      this.#end('what came over the channel is no frame')
      return
    }
    this.#needs.onFrame(frame)
  }

  /** The first chunk, made at least `sizeBytes` long; chunks are joined only once enough of them are there. */
  #joinedHead(sizeBytes: number): Buffer {
    if (this.#chunks[0]!.length < sizeBytes) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0]!
  }

  #drop(sizeBytes: number): void {
    this.#heldBytes -= sizeBytes
    const rest = this.#chunks[0]!.subarray(sizeBytes)
    if (rest.length > 0) this.#chunks[0] = rest
    else this.#chunks.shift()
  }

  #end(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#chunks = []
    this.#heldBytes = 0
    this.#needs.stream.destroy()
    this.#needs.onEnd(reason)
  }
}
