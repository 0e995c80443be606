import type { Libp2p } from '@libp2p/interface'
import type { Channel, ChannelHandlers, ChannelOpener } from './channel-types.ts'
import type { FeedSender } from './feed.ts'

/** A peer of the same network, as seen from here. */
export type Peer = {
  readonly peerId: string
  readonly address: string
  readonly direction: 'inbound' | 'outbound'
  readonly version: string
  readonly roles: readonly string[]
  readonly latencyMs: number | null
  readonly penaltyPoints: number
}

/** How many of the peers we asked belong to our genesis (the seed's Genesis Pact check). */
export type GenesisAgreement = { readonly asked: number; readonly agree: number; readonly alarm: boolean }

export type NetworkLogger = {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

export type NetworkInput = {
  /** Ed25519 seed of the node key, 32 bytes. */
  readonly secret: Uint8Array
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  /** Dialled at start and again whenever the connection is lost. */
  readonly peers: readonly string[]
  readonly peersMax: number
  readonly genesis: string
  readonly version: string
  readonly roles: readonly string[]
  readonly logger: NetworkLogger
}

/**
 * Takes a frame of a feed. Returns a promise when it has no room for more of this peer: nothing is read from it until
 * the promise is done. It must not reject.
 */
export type FeedHandler = (peerId: string, frame: Uint8Array) => Promise<void> | undefined | void

/** 'reject' costs who brought it: only for what every honest node finds wrong. */
export type GossipHandler = (from: string, bytes: Uint8Array) => Promise<'accept' | 'ignore' | 'reject'>

export interface Network {
  readonly peerId: string
  /** The host itself, for Helia. Only between `start` and `stop`. */
  readonly libp2p: Libp2p
  addresses(): string[]
  peers(): Peer[]
  agreement(): GenesisAgreement
  /** Peers and bytes for metrics. */
  onPeer(handler: (peerId: string, isThere: boolean) => void): void
  /** Answers one frame with one frame. The handler may throw; the stream is reset then and the peer penalised if it was its fault. */
  serve(protocol: string, handler: (peerId: string, request: Uint8Array) => Promise<Uint8Array>): void
  /** Throws PEER_REQUEST_FAILED. */
  request(peerId: string, protocol: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array>
  /** Takes channels that peers open; before `start`. */
  serveChannel(protocol: string, opener: ChannelOpener): void
  /** A kept two-way stream of frames to a peer. Throws PEER_REQUEST_FAILED. */
  openChannel(peerId: string, protocol: string, handlers: ChannelHandlers): Promise<Channel>
  onFeed(handler: FeedHandler): void
  /** It begins again by itself while the peer is there; `onReopened` pushes what the peer needs first then. */
  feed(peerId: string, onReopened: () => void): FeedSender
  /** These peers are let in and dialled however many others there are. */
  keepRoomFor(peerIds: readonly string[]): void
  subscribe(topic: string, handler: GossipHandler): void
  publish(topic: string, bytes: Uint8Array): Promise<void>
  penalise(peerId: string, points: number, reason: string): void
  /** Adds an address to keep connected to. */
  addPeer(address: string): void
  /** An address that somebody says a peer has: worth a few tries. */
  learn(address: string): void
  /** Addresses of peers, configured and learnt, with their peer ids. */
  knownAddresses(): string[]
  /** Milliseconds to a connected peer and back, now. Throws when it does not answer in time. */
  ping(peerId: string, timeoutMs: number): Promise<number>
  /** Throws LISTEN_ADDRESS_TAKEN. */
  start(): Promise<void>
  stop(): Promise<void>
}
