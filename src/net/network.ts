import type { Message } from '@libp2p/gossipsub'
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { BlyanError } from '../errors/index.ts'
import { createFeedSender, type FeedSender } from './feed.ts'
import { readFrame, readFrames, writeFrame } from './framing.ts'
import { decodeHello, encodeHello, type Hello } from './hello.ts'
import { createHost, type Host, listenError } from './host.ts'
import type { GenesisAgreement, Network, NetworkInput, Peer } from './network-types.ts'
import { Dialer, PenaltyBook } from './peer-book.ts'
import { networkLimits, protocolIds } from './protocols.ts'

export function createNetwork(input: NetworkInput): Network {
  return new Libp2pNetwork(input)
}

type Admitted = { readonly hello: Hello; readonly connection: Connection }

class Libp2pNetwork implements Network {
  readonly #input: NetworkInput
  readonly #admitted = new Map<string, Admitted>()
  readonly #answers = new Map<string, boolean>()
  readonly #peerHandlers: ((peerId: string, isThere: boolean) => void)[] = []
  readonly #serving: { protocol: string; handler: (peerId: string, request: Uint8Array) => Promise<Uint8Array> }[] = []
  readonly #topics = new Map<string, (from: string, bytes: Uint8Array) => Promise<'accept' | 'ignore' | 'reject'>>()
  readonly #penalties = new PenaltyBook()
  /** Bytes of answers on their way to a peer. */
  readonly #answering = new Map<string, number>()
  readonly #dialer: Dialer
  #feedHandler: (peerId: string, frame: Uint8Array) => void = () => {}
  #libp2p: Host | undefined
  #isStopping = false

  constructor(input: NetworkInput) {
    this.#input = input
    this.#dialer = new Dialer(input.peers, {
      dial: async address => {
        await this.#host().dial(multiaddr(address), { signal: AbortSignal.timeout(networkLimits.helloTimeoutMs) })
      },
      isConnected: peerId => this.#admitted.has(peerId),
      mayDial: peerId =>
        peerId !== this.peerId && !this.#penalties.isBanned(peerId) && this.#admitted.size < input.peersMax
    })
  }

  get peerId(): string {
    return this.#host().peerId.toString()
  }

  get libp2p(): Libp2p {
    return this.#host()
  }

  addresses(): string[] {
    return this.#host()
      .getMultiaddrs()
      .map(address => address.toString())
  }

  peers(): Peer[] {
    return [...this.#admitted].map(([peerId, { hello, connection }]) => ({
      peerId,
      address: connection.remoteAddr.toString(),
      direction: connection.direction,
      version: hello.version,
      roles: hello.roles,
      latencyMs: connection.rtt ?? null,
      penaltyPoints: this.#penalties.points(peerId)
    }))
  }

  agreement(): GenesisAgreement {
    const asked = this.#answers.size
    const agree = [...this.#answers.values()].filter(Boolean).length
    return { asked, agree, alarm: agree < asked * 0.75 }
  }

  onPeer(handler: (peerId: string, isThere: boolean) => void): void {
    this.#peerHandlers.push(handler)
  }

  serve(protocol: string, handler: (peerId: string, request: Uint8Array) => Promise<Uint8Array>): void {
    this.#serving.push({ protocol, handler })
  }

  onFeed(handler: (peerId: string, frame: Uint8Array) => void): void {
    this.#feedHandler = handler
  }

  subscribe(
    topic: string,
    handler: (from: string, bytes: Uint8Array) => Promise<'accept' | 'ignore' | 'reject'>
  ): void {
    this.#topics.set(topic, handler)
  }

  async publish(topic: string, bytes: Uint8Array): Promise<void> {
    await this.#host().services.pubsub.publish(topic, bytes)
  }

  addPeer(address: string): void {
    this.#dialer.add(address)
  }

  penalise(peerId: string, points: number, reason: string): void {
    this.#input.logger.debug({ peerId, points, reason }, 'peer penalised')
    if (!this.#penalties.add(peerId, points)) return
    this.#input.logger.warn({ peerId, points: networkLimits.penaltyPointsMax }, 'peer cut off: too many faults')
    void this.#disconnect(peerId)
  }

  async request(peerId: string, protocol: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const connection = this.#admitted.get(peerId)?.connection
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
      return response
    } catch (error) {
      stream?.abort(error instanceof Error ? error : new Error('request failed'))
      throw new BlyanError('PEER_REQUEST_FAILED', { peerId, protocol }, { cause: error })
    }
  }

  feed(peerId: string, onEnd: () => void): FeedSender {
    return createFeedSender(async () => {
      const connection = this.#admitted.get(peerId)?.connection
      if (connection === undefined) throw new Error('not connected')
      const stream = await connection.newStream(protocolIds.feed, {
        signal: AbortSignal.timeout(networkLimits.helloTimeoutMs)
      })
      stream.addEventListener('close', onEnd, { once: true })
      return stream
    }, onEnd)
  }

  async start(): Promise<void> {
    try {
      this.#libp2p = await createHost(this.#input, peerId => this.#penalties.isBanned(peerId))
      const host = this.#libp2p
      await host.handle(protocolIds.hello, (stream, connection) => void this.#answerHello(stream, connection), {
        maxInboundStreams: 2
      })
      await host.handle(protocolIds.feed, (stream, connection) => void this.#readFeed(stream, connection), {
        maxInboundStreams: 2
      })
      for (const { protocol, handler } of this.#serving) {
        await host.handle(protocol, (stream, connection) => void this.#answer(stream, connection, handler), {
          maxInboundStreams: networkLimits.inboundStreamsPerPeerMax
        })
      }
      host.addEventListener('connection:open', event => {
        if (event.detail.direction === 'outbound') void this.#sayHello(event.detail)
        else this.#expectHello(event.detail)
      })
      host.addEventListener('connection:close', event => this.#closed(event.detail))
      host.addEventListener('peer:disconnect', event => this.#gone(event.detail))
      await host.start()
      this.#startGossip()
    } catch (error) {
      throw listenError(error, this.#input.listen)
    }
    this.#dialer.start()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    this.#dialer.stop()
    await this.#libp2p?.stop()
  }

  #host(): Host {
    if (this.#libp2p === undefined) throw new Error('the network is not started')
    return this.#libp2p
  }

  #startGossip(): void {
    const pubsub = this.#host().services.pubsub
    for (const [topic, handler] of this.#topics) {
      pubsub.topicValidators.set(topic, async (peer: PeerId, message: Message) => {
        const from = peer.toString()
        if (!this.#admitted.has(from) || message.data.length > networkLimits.gossipBytesMax) return 'ignore' as never
        return (await handler(from, message.data).catch(() => 'ignore')) as never
      })
      pubsub.subscribe(topic)
    }
  }

  #ownHello(refusal: string): Hello {
    const addresses = [...this.#admitted.values()]
      .slice(0, 16)
      .filter(({ connection }) => connection.direction === 'outbound')
    return {
      genesis: this.#input.genesis,
      version: this.#input.version,
      roles: this.#input.roles,
      addresses: addresses.map(({ connection }) => withPeerId(connection.remoteAddr, connection.remotePeer)),
      refusal
    }
  }

  #refusalOf(hello: Hello): string {
    return hello.genesis === this.#input.genesis
      ? ''
      : `another genesis: yours is ${hello.genesis}, ours is ${this.#input.genesis}`
  }

  async #sayHello(connection: Connection): Promise<void> {
    try {
      const signal = AbortSignal.timeout(networkLimits.helloTimeoutMs)
      const stream = await connection.newStream(protocolIds.hello, { signal })
      signal.addEventListener('abort', () => stream.abort(new Error('timeout')), { once: true })
      await writeFrame(stream, encodeHello(this.#ownHello('')))
      const hello = decodeHello(await readFrame(stream, networkLimits.helloBytesMax))
      stream.close().catch(() => {})
      this.#judge(connection, hello)
    } catch (error) {
      this.#input.logger.debug({ peerId: connection.remotePeer.toString(), reason: String(error) }, 'no hello')
      // Left open it would never be tried again: dialling gives the open connection back.
      connection.abort(error instanceof Error ? error : new Error('no hello'))
    }
  }

  /** Who connects and never says which network it belongs to must not hold a place. */
  #expectHello(connection: Connection): void {
    setTimeout(() => {
      if (connection.status !== 'open' || this.#admitted.has(connection.remotePeer.toString())) return
      this.#input.logger.debug({ peerId: connection.remotePeer.toString() }, 'no hello in time')
      connection.abort(new Error('no hello in time'))
    }, 2 * networkLimits.helloTimeoutMs).unref()
  }

  /** One of two connections of a peer ended, and it was ours to use: begin again rather than be half connected. */
  #closed(connection: Connection): void {
    const peerId = connection.remotePeer.toString()
    if (this.#admitted.get(peerId)?.connection !== connection) return
    this.#libp2p?.hangUp(connection.remotePeer).catch(() => {})
  }

  async #answerHello(stream: Stream, connection: Connection): Promise<void> {
    try {
      const hello = decodeHello(await readFrame(stream, networkLimits.helloBytesMax))
      const isFull =
        this.#admitted.size >= this.#input.peersMax && !this.#admitted.has(connection.remotePeer.toString())
      const refusal = this.#refusalOf(hello) || (isFull ? 'no room for another peer' : '')
      if (refusal === '') this.#judge(connection, hello)
      await writeFrame(stream, encodeHello(this.#ownHello(refusal)))
      await stream.close()
      if (refusal !== '') this.#judge(connection, isFull ? { ...hello, refusal } : hello)
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('hello failed'))
      this.penalise(connection.remotePeer.toString(), 10, 'bad hello')
    }
  }

  #judge(connection: Connection, hello: Hello): void {
    const peerId = connection.remotePeer.toString()
    const foreign = this.#refusalOf(hello)
    this.#noteAnswer(peerId, foreign === '')
    if (foreign !== '') {
      this.#input.logger.warn(
        {
          peerId,
          theirGenesis: /^[a-z0-9]{1,80}$/.test(hello.genesis) ? hello.genesis : 'unreadable',
          ourGenesis: this.#input.genesis
        },
        'peer refused: it belongs to another genesis'
      )
      this.#penalties.ban(peerId)
      void this.#disconnect(peerId)
      return
    }
    if (hello.refusal !== '') {
      this.#input.logger.debug({ peerId, refusal: hello.refusal }, 'the peer refused us')
      void this.#disconnect(peerId)
      return
    }
    if (connection.status !== 'open') return
    const isNew = !this.#admitted.has(peerId)
    this.#admitted.set(peerId, { hello, connection })
    for (const address of hello.addresses) this.#dialer.learn(address)
    if (isNew) for (const handler of this.#peerHandlers) handler(peerId, true)
  }

  #noteAnswer(peerId: string, agrees: boolean): void {
    const before = this.agreement().alarm
    this.#answers.delete(peerId)
    this.#answers.set(peerId, agrees)
    if (this.#answers.size > networkLimits.knownPeersMax) this.#answers.delete(this.#answers.keys().next().value!)
    const now = this.agreement()
    if (now.alarm && !before)
      this.#input.logger.warn(
        { asked: now.asked, agree: now.agree },
        'Genesis Pact alarm: fewer than 75% of the peers asked share our genesis'
      )
  }

  #gone(peerId: PeerId): void {
    const text = peerId.toString()
    if (!this.#admitted.delete(text)) return
    for (const handler of this.#peerHandlers) handler(text, false)
    if (!this.#isStopping) this.#dialer.lost(text)
  }

  async #disconnect(peerId: string): Promise<void> {
    const connection = this.#libp2p?.getConnections().find(one => one.remotePeer.toString() === peerId)
    if (connection === undefined) return
    // The refusal is on its way; let it arrive before the door closes.
    await new Promise(resolve => setTimeout(resolve, 200).unref())
    await this.#libp2p?.hangUp(connection.remotePeer).catch(() => {})
  }

  async #isAdmitted(peerId: string): Promise<boolean> {
    // Our answer to a hello can overtake the peer's reading of it by a few milliseconds, and the other way round.
    for (let waitedMs = 0; waitedMs < networkLimits.admissionWaitMs; waitedMs += 50) {
      if (this.#admitted.has(peerId)) return true
      if (this.#penalties.isBanned(peerId)) return false
      await new Promise(resolve => setTimeout(resolve, 50).unref())
    }
    return false
  }

  async #answer(
    stream: Stream,
    connection: Connection,
    handler: (peerId: string, request: Uint8Array) => Promise<Uint8Array>
  ): Promise<void> {
    const peerId = connection.remotePeer.toString()
    // Asking slowly, or not reading the answer, must not hold memory for ever.
    const timer = setTimeout(() => stream.abort(new Error('timeout')), networkLimits.answerTimeoutMs)
    try {
      if (!(await this.#isAdmitted(peerId))) throw new Error('not admitted')
      const request = await readFrame(stream, networkLimits.requestBytesMax)
      const response = await handler(peerId, request)
      if ((this.#answering.get(peerId) ?? 0) + response.length > networkLimits.feedQueueBytesMax)
        throw new Error('too much is on its way already')
      this.#countAnswering(peerId, response.length)
      try {
        await writeFrame(stream, response)
        await stream.close()
      } finally {
        this.#countAnswering(peerId, -response.length)
      }
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('request refused'))
      if (error instanceof BlyanError) this.penalise(peerId, 5, error.code)
    } finally {
      clearTimeout(timer)
    }
  }

  #countAnswering(peerId: string, change: number): void {
    const sizeBytes = (this.#answering.get(peerId) ?? 0) + change
    if (sizeBytes === 0) this.#answering.delete(peerId)
    else this.#answering.set(peerId, sizeBytes)
  }

  async #readFeed(stream: Stream, connection: Connection): Promise<void> {
    const peerId = connection.remotePeer.toString()
    try {
      if (!(await this.#isAdmitted(peerId))) throw new Error('not admitted')
      for await (const frame of readFrames(stream, networkLimits.feedFrameBytesMax)) this.#feedHandler(peerId, frame)
      await stream.close()
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('feed refused'))
      if (error instanceof BlyanError && error.code === 'FRAME_TOO_LARGE') this.penalise(peerId, 25, error.code)
    }
  }
}

function withPeerId(address: Multiaddr, peerId: PeerId): string {
  const text = address.toString()
  return text.includes('/p2p/') ? text : `${text}/p2p/${peerId.toString()}`
}
