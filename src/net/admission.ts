import type { Connection, PeerId, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { readFrame, writeFrame } from './framing.ts'
import { decodeHello, encodeHello, type Hello } from './hello.ts'
import type { GenesisAgreement, NetworkInput } from './network-types.ts'
import type { PenaltyBook } from './penalty-book.ts'
import { networkLimits, peerAllowances, protocolIds } from './protocols.ts'
import { PeerBudget } from './rate-limit.ts'

export type Admitted = { readonly hello: Hello; readonly connection: Connection }

export type AdmissionNeeds = {
  readonly input: NetworkInput
  readonly penalties: PenaltyBook
  readonly penalise: (peerId: string, points: number, reason: string) => void
  /** Ends the connections of a peer, with time for the last words to arrive. */
  readonly disconnect: (peerId: string) => void
  readonly onAdmitted: (peerId: string, hello: Hello) => void
}

/** Who belongs here: the exchange of hellos, the peers it let in, and the room kept for those we cannot do without. */
export class Admission {
  readonly #needs: AdmissionNeeds
  readonly #admitted = new Map<string, Admitted>()
  readonly #answers = new Map<string, boolean>()
  readonly #hellos = new PeerBudget(peerAllowances.hellos, networkLimits.knownPeersMax)
  #important: ReadonlySet<string> = new Set()

  constructor(needs: AdmissionNeeds) {
    this.#needs = needs
  }

  get admitted(): ReadonlyMap<string, Admitted> {
    return this.#admitted
  }

  /** These have room however many others there are. */
  keepRoomFor(peerIds: readonly string[]): void {
    this.#important = new Set(peerIds)
  }

  hasRoomFor(peerId: string): boolean {
    if (this.#admitted.has(peerId) || this.#important.has(peerId)) return true
    let others = 0
    for (const admitted of this.#admitted.keys()) if (!this.#important.has(admitted)) others++
    return others < this.#needs.input.peersMax
  }

  agreement(): GenesisAgreement {
    const asked = this.#answers.size
    const agree = [...this.#answers.values()].filter(Boolean).length
    return { asked, agree, alarm: agree < asked * 0.75 }
  }

  async sayHello(connection: Connection): Promise<void> {
    try {
      const signal = AbortSignal.timeout(networkLimits.helloTimeoutMs)
      const stream = await connection.newStream(protocolIds.hello, { signal })
      signal.addEventListener('abort', () => stream.abort(new Error('timeout')), { once: true })
      await writeFrame(stream, encodeHello(this.#ownHello('')))
      const hello = decodeHello(await readFrame(stream, networkLimits.helloBytesMax))
      stream.close().catch(() => {})
      this.#judge(connection, hello)
    } catch (error) {
      this.#needs.input.logger.debug({ peerId: connection.remotePeer.toString(), reason: String(error) }, 'no hello')
      // Left open it would never be tried again: dialling gives the open connection back.
      connection.abort(error instanceof Error ? error : new Error('no hello'))
    }
  }

  /** Who connects and never says which network it belongs to must not hold a place. */
  expectHello(connection: Connection): void {
    setTimeout(() => {
      if (connection.status !== 'open' || this.#admitted.has(connection.remotePeer.toString())) return
      this.#needs.input.logger.debug({ peerId: connection.remotePeer.toString() }, 'no hello in time')
      connection.abort(new Error('no hello in time'))
    }, 2 * networkLimits.helloTimeoutMs).unref()
  }

  async answerHello(stream: Stream, connection: Connection): Promise<void> {
    const peerId = connection.remotePeer.toString()
    try {
      if (!this.#hellos.trySpend(peerId)) throw new Error('too many hellos')
      const hello = decodeHello(await readFrame(stream, networkLimits.helloBytesMax))
      const isFull = !this.hasRoomFor(peerId)
      const refusal = this.#refusalOf(hello) || (isFull ? 'no room for another peer' : '')
      if (refusal === '') this.#judge(connection, hello)
      await writeFrame(stream, encodeHello(this.#ownHello(refusal)))
      await stream.close()
      if (refusal !== '') this.#judge(connection, isFull ? { ...hello, refusal } : hello)
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('hello failed'))
      this.#needs.penalise(peerId, 10, 'bad hello')
    }
  }

  /** True when it was admitted. */
  remove(peerId: string): boolean {
    return this.#admitted.delete(peerId)
  }

  /** Our answer to a hello can overtake the peer's reading of it by a few milliseconds, and the other way round. */
  async wait(peerId: string): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < networkLimits.admissionWaitMs; waitedMs += 50) {
      if (this.#admitted.has(peerId)) return true
      if (this.#needs.penalties.isBanned(peerId)) return false
      await new Promise(resolve => setTimeout(resolve, 50).unref())
    }
    return false
  }

  #ownHello(refusal: string): Hello {
    const { genesis, version, roles } = this.#needs.input
    const addresses = [...this.#admitted.values()]
      .slice(0, 16)
      .filter(({ connection }) => connection.direction === 'outbound')
    return {
      genesis,
      version,
      roles,
      addresses: addresses.map(({ connection }) => withPeerId(connection.remoteAddr, connection.remotePeer)),
      refusal
    }
  }

  #refusalOf(hello: Hello): string {
    const ours = this.#needs.input.genesis
    return hello.genesis === ours ? '' : `another genesis: yours is ${hello.genesis}, ours is ${ours}`
  }

  #judge(connection: Connection, hello: Hello): void {
    const { input, penalties, disconnect, onAdmitted } = this.#needs
    const peerId = connection.remotePeer.toString()
    const foreign = this.#refusalOf(hello)
    this.#noteAnswer(peerId, foreign === '')
    if (foreign !== '') {
      input.logger.warn(
        {
          peerId,
          theirGenesis: /^[a-z0-9]{1,80}$/.test(hello.genesis) ? hello.genesis : 'unreadable',
          ourGenesis: input.genesis
        },
        'peer refused: it belongs to another genesis'
      )
      penalties.ban(peerId)
      disconnect(peerId)
      return
    }
    if (hello.refusal !== '') {
      input.logger.debug({ peerId, refusal: hello.refusal }, 'the peer refused us')
      disconnect(peerId)
      return
    }
    if (connection.status !== 'open') return
    const isNew = !this.#admitted.has(peerId)
    this.#admitted.set(peerId, { hello, connection })
    if (isNew) onAdmitted(peerId, hello)
  }

  #noteAnswer(peerId: string, agrees: boolean): void {
    const before = this.agreement().alarm
    this.#answers.delete(peerId)
    this.#answers.set(peerId, agrees)
    if (this.#answers.size > networkLimits.knownPeersMax) this.#answers.delete(this.#answers.keys().next().value!)
    const now = this.agreement()
    if (now.alarm && !before)
      this.#needs.input.logger.warn(
        { asked: now.asked, agree: now.agree },
        'Genesis Pact alarm: fewer than 75% of the peers asked share our genesis'
      )
  }
}

function withPeerId(address: Multiaddr, peerId: PeerId): string {
  const text = address.toString()
  return text.includes('/p2p/') ? text : `${text}/p2p/${peerId.toString()}`
}
