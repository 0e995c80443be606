import type { Duplex } from 'node:stream'
import { type CanonicalValue, decodeCanonical, encodeCanonical } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'

export type Frame = { readonly [key: string]: CanonicalValue }

/** Frames over a byte stream: length (u32, big-endian), then one map in canonical DAG-CBOR. */
export interface FrameChannel {
  /** Queues a frame. Throws ENGINE_REQUEST_INVALID if it is larger than the limit; does nothing once the channel ended. */
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

const lengthBytes = 4

/** Reads frames from `stream` until it ends. Nothing that arrives can throw past it or make it hold more than one frame. */
export function createFrameChannel(needs: FrameChannelNeeds): FrameChannel {
  return new StreamFrameChannel(needs)
}

/** The bytes of a frame as they travel, length first. */
export function encodeFrame(frame: Frame): Uint8Array {
  const payload = encodeCanonical(frame)
  const bytes = new Uint8Array(lengthBytes + payload.length)
  new DataView(bytes.buffer).setUint32(0, payload.length)
  bytes.set(payload, lengthBytes)
  return bytes
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
    const bytes = encodeFrame(frame)
    if (bytes.length > this.#needs.frameBytesMax) {
      throw new BlyanError('ENGINE_REQUEST_INVALID', { reason: `a message of ${bytes.length} bytes is too large` })
    }
    if (!this.#ended) this.#needs.stream.write(bytes)
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
    let value: CanonicalValue
    try {
      value = decodeCanonical(payload, { sizeBytesMax: this.#needs.frameBytesMax })
    } catch {
      this.#end('what came over the channel is no frame')
      return
    }
    if (isMap(value)) this.#needs.onFrame(value)
    else this.#end('what came over the channel is no map')
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

function isMap(value: CanonicalValue): value is Frame {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  // Bytes and links are objects too; only a plain map has the plain prototype.
  return Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null
}
