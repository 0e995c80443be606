import type { Message } from '@libp2p/gossipsub'
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { importSigningKey } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { Admission } from './admission.ts'
import { Channels } from './channel.ts'
import type { Channel, ChannelHandlers, ChannelOpener } from './channel-types.ts'
import { Dialer } from './dialer.ts'
import { createFeedSender, type FeedSender } from './feed.ts'
import { readFrames } from './framing.ts'
import type { Hello } from './hello.ts'
import { createHost, type Host, listenError } from './host.ts'
import { peerIdOfPublicKey } from './identity.ts'
import { KeepAlive, roundTrip } from './keep-alive.ts'
import type { FeedHandler, GenesisAgreement, GossipHandler, Network, NetworkInput, Peer } from './network-types.ts'
import { PenaltyBook } from './penalty-book.ts'
import { networkLimits, peerAllowances, protocolIds } from './protocols.ts'
import { PeerBudget } from './rate-limit.ts'
import { pause, type RequestHandler, Requests } from './requests.ts'

export function createNetwork(input: NetworkInput): Network {
  return new Libp2pNetwork(input)
}

class Libp2pNetwork implements Network {
  readonly peerId: string
  readonly #input: NetworkInput
  readonly #penalties = new PenaltyBook()
  readonly #admission: Admission
  readonly #requests: Requests
  readonly #channels: Channels
  readonly #keepAlive: KeepAlive
  readonly #dialer: Dialer
  readonly #peerHandlers: ((peerId: string, isThere: boolean) => void)[] = []
  readonly #serving: { protocol: string; handler: RequestHandler }[] = []
  readonly #openers: { protocol: string; opener: ChannelOpener }[] = []
  readonly #topics = new Map<string, GossipHandler>()
  readonly #feedFrames = new PeerBudget(peerAllowances.feedFrames, networkLimits.knownPeersMax)
  readonly #feedBytes = new PeerBudget(peerAllowances.feedBytes, networkLimits.knownPeersMax)
  readonly #gossip = new PeerBudget(peerAllowances.gossip, networkLimits.knownPeersMax)
  #feedHandler: FeedHandler = () => {}
  #libp2p: Host | undefined
  #isStopping = false

  constructor(input: NetworkInput) {
    this.#input = input
    this.peerId = peerIdOfPublicKey(importSigningKey('ed25519', input.secret).publicKey)
    const penalise = (peerId: string, points: number, reason: string): void => this.penalise(peerId, points, reason)
    this.#admission = new Admission({
      input,
      penalties: this.#penalties,
      penalise,
      disconnect: peerId => void this.#disconnect(peerId),
      onAdmitted: (peerId, hello) => this.#came(peerId, hello)
    })
    this.#keepAlive = new KeepAlive({
      connections: () => [...this.#admission.admitted].map(([peerId, { connection }]) => [peerId, connection] as const),
      giveUp: (peerId, connection) => {
        input.logger.info({ peerId }, 'peer given up: it says nothing and does not answer')
        connection.abort(new Error('no sign of life'))
      }
    })
    const heard = (peerId: string): void => this.#keepAlive.heard(peerId)
    this.#requests = new Requests({ admission: this.#admission, penalise, heard })
    this.#channels = new Channels({ admission: this.#admission, penalise, heard })
    this.#dialer = new Dialer(input.peers, {
      dial: async address => {
        await this.#host().dial(multiaddr(address), { signal: AbortSignal.timeout(networkLimits.helloTimeoutMs) })
      },
      isConnected: peerId => this.#admission.admitted.has(peerId),
      mayDial: peerId =>
        peerId !== this.peerId && !this.#penalties.isBanned(peerId) && this.#admission.hasRoomFor(peerId)
    })
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
    return [...this.#admission.admitted].map(([peerId, { hello, connection }]) => ({
      peerId,
      address: connection.remoteAddr.toString(),
      direction: connection.direction,
      version: hello.version,
      roles: hello.roles,
      latencyMs: this.#keepAlive.roundTripMs(peerId),
      penaltyPoints: this.#penalties.points(peerId)
    }))
  }

  agreement(): GenesisAgreement {
    return this.#admission.agreement()
  }

  keepRoomFor(peerIds: readonly string[]): void {
    this.#admission.keepRoomFor(peerIds)
  }

  onPeer(handler: (peerId: string, isThere: boolean) => void): void {
    this.#peerHandlers.push(handler)
  }

  serve(protocol: string, handler: RequestHandler): void {
    this.#serving.push({ protocol, handler })
  }

  request(peerId: string, protocol: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return this.#requests.ask(peerId, protocol, request, timeoutMs)
  }

  serveChannel(protocol: string, opener: ChannelOpener): void {
    this.#openers.push({ protocol, opener })
  }

  openChannel(peerId: string, protocol: string, handlers: ChannelHandlers): Promise<Channel> {
    return this.#channels.open(peerId, protocol, handlers)
  }

  onFeed(handler: FeedHandler): void {
    this.#feedHandler = handler
  }

  feed(peerId: string, onReopened: () => void): FeedSender {
    return createFeedSender(async onEnd => {
      const connection = this.#admission.admitted.get(peerId)?.connection
      if (connection === undefined) throw new Error('not connected')
      const stream = await connection.newStream(protocolIds.feed, {
        signal: AbortSignal.timeout(networkLimits.helloTimeoutMs)
      })
      stream.addEventListener('close', onEnd, { once: true })
      return stream
    }, onReopened)
  }

  subscribe(topic: string, handler: GossipHandler): void {
    this.#topics.set(topic, handler)
  }

  async publish(topic: string, bytes: Uint8Array): Promise<void> {
    await this.#host().services.pubsub.publish(topic, bytes)
  }

  addPeer(address: string): void {
    this.#dialer.add(address)
  }

  learn(address: string): void {
    this.#dialer.learn(address)
  }

  knownAddresses(): string[] {
    return this.#dialer.addresses()
  }

  async ping(peerId: string, timeoutMs: number): Promise<number> {
    const admitted = this.#admission.admitted.get(peerId)
    if (admitted === undefined) throw new BlyanError('PEER_REQUEST_FAILED', { peerId, protocol: 'ping' })
    const elapsedMs = await roundTrip(admitted.connection, timeoutMs)
    this.#keepAlive.heard(peerId)
    return elapsedMs
  }

  penalise(peerId: string, points: number, reason: string): void {
    // On its way out; what it still sends must not fill the log.
    if (this.#penalties.isBanned(peerId)) return
    this.#input.logger.debug({ peerId, points, reason }, 'peer penalised')
    if (!this.#penalties.add(peerId, points)) return
    this.#input.logger.warn({ peerId, points: networkLimits.penaltyPointsMax, reason }, 'peer cut off: too many faults')
    void this.#disconnect(peerId)
  }

  async start(): Promise<void> {
    try {
      this.#libp2p = await createHost(this.#input, peerId => this.#penalties.isBanned(peerId))
      const host = this.#libp2p
      await host.handle(
        protocolIds.hello,
        (stream, connection) => void this.#admission.answerHello(stream, connection),
        { maxInboundStreams: 2 }
      )
      await host.handle(protocolIds.feed, (stream, connection) => void this.#readFeed(stream, connection), {
        maxInboundStreams: 2
      })
      for (const { protocol, handler } of this.#serving) {
        await host.handle(protocol, (stream, connection) => void this.#requests.answer(stream, connection, handler), {
          maxInboundStreams: networkLimits.inboundStreamsPerPeerMax
        })
      }
      for (const { protocol, opener } of this.#openers) {
        await host.handle(protocol, (stream, connection) => void this.#channels.accept(stream, connection, opener), {
          maxInboundStreams: networkLimits.channelsPerPeerMax
        })
      }
      host.addEventListener('connection:open', event => {
        if (event.detail.direction === 'outbound') void this.#admission.sayHello(event.detail)
        else this.#admission.expectHello(event.detail)
      })
      host.addEventListener('connection:close', event => this.#closed(event.detail))
      host.addEventListener('peer:disconnect', event => this.#gone(event.detail))
      await host.start()
      this.#startGossip()
    } catch (error) {
      throw listenError(error, this.#input.listen)
    }
    this.#keepAlive.start()
    this.#dialer.start()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    this.#dialer.stop()
    this.#keepAlive.stop()
    await this.#libp2p?.stop()
  }

  #host(): Host {
    if (this.#libp2p === undefined) throw new Error('the network is not started')
    return this.#libp2p
  }

  #startGossip(): void {
    const pubsub = this.#host().services.pubsub
    for (const [topic, handler] of this.#topics) {
      pubsub.topicValidators.set(
        topic,
        async (peer: PeerId, message: Message) => (await this.#judgeGossip(peer.toString(), message, handler)) as never
      )
      pubsub.subscribe(topic)
    }
  }

  /** Peers hand on only what they found right themselves, so what is wrong is the fault of who brought it. */
  async #judgeGossip(from: string, message: Message, handler: GossipHandler): Promise<'accept' | 'ignore' | 'reject'> {
    if (!this.#admission.admitted.has(from)) return 'ignore'
    this.#keepAlive.heard(from)
    if (!this.#gossip.trySpend(from)) {
      this.penalise(from, 1, 'too much gossip')
      return 'ignore'
    }
    const verdict =
      message.data.length > networkLimits.gossipBytesMax
        ? 'reject'
        : await handler(from, message.data).catch(() => 'ignore' as const)
    if (verdict === 'reject') this.penalise(from, 10, 'gossip that is not right')
    return verdict
  }

  #came(peerId: string, hello: Hello): void {
    this.#keepAlive.admitted(peerId)
    for (const address of hello.addresses) this.#dialer.learn(address)
    for (const handler of this.#peerHandlers) handler(peerId, true)
  }

  /** One of two connections of a peer ended, and it was ours to use: begin again rather than be half connected. */
  #closed(connection: Connection): void {
    const peerId = connection.remotePeer.toString()
    if (this.#admission.admitted.get(peerId)?.connection !== connection) return
    this.#libp2p?.hangUp(connection.remotePeer).catch(() => {})
  }

  #gone(peerId: PeerId): void {
    const text = peerId.toString()
    this.#keepAlive.gone(text)
    if (!this.#admission.remove(text)) return
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

  /** Nothing more is read from a stream while its peer has had more than its share, or we have no room for what it sent. */
  async #readFeed(stream: Stream, connection: Connection): Promise<void> {
    const peerId = connection.remotePeer.toString()
    try {
      if (!(await this.#admission.wait(peerId))) throw new Error('not admitted')
      for await (const frame of readFrames(stream, networkLimits.feedFrameBytesMax)) {
        if (this.#penalties.isBanned(peerId)) throw new Error('cut off')
        this.#keepAlive.heard(peerId)
        const waitMs = Math.max(this.#feedFrames.spend(peerId), this.#feedBytes.spend(peerId, frame.length))
        const taken = this.#feedHandler(peerId, frame)
        if (taken === undefined && waitMs === 0) continue
        stream.pause()
        await Promise.all([taken, pause(waitMs)])
        stream.resume()
      }
      await stream.close()
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('feed refused'))
      if (error instanceof BlyanError && error.code === 'FRAME_TOO_LARGE') this.penalise(peerId, 25, error.code)
    }
  }
}
