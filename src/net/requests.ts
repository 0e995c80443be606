import type { Connection, Stream } from '@libp2p/interface'
import { BlyanError } from '../errors/index.ts'
import type { Admission } from './admission.ts'
import { readFrame, writeFrame } from './framing.ts'
import { networkLimits, peerAllowances } from './protocols.ts'
import { PeerBudget } from './rate-limit.ts'

export type RequestHandler = (peerId: string, request: Uint8Array) => Promise<Uint8Array>

export type RequestsNeeds = {
  readonly admission: Admission
  readonly penalise: (peerId: string, points: number, reason: string) => void
  readonly heard: (peerId: string) => void
}

/** One frame asked, one frame answered, on a stream of its own. Who asks much waits. */
export class Requests {
  readonly #needs: RequestsNeeds
  /** Bytes of answers on their way to a peer. */
  readonly #answering = new Map<string, number>()
  readonly #asked = new PeerBudget(peerAllowances.requests, networkLimits.knownPeersMax)
  readonly #answered = new PeerBudget(peerAllowances.answerBytes, networkLimits.knownPeersMax)

  constructor(needs: RequestsNeeds) {
    this.#needs = needs
  }

  /** Throws PEER_REQUEST_FAILED. */
  async ask(peerId: string, protocol: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const connection = this.#needs.admission.admitted.get(peerId)?.connection
    let stream: Stream | undefined
    try {
      if (connection === undefined) throw new Error('not connected')
      const signal = AbortSignal.timeout(timeoutMs)
      stream = await connection.newStream(protocol, { signal })
      const opened = stream
      signal.addEventListener('abort', () => opened.abort(new Error('timeout')), { once: true })
      await writeFrame(stream, request)
      const response = await readFrame(stream, networkLimits.responseBytesMax)
      stream.close().catch(() => {})
      this.#needs.heard(peerId)
      return response
    } catch (error) {
      stream?.abort(error instanceof Error ? error : new Error('request failed'))
      throw new BlyanError('PEER_REQUEST_FAILED', { peerId, protocol }, { cause: error })
    }
  }

  async answer(stream: Stream, connection: Connection, handler: RequestHandler): Promise<void> {
    const peerId = connection.remotePeer.toString()
    // Asking slowly, or not reading the answer, must not hold memory for ever.
    const timer = setTimeout(() => stream.abort(new Error('timeout')), networkLimits.answerTimeoutMs)
    try {
      if (!(await this.#needs.admission.wait(peerId))) throw new Error('not admitted')
      const request = await readFrame(stream, networkLimits.requestBytesMax)
      this.#needs.heard(peerId)
      await pause(this.#asked.spend(peerId))
      if (stream.status !== 'open') return
      const response = await handler(peerId, request)
      if ((this.#answering.get(peerId) ?? 0) + response.length > networkLimits.feedQueueBytesMax)
        throw new Error('too much is on its way already')
      this.#countAnswering(peerId, response.length)
      try {
        await pause(this.#answered.spend(peerId, response.length))
        await writeFrame(stream, response)
        await stream.close()
      } finally {
        this.#countAnswering(peerId, -response.length)
      }
    } catch (error) {
      // Who gave up waiting is at no fault: what was cut short is then our own slowness.
      const isFault = error instanceof BlyanError && stream.status === 'open'
      stream.abort(error instanceof Error ? error : new Error('request refused'))
      if (isFault) this.#needs.penalise(peerId, 5, error.code)
    } finally {
      clearTimeout(timer)
    }
  }

  #countAnswering(peerId: string, change: number): void {
    const sizeBytes = (this.#answering.get(peerId) ?? 0) + change
    if (sizeBytes === 0) this.#answering.delete(peerId)
    else this.#answering.set(peerId, sizeBytes)
  }
}

export async function pause(delayMs: number): Promise<void> {
  if (delayMs > 0) await new Promise(resolve => setTimeout(resolve, delayMs).unref())
}
