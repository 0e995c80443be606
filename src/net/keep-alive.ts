import type { Connection } from '@libp2p/interface'
import { networkLimits } from './protocols.ts'

export type KeepAliveNeeds = {
  readonly connections: () => Iterable<readonly [peerId: string, connection: Connection]>
  readonly giveUp: (peerId: string, connection: Connection) => void
  readonly nowMs?: () => number
}

type Pulse = { heardAtMs: number; pingedAtMs: number; roundTripMs: number | null; isPinging: boolean }

const pingProtocol = '/ipfs/ping/1.0.0'
const pingBytes = 32

/**
 * Notices peers that are gone without a word. Whatever a peer sends says that it is there: the heartbeats of the quorum
 * do, so a ping is needed only for the round trip (now and then) and for who has said nothing for long.
 */
export class KeepAlive {
  readonly #needs: KeepAliveNeeds
  readonly #nowMs: () => number
  readonly #pulses = new Map<string, Pulse>()
  #timer: NodeJS.Timeout | undefined

  constructor(needs: KeepAliveNeeds) {
    this.#needs = needs
    this.#nowMs = needs.nowMs ?? (() => performance.now())
  }

  start(): void {
    this.#timer = setInterval(() => this.round(), networkLimits.keepAliveRoundMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  admitted(peerId: string): void {
    const nowMs = this.#nowMs()
    this.#pulses.set(peerId, {
      heardAtMs: nowMs,
      pingedAtMs: Number.NEGATIVE_INFINITY,
      roundTripMs: null,
      isPinging: false
    })
  }

  gone(peerId: string): void {
    this.#pulses.delete(peerId)
  }

  heard(peerId: string): void {
    const pulse = this.#pulses.get(peerId)
    if (pulse !== undefined) pulse.heardAtMs = this.#nowMs()
  }

  roundTripMs(peerId: string): number | null {
    return this.#pulses.get(peerId)?.roundTripMs ?? null
  }

  /** Pings whom it is time to ping. */
  round(): void {
    const nowMs = this.#nowMs()
    for (const [peerId, connection] of this.#needs.connections()) {
      const pulse = this.#pulses.get(peerId)
      if (pulse === undefined || pulse.isPinging) continue
      const isSilent = nowMs - pulse.heardAtMs >= networkLimits.keepAliveSilentMs
      if (isSilent || nowMs - pulse.pingedAtMs >= networkLimits.roundTripEveryMs)
        void this.#ping(peerId, connection, pulse, isSilent)
    }
  }

  async #ping(peerId: string, connection: Connection, pulse: Pulse, isSilent: boolean): Promise<void> {
    pulse.isPinging = true
    pulse.pingedAtMs = this.#nowMs()
    try {
      pulse.roundTripMs = await roundTrip(connection, networkLimits.pingTimeoutMs)
      pulse.heardAtMs = this.#nowMs()
    } catch {
      // Busy is not gone: only who was silent before is given up.
      if (isSilent && this.#pulses.get(peerId) === pulse) this.#needs.giveUp(peerId, connection)
    } finally {
      pulse.isPinging = false
    }
  }
}

/** Milliseconds of one ping. Throws when there is no answer in time. */
export async function roundTrip(connection: Connection, timeoutMs: number): Promise<number> {
  const signal = AbortSignal.timeout(timeoutMs)
  const stream = await connection.newStream(pingProtocol, { signal })
  const abort = (): void => stream.abort(new Error('no pong in time'))
  signal.addEventListener('abort', abort, { once: true })
  try {
    const startedAtMs = performance.now()
    stream.send(crypto.getRandomValues(new Uint8Array(pingBytes)))
    let receivedBytes = 0
    for await (const chunk of stream) {
      receivedBytes += chunk.byteLength
      if (receivedBytes >= pingBytes) break
    }
    if (receivedBytes < pingBytes) throw new Error('no pong')
    return performance.now() - startedAtMs
  } finally {
    signal.removeEventListener('abort', abort)
    stream.close().catch(() => {})
  }
}
