/**
 * net: the libp2p host of a node: who it is connected to, and how bytes get there.
 * In: frames to send, addresses to dial. Out: frames of admitted peers, peers coming and going.
 * A peer is admitted once both sides have said which network (genesis) they belong to.
 * Never touches: what a frame means, chains, experts.
 */

export type { Channel, ChannelHandlers, ChannelOpener } from './channel-types.ts'
export type { FeedSender } from './feed.ts'
export type { Hello } from './hello.ts'
export { peerIdOfPublicKey, publicKeyOfPeerId } from './identity.ts'
export { createNetwork } from './network.ts'
export type { FeedHandler, GenesisAgreement, GossipHandler, Network, NetworkInput, Peer } from './network-types.ts'
export { networkLimits, protocolIds } from './protocols.ts'
export { type Allowance, PeerBudget } from './rate-limit.ts'
