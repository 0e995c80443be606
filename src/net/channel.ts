import type { Connection, Stream } from '@libp2p/interface'
import { BlyanError } from '../errors/index.ts'
import type { Admission } from './admission.ts'
import type { Channel, ChannelHandlers, ChannelOpener } from './channel-types.ts'
import { readFrames, writeFrame } from './framing.ts'
import { networkLimits, peerAllowances } from './protocols.ts'
import { PeerBudget } from './rate-limit.ts'
import { pause } from './requests.ts'

export type ChannelsNeeds = {
  readonly admission: Admission
  readonly penalise: (peerId: string, points: number, reason: string) => void
  readonly heard: (peerId: string) => void
}

/** Channels of admitted peers. Who sends much is read more slowly; nobody can make us hold more than a queue and a frame. */
export class Channels {
  readonly #needs: ChannelsNeeds
  readonly #frames = new PeerBudget(peerAllowances.channelFrames, networkLimits.knownPeersMax)
  readonly #bytes = new PeerBudget(peerAllowances.channelBytes, networkLimits.knownPeersMax)

  constructor(needs: ChannelsNeeds) {
    this.#needs = needs
  }

  /** Throws PEER_REQUEST_FAILED. */
  async open(peerId: string, protocol: string, handlers: ChannelHandlers): Promise<Channel> {
    try {
      const connection = this.#needs.admission.admitted.get(peerId)?.connection
      if (connection === undefined) throw new Error('not connected')
      const signal = AbortSignal.timeout(networkLimits.helloTimeoutMs)
      const channel = new StreamChannel(peerId, await connection.newStream(protocol, { signal }))
      void this.#read(channel, handlers)
      return channel
    } catch (error) {
      throw new BlyanError('PEER_REQUEST_FAILED', { peerId, protocol }, { cause: error })
    }
  }

  async accept(stream: Stream, connection: Connection, opener: ChannelOpener): Promise<void> {
    const peerId = connection.remotePeer.toString()
    if (!(await this.#needs.admission.wait(peerId))) return stream.abort(new Error('not admitted'))
    const channel = new StreamChannel(peerId, stream)
    await this.#read(channel, opener(channel))
  }

  async #read(channel: StreamChannel, handlers: ChannelHandlers): Promise<void> {
    const { peerId, stream } = channel
    try {
      for await (const frame of readFrames(stream, networkLimits.channelFrameBytesMax)) {
        if (!channel.isOpen) break
        this.#needs.heard(peerId)
        const waitMs = Math.max(this.#frames.spend(peerId), this.#bytes.spend(peerId, frame.length))
        const taken = handlers.onFrame(frame)
        if (taken === undefined && waitMs === 0) continue
        stream.pause()
        await Promise.all([taken, pause(waitMs)])
        stream.resume()
      }
      channel.close()
    } catch (error) {
      // What was cut short because the connection broke is nobody's fault.
      const isFault = error instanceof BlyanError && error.code !== 'FRAME_TRUNCATED'
      channel.abort(error instanceof Error ? error : new Error('channel refused'))
      if (isFault) this.#needs.penalise(peerId, error.code === 'FRAME_TOO_LARGE' ? 25 : 5, error.code)
    } finally {
      handlers.onClose()
    }
  }
}

class StreamChannel implements Channel {
  readonly peerId: string
  readonly stream: Stream
  readonly #queue: Uint8Array[] = []
  #queuedBytes = 0
  #isSending = false
  #isClosed = false

  constructor(peerId: string, stream: Stream) {
    this.peerId = peerId
    this.stream = stream
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.stream.status === 'open'
  }

  send(frame: Uint8Array): boolean {
    if (!this.isOpen || frame.length > networkLimits.channelFrameBytesMax) return false
    if (this.#queuedBytes + frame.length > networkLimits.channelQueueBytesMax) return false
    this.#queue.push(frame)
    this.#queuedBytes += frame.length
    if (!this.#isSending) void this.#drain()
    return true
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    // The other side ends its own half once it has read ours; who never does is not waited for.
    setTimeout(() => this.abort(new Error('closed')), networkLimits.channelCloseMs).unref()
    if (!this.#isSending) this.stream.close().catch(() => {})
  }

  abort(error: Error): void {
    this.#isClosed = true
    this.#queue.length = 0
    this.stream.abort(error)
  }

  async #drain(): Promise<void> {
    this.#isSending = true
    try {
      for (let frame = this.#queue.shift(); frame !== undefined; frame = this.#queue.shift()) {
        await writeFrame(this.stream, frame)
        this.#queuedBytes -= frame.length
      }
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error('channel failed'))
    } finally {
      this.#isSending = false
    }
    if (this.#isClosed) this.stream.close().catch(() => {})
  }
}
